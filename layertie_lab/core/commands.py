"""The commands of a run that trains elsewhere, each declared once: its verb, its arguments, when it may be given, what
is said when it may not, and what comes back.

A press, a notebook cell, the pipe to a child process and a test all give these values, and `workers.driver` carries
them out. A command acts between two optimizer steps, in its turn.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from .decisions import Decision, Outcome, Proposal
from .errors import LayertieError, TieError
from .events import Opened
from .measures import Evaluation, StepResult
from .sampling import TEMPERATURE

T_co = TypeVar("T_co", covariant=True)


class When(Enum):
    """When a command may be given."""

    ALWAYS = "at any time"
    STILL = "while no decisions are being trained"
    IN_A_PROCESS = "to a run in a process of its own"


@dataclass(frozen=True)
class Standing:
    """Where a run stands when a command comes.

    Args:
        training: Whether decisions are being trained.
        following: The decision that is open, or will be asked next; counted from 1.
        in_a_process: Whether the run has a process of its own, which can outlive this one.
    """

    training: bool
    following: int
    in_a_process: bool


@dataclass(frozen=True)
class Command(Generic[T_co]):
    """Something that is asked of a run; the type in brackets is what comes back.

    Attributes:
        verb: What it is called: `submit(verb, ...)`.
        when: When it may be given.
        trains: Whether it trains decisions, so that it has taken effect long before its answer comes.
    """

    verb: ClassVar[str]
    when: ClassVar[When] = When.ALWAYS
    trains: ClassVar[bool] = False

    @classmethod
    def of(cls, *args: Any, **kwargs: Any) -> Command[Any]:
        """The command from the arguments of `submit`.

        Raises:
            TypeError: Arguments that it does not take.
            LayertieError: A value out of range.
        """
        return cls(*args, **kwargs)

    def check(self, at: Standing) -> None:
        """Refuse the command where it may not be given.

        Raises:
            LayertieError: Why not, and what to do.
        """
        if self.when is When.STILL and at.training:
            raise LayertieError(
                f"Expected a paused run for {self.verb}(), but decisions are being trained.", "Call pause() first."
            )
        if self.when is When.IN_A_PROCESS and not at.in_a_process:
            raise LayertieError(
                f"Expected a run in a process of its own for {self.verb}(), but this one trains in a thread of this "
                "process and ends with it.",
                "Train it with a Worker.",
            )


# -- the loop -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Propose(Command[Proposal]):
    """The open proposal; asking again gives the same one.

    While a run is going on, it comes at the next proposal, and the agent does not wait for anybody: use
    `pause(finish=True)` before asking a person.
    """

    verb = "propose"


@dataclass(frozen=True)
class Begin(Command[Decision]):
    """Commit an action and stop before its first step; `advance` and `finish` go on. Arguments as of `commit`."""

    verb, when = "begin", When.STILL
    choice: int
    by: str = "human"
    decision: int | None = field(default=None, kw_only=True)

    def check(self, at: Standing) -> None:
        super().check(at)
        check_is_open(self.decision, at)


@dataclass(frozen=True)
class Advance(Command[StepResult]):
    """One optimizer step of the decision under way."""

    verb, when = "advance", When.STILL


@dataclass(frozen=True)
class Finish(Command[Outcome]):
    """The outcome of a decision whose steps are done."""

    verb, when = "finish", When.STILL


@dataclass(frozen=True)
class Commit(Command[Outcome]):
    """Act for the proposed layer, train the decision's steps, measure and learn.

    A decision under way is completed first. During a run the agent stands back for this one decision: the action is
    applied at the next proposal, counts as one of the run's decisions, and the run then goes on.

    Args:
        choice: A legal action.
        by: Who acts.
        decision: `Proposal.decision` of the proposal that is meant, so that the action cannot end up at another layer.
            None: whichever proposal is next.

    Raises:
        TieError: Not a legal action, or `decision` has passed or is not open yet. Nothing was committed.
        LayertieError: A pause came first, or interrupted its steps (the action then stands).
    """

    verb, trains = "commit", True
    choice: int
    by: str = "human"
    decision: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not _is_whole(self.choice):
            raise TieError(f"Expected the number of a layer as the action, but got {self.choice!r}.", "Give one.")

    def check(self, at: Standing) -> None:
        super().check(at)
        check_is_open(self.decision, at)


@dataclass(frozen=True)
class Run(Command[list[Outcome]]):
    """Let the agent act.

    A decision under way is completed first and counts. A run that is going on already is replaced: its own call
    returns what was done so far, and `decisions` counts from now. A pause that still waits for the end of its decision
    is over with it.

    Args:
        decisions: How many to complete; default what is left of the budget.
        outcomes: Whether they are wanted: those of a long run take memory until its end, and its log has them all.

    Returns:
        The outcomes, where they are wanted; fewer than asked for after `pause`.
    """

    verb, trains = "run", True
    decisions: int | None = None
    outcomes: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if self.decisions is not None and not (_is_whole(self.decisions) and self.decisions >= 0):
            raise LayertieError(f"Expected a number of decisions, 0 or more, but got {self.decisions!r}.", "Give one.")


@dataclass(frozen=True)
class Step(Command[Outcome]):
    """Complete one decision (the one under way, if any) with the agent's action. Ends a run that is going on."""

    verb, trains = "step", True


@dataclass(frozen=True)
class Pause(Command[dict[str, Any]]):
    """End the run within one optimizer step; what is under way can be gone on with by run, step or commit.

    Args:
        finish: Complete the decision under way first, so that the next proposal is open.

    Returns:
        As `snapshot`.
    """

    verb = "pause"
    finish: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class AnswerAhead(Command[list[Outcome]]):
    """A person's actions for several layers, each taken when its layer is asked about next.

    They replace those that still wait; the agent acts at the layers between. They are lost with the process.

    Args:
        answers: Layer -> source (the layer itself = train on its own); an empty dict forgets those that wait.
        run: Go on through the last of them, unless decisions are being trained already.

    Returns:
        With `run` the outcomes, as `run` gives them; else none.

    Raises:
        TieError: Not a legal action by the present map and rules. Nothing waits that did not wait before.
    """

    verb = "answer_ahead"
    answers: dict[int, int]
    run: bool = field(default=False, kw_only=True)


# -- looking at it ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evaluate(Command[Evaluation]):
    """The loss on a split now (see `Session.evaluate`)."""

    verb = "evaluate"
    split: str = "validation"
    count: int | None = None


@dataclass(frozen=True)
class Sample(Command[tuple[str, str]]):
    """(prompt, continuation) by the model as it is now (see `Session.sample`)."""

    verb = "sample"
    tokens: int | None = None
    seed: int | None = field(default=None, kw_only=True)
    prompt: str | None = field(default=None, kw_only=True)
    temperature: float = field(default=TEMPERATURE, kw_only=True)


@dataclass(frozen=True)
class Summary(Command[dict[str, Any]]):
    """What the run has come to, as plain values."""

    verb = "summary"


@dataclass(frozen=True)
class Opening(Command[Opened]):
    """The opening event of a run that begins where this one is, for a watcher that comes late.

    All events up to then are in the log when it comes.
    """

    verb = "opening"


@dataclass(frozen=True)
class Snapshot(Command[dict[str, Any]]):
    """Where the run stands: status, decision, step, phase, pending_steps, finished, ties, blocks, throttle, rules,
    ahead."""

    verb = "snapshot"


@dataclass(frozen=True)
class Call(Command[Any]):
    """`function(session, **arguments)` where the run trains, between two steps.

    Args:
        function: "module:name" of a function at the top level of a module that can be imported there.
        arguments: Like the result, plain values, arrays or tensors on the CPU.
        path: Where modules are looked for besides (`sys.path`): the caller may have learned to import more since the
            run's process started.
    """

    verb = "call"
    function: str
    arguments: dict[str, Any] = field(default_factory=dict)
    path: tuple[str, ...] = ()

    @classmethod
    def of(cls, function: Callable[..., Any], /, **arguments: Any) -> Call:
        """The call of a function.

        Raises:
            LayertieError: Not a function that another process can import.
        """
        module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
        found = getattr(sys.modules.get(module or ""), name, None)
        if module == "__main__" or found is not function or not callable(function):
            where = "a notebook or script" if module == "__main__" else "a place that cannot be imported"
            raise LayertieError(
                f"Expected a function at the top level of a module, but {name or function!r} lives in {where}.",
                "Put it into a file that can be imported, and import it from there.",
            )
        return cls(f"{module}:{name}", arguments, tuple(sys.path))


# -- its settings and its end -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Save(Command[Path | None]):
    """Write a checkpoint.

    Args:
        name: Kept under this name; without one it is one of the two latest.
    """

    verb = "save"
    name: str | None = None


@dataclass(frozen=True)
class SetRules(Command[None]):
    """Apply other rules from the next proposal on (`core.rules.Rules.parse`); "" for none."""

    verb = "set_rules"
    rules: str


@dataclass(frozen=True)
class SetKeep(Command[None]):
    """Whether a run that is going on outlives the process that gives this command."""

    verb, when = "set_keep", When.IN_A_PROCESS
    keep: bool


@dataclass(frozen=True)
class SetThrottle(Command[None]):
    """Most decisions per second of a run; 0 = no limit."""

    verb = "set_throttle"
    throttle: float

    def __post_init__(self) -> None:
        if not self.throttle >= 0:
            raise LayertieError(f"Expected a throttle of 0 or more, but got {self.throttle!r}.", "0 means no limit.")


@dataclass(frozen=True)
class Close(Command[None]):
    """End what is under way, and take no commands any more.

    Args:
        save: Write a checkpoint first.
    """

    verb = "close"
    save: bool = True


COMMANDS: dict[str, type[Command[Any]]] = {
    kind.verb: kind
    for kind in (
        *(Propose, Begin, Advance, Finish, Commit, Run, Step, Pause, AnswerAhead),
        *(Evaluate, Sample, Summary, Opening, Snapshot, Call),
        *(Save, SetRules, SetKeep, SetThrottle, Close),
    )
}
"""Verb -> command."""


def command(verb: str, /, *args: Any, **kwargs: Any) -> Command[Any]:
    """A command by its verb and arguments.

    Raises:
        LayertieError: No such command, or a value out of range.
        TypeError: Arguments that it does not take.
    """
    if verb not in COMMANDS:
        raise LayertieError(f"Expected a command, but got {verb!r}.", f"Commands: {', '.join(COMMANDS)}.")
    return COMMANDS[verb].of(*args, **kwargs)


def check_is_open(decision: int | None, at: Standing) -> None:
    """Refuse an action for a decision that is not the next to be asked, or open now; None is for any.

    Raises:
        TieError: It has passed, or has not been asked yet.
    """
    if decision is None or decision == at.following:
        return
    if decision < at.following:
        raise TieError(
            f"Expected an answer for decision {at.following}, but got one for decision {decision}, which has been "
            "answered already.",
            "Pause the run to answer in your own time.",
        )
    raise TieError(
        f"Expected an answer for decision {at.following}, but got one for decision {decision}, which has not been "
        "asked yet.",
        "Ask for the open proposal first.",
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
