"""Going on with a recorded run: its latest checkpoint, and then again what its log says was decided after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..core.decisions import Proposal
from ..core.errors import CancelledError, RecordError
from ..core.events import DecisionMade, Event, RulesChanged
from ..core.rules import Rules
from .capture import restored
from .components import Components
from .recorder import Recorder
from .state import RunState

Watch = Callable[[int, int], object]
"""Called with (decisions trained again, of how many) before each of them; False ends it."""


class Repeatable(Protocol):
    """What repeats a log (a `Session`)."""

    @property
    def recorder(self) -> Recorder: ...
    @property
    def phase(self) -> str: ...
    def propose(self) -> Proposal: ...
    def commit(self, choice: int, by: str) -> Any: ...
    def complete(self) -> Any: ...
    def set_rules(self, rules: Rules | str) -> None: ...


def rewound(components: Components, recorder: Recorder) -> tuple[RunState, list[Event]]:
    """Where a recorded run can go on from, and what its log holds after that; `repeat` ends the rewind.

    Args:
        components: As built from the run's config. Where nothing is to be restored (`Recorder.is_to_be_repeated`) they
            are a run's that has not begun.
        recorder: Of the run.

    Raises:
        RecordError: No whole checkpoint, or a log that is damaged or does not fit it.
    """
    # Before anything that rests on the log: what is wrong with it is said of the log and not of them.
    recorder.check_log()
    if recorder.is_to_be_repeated:
        return RunState.start(components), recorder.rewind(0)
    checkpoint = recorder.latest()
    recorder.check_rests(checkpoint)
    state = restored(components, checkpoint.tensors, checkpoint.meta)
    return state, recorder.rewind(checkpoint.meta["offset"])


def repeat(session: Repeatable, tail: list[Event], watch: Watch | None = None) -> None:
    """Complete the decision under way, decide again as a rewound log says, and end the rewind.

    Raises:
        RecordError: The log is of another run.
        CancelledError: `watch` ended it; the log is as it was.
    """
    if session.phase == "training":
        session.complete()
    where = session.recorder.path
    done, wanted = 0, sum(isinstance(event, DecisionMade) for event in tail)
    for event in tail:
        if isinstance(event, RulesChanged):
            session.set_rules(event.rules)
        if not isinstance(event, DecisionMade):
            continue
        if watch is not None and watch(done, wanted) is False:
            raise CancelledError(
                f"Trained {done} of {wanted} decisions of {where} again, then was asked to stop.",
                "Nothing is lost; it can be begun again.",
            )
        done += 1
        proposal = session.propose()
        if (event.decision, event.layer) != (proposal.decision, proposal.layer):
            raise RecordError(
                f"Expected decision {proposal.decision} about layer {proposal.layer} next in the log of "
                f"{where}, but it has decision {event.decision} about layer {event.layer}.",
                "The log and the checkpoint belong to different runs: restore them together from a copy.",
            )
        session.commit(event.choice, by=event.by)
    session.recorder.settle()
