"""What happens around a run and is no part of it: times, memory, processes, refusals. Beside `core.events`, whose order
and numbers two equal runs share; a notice depends on the clock and the machine.

Those of a recorded run that last are lines of `telemetry.jsonl`; the others only reach those who watch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from .config import RunConfig
from .decisions import Proposal
from .events import Event


@dataclass(frozen=True)
class Notice:
    """Base of all notices.

    Args:
        time: When, seconds since 1970.
        unwritten: Why it could not be written, where it should have been.

    Attributes:
        kind: What it is called in `telemetry.jsonl`.
    """

    kind: ClassVar[str]
    time: float = field(default_factory=time.time, kw_only=True)
    unwritten: str | None = field(default=None, kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, kind and time first; what is optional and absent is left out."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        optional = {f.name for f in fields(self) if f.default is None}
        return {"kind": self.kind} | {n: v for n, v in values.items() if v is not None or n not in optional}


# -- lines of telemetry.jsonl -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProcessStarted(Notice):
    """A process has taken the run up.

    Args:
        resumed: Whether it goes on with an earlier process's run.
        pid: Its process number.
        python: Version of Python.
        torch: Version of torch.
        system: Operating system and machine.
        device: What it trains on.
        threads: CPU threads of torch.
        step: Optimizer steps done then.
        decision: Decisions begun then.
    """

    kind = "process"
    resumed: bool
    pid: int
    python: str
    torch: str
    system: str
    device: str
    threads: int
    step: int
    decision: int


@dataclass(frozen=True)
class Timing(Notice):
    """What a decision cost.

    Args:
        decision: The decision, counted from 1.
        step: Optimizer steps done after it.
        seconds: Since the one before, in all.
        training_seconds: Of that, in optimizer steps.
        evaluation_seconds: Of that, in evaluations.
        resident_bytes: The process's memory now.
        device_peak_bytes: The CUDA allocator's peak; 0 elsewhere.
    """

    kind = "timing"
    decision: int
    step: int
    seconds: float
    training_seconds: float
    evaluation_seconds: float
    resident_bytes: int
    device_peak_bytes: int


@dataclass(frozen=True)
class CheckpointSaved(Notice):
    """A checkpoint has been written.

    Args:
        decision: Decisions begun.
        step: Optimizer steps done.
        file: Its name.
        offset: The log's length then, bytes.
    """

    kind = "checkpoint"
    decision: int
    step: int
    file: str
    offset: int


@dataclass(frozen=True)
class SnapshotsNoted(Notice):
    """From here on the run's past cannot be looked at, because its model cannot be stored; or it can be again.

    Args:
        sentence: Which, and why.
    """

    kind = "snapshots"
    sentence: str


@dataclass(frozen=True)
class TextNoted(Notice):
    """Something about how the text of a resumed run was found.

    Args:
        sentence: What a reader should know.
    """

    kind = "text"
    sentence: str


@dataclass(frozen=True)
class Failed(Notice):
    """Training has stopped because of an error.

    Args:
        error: The error's class.
        sentence: What it says.
        trace: The file with its trace, inside the run directory, of an error that nobody expects.
    """

    kind = "failed"
    error: str
    sentence: str
    trace: str | None = None


@dataclass(frozen=True)
class LogCut(Notice):
    """A log that was damaged, or had lost its end, has been cut: from here on it counts as whole.

    Args:
        decision: The last decision whose outcome is left.
        sentence: What was cut off.
    """

    kind = "cut"
    decision: int
    sentence: str


@dataclass(frozen=True)
class KeepChanged(Notice):
    """Whether a run outlives the process that gives its commands has changed, or it does now.

    Args:
        keep: Whether it shall.
        alone: Whether that process is gone, and the run goes on without it.
    """

    kind = "keep"
    keep: bool
    alone: bool


@dataclass(frozen=True)
class LeftOpen(Notice):
    """A process lets the run go while a proposal is open, and nobody has acted on it.

    Args:
        decision: Which decision it is of; this and the others as in `core.decisions.Proposal`.
    """

    kind = "left open"
    decision: int
    episode: int
    layer: int
    legal: list[int]
    choice: int
    present: int
    explored: bool
    q_values: list[float] | None = None
    epsilon: float | None = None
    q_deviations: list[float] | None = None

    @classmethod
    def of(cls, proposal: Proposal) -> LeftOpen:
        """Of the proposal that is open."""
        return cls(
            decision=proposal.decision,
            episode=proposal.episode,
            layer=proposal.layer,
            legal=list(proposal.legal),
            choice=proposal.choice,
            present=proposal.present,
            explored=proposal.explored,
            q_values=None if proposal.q_values is None else list(proposal.q_values),
            epsilon=proposal.epsilon,
            q_deviations=None if proposal.q_deviations is None else list(proposal.q_deviations),
        )


@dataclass(frozen=True)
class Closed(Notice):
    """A process has let the run go.

    Args:
        reason: Why.
    """

    kind = "closed"
    reason: str


# -- for those who watch ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StatusChanged(Notice):
    """What is going on.

    Args:
        status: As of `Worker.status`.
        sentence: Why, where it is a failure.
        error: The error's class, if it is one.
        exit_status: Of a process that is gone; negative for a signal.
    """

    kind = "status"
    status: str
    sentence: str = ""
    error: str = ""
    exit_status: int | None = None


@dataclass(frozen=True)
class Ready(StatusChanged):
    """A process has been set up, and takes what it is asked from here on.

    Args:
        config: The settings of its run, where it has one.
        resumed: Whether that goes on with an earlier process's run.
        pid: Its process number.
        decision: Decisions begun.
        step: Optimizer steps done.
    """

    config: RunConfig | None = None
    resumed: bool = False
    pid: int = 0
    decision: int = 0
    step: int = 0


@dataclass(frozen=True)
class Proposed(Notice):
    """A proposal is open: a throttled run is about to follow it, or a person may act.

    Args:
        proposal: The proposal.
    """

    kind = "proposed"
    proposal: Proposal


@dataclass(frozen=True)
class Refused(Notice):
    """A command was not carried out.

    Args:
        sentence: Why, and what to do.
        command: Its verb.
    """

    kind = "refused"
    sentence: str
    command: str


@dataclass(frozen=True)
class AheadChanged(Notice):
    """A person's answers that wait until their layers are asked about are others now.

    Args:
        answers: Layer -> source.
    """

    kind = "ahead"
    answers: dict[int, int]


@dataclass(frozen=True)
class Dropped(Notice):
    """Entries were left out, because who watches was too slow.

    Args:
        count: So far.
    """

    kind = "dropped"
    count: int


Entry = Event | Notice
"""What a run tells those who watch."""

GOES_ON: tuple[type[Notice], ...] = (ProcessStarted, Timing)
"""After one of these a failure is past."""


def read_timing(values: Mapping[str, Any]) -> Timing:
    """A line of `telemetry.jsonl` of the kind timing, also of an older run, where some numbers are missing (0 here).

    Raises:
        KeyError: It names no decision.
    """
    names = {f.name for f in fields(Timing)} - {"decision", "unwritten"}
    known: dict[str, Any] = {name: values.get(name) or 0 for name in names}
    return Timing(decision=values["decision"], **known)
