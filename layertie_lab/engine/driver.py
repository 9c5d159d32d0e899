"""Drives a session from commands, one optimizer step at a time, so that every command acts between two steps."""

from __future__ import annotations

import importlib
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..core.decisions import Decision, Outcome
from ..core.errors import LayertieError, TieError, WorkerError
from .protocol import Request, dumps, loads

if TYPE_CHECKING:  # the session's class is handed in; importing it here would import torch before "starting" is said
    from .session import Session


class Out(Protocol):
    """Where answers and telemetry go (an `Outbox`)."""

    def tell(self, entry: Any) -> None: ...
    def reply(self, number: int, value: Any) -> None: ...
    def refuse(self, number: int, error: LayertieError) -> None: ...


Trace = Callable[[str, BaseException], tuple[WorkerError, Path | None]]
"""(what was being done, an unexpected error) -> the error as a sentence, and the file with its trace."""

_LATER = object()
_NO_ARGUMENTS = dumps({})


@dataclass
class _Run:
    """A `run` (or `step`) under way: its request, how many outcomes are still to come, those that came."""

    number: int
    left: int
    single: bool = False
    outcomes: list[Outcome] = field(default_factory=list)


@dataclass(frozen=True)
class _Person:
    """A person's answer that waits for its proposal."""

    number: int
    choice: int
    by: str
    decision: int | None


class Driver:
    """What a child process does between two looks at its pipe.

    Args:
        session: What to drive.
        out: Where answers and telemetry go.
        trace: Turns an unexpected error into a sentence.
        throttle: Most decisions per second of a run; 0 = no limit.
        clock: Seconds, monotonic.

    `handle` takes one command, `work` does one unit: an answer put into force, one optimizer step, or one outcome.

    Attributes:
        throttle: As above; may be changed at any time.
        step_seconds: Duration of the last optimizer step.
        closing: The number of the request to close, once there is one.
    """

    def __init__(
        self, session: Session, out: Out, trace: Trace, *, throttle: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.session = session
        self.throttle = throttle
        self.step_seconds: float | None = None
        self.closing: int | None = None
        self._out, self._trace, self._clock = out, trace, clock
        self._run: _Run | None = None
        self._people: deque[_Person] = deque()
        self._committing: int | None = None
        self._proposals: list[int] = []
        self._pauses: list[int] = []
        self._shown: int | None = None
        self._begun_at = float("-inf")
        self._save_on_close = True

    # -- where it stands ----------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the agent answers."""
        return self._run is not None

    @property
    def busy(self) -> bool:
        """Whether there is something to train for."""
        return bool(self._run or self._people or self._committing is not None or self._pauses)

    @property
    def status(self) -> str:
        """running, paused (inside a decision), finished (the budget is spent) or ready (an answer is awaited)."""
        if self.busy:
            return "running"
        if self.session.phase == "training":
            return "paused"
        return "finished" if self.session.finished else "ready"

    # -- one unit of work ---------------------------------------------------------------------------------------

    def work(self) -> float | None:
        """Do one unit.

        Returns:
            Seconds until there is more to do: 0 at once, more under a throttle, None until a command comes.
        """
        try:
            return self._work()
        except (Exception, SystemExit) as error:
            self._halt(error)
            return None

    def _work(self) -> float | None:
        if not self.busy:
            return None
        if self.session.phase == "training":
            if self.session.pending_steps:
                start = self._clock()
                self.session.advance()
                self.step_seconds = self._clock() - start
            else:
                self._came(self.session.finish())
            return 0.0
        return self._at_proposal()

    def _at_proposal(self) -> float | None:
        if self._proposals:
            proposal = self.session.propose()
            for number in self._take(self._proposals):
                self._out.reply(number, proposal)
        if self._people:
            self._answer_of(self._people.popleft())
            return 0.0
        if self._pauses:
            self._end_run()
            for number in self._take(self._pauses):
                self._out.reply(number, self.snapshot())
            return 0.0
        if self._run is None:
            return None
        proposal = self.session.propose()
        wait = self._begun_at + 1 / self.throttle - self._clock() if self.throttle else 0.0
        if wait > 0:
            if self._shown != proposal.decision:
                self._shown = proposal.decision
                self._out.tell({"kind": "proposed", "proposal": proposal})
            return wait
        self._begin(proposal.choice, "agent")
        return 0.0

    def _answer_of(self, person: _Person) -> None:
        try:
            self._check_open(person.decision)
            self._begin(person.choice, person.by)
        except TieError as error:
            self._out.refuse(person.number, error)
        except BaseException:
            # Handled with everything else that waits; this one has left the queue already.
            self._people.appendleft(person)
            raise
        else:
            self._committing = person.number

    def _begin(self, choice: int, by: str) -> Decision:
        decision = self.session.begin(choice, by=by)
        self._begun_at = self._clock()
        return decision

    def _came(self, outcome: Outcome) -> None:
        if self._committing is not None:
            self._out.reply(self._committing, outcome)
            self._committing = None
        run = self._run
        if run is not None:
            run.outcomes.append(outcome)
            run.left -= 1
            if run.left <= 0:
                self._end_run()

    def _end_run(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        if run.single and not run.outcomes:
            self._out.refuse(run.number, self._unfinished("step"))
        else:
            self._out.reply(run.number, run.outcomes[0] if run.single else run.outcomes)

    def _unfinished(self, command: str) -> LayertieError:
        if self.session.phase == "propose":
            return LayertieError(
                f"Expected {command}() to be done, but it was interrupted before it began.", "Repeat it."
            )
        return LayertieError(
            f"Expected {command}() to be done, but decision {self.session.decision} was interrupted with "
            f"{self.session.pending_steps} steps left.",
            "Its answer stands: the next run(), step() or commit() completes it first.",
        )

    def _halt(self, error: BaseException) -> None:
        told = self._explain("Training", error)
        if isinstance(error, LayertieError):
            self.note("failed", error=type(told).__name__, sentence=str(told))
        numbers = [person.number for person in self._people] + self._take(self._proposals) + self._take(self._pauses)
        if self._run is not None:
            numbers.append(self._run.number)
        if self._committing is not None:
            numbers.append(self._committing)
        self._run, self._committing = None, None
        self._people.clear()
        for number in numbers:
            self._out.refuse(number, told)

    def _explain(self, doing: str, error: BaseException) -> LayertieError:
        if isinstance(error, LayertieError):
            return error
        told, file = self._trace(doing, error)
        self.note("failed", error=type(error).__name__, sentence=str(told), trace=None if file is None else file.name)
        return told

    def note(self, kind: str, **values: Any) -> None:
        """Write to the run's telemetry, and tell those who watch."""
        try:
            self.session.note(kind, **values)
        except LayertieError as error:
            # The disk may be what has failed; those who watch learn it all the same.
            self._out.tell({"kind": kind, "time": time.time(), **values, "unwritten": str(error)})

    # -- commands -----------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> None:
        """Act on a command; its answer goes out now or when it is done."""
        try:
            arguments = loads(request.arguments)
            value = getattr(self, f"_do_{request.command}")(request.number, **arguments)
            if value is not _LATER:
                self._out.reply(request.number, value)
        except LayertieError as error:
            self._out.refuse(request.number, error)
        except (Exception, SystemExit) as error:
            self._out.refuse(request.number, self._explain(f"The command {request.command}", error))

    def snapshot(self) -> dict[str, Any]:
        """Where the run stands, as plain values, a proposal included if one is open and was asked for."""
        session = self.session
        return {
            "status": self.status, "decision": session.decision, "step": session.step, "phase": session.phase,
            "pending_steps": session.pending_steps, "finished": session.finished, "ties": list(session.ties),
            "blocks": list(session.blocks), "throttle": self.throttle,
        }  # fmt: skip

    def close(self) -> None:
        """End what is under way and close the session.

        Raises:
            StorageError: The last checkpoint could not be written; the log and the earlier ones are intact.
        """
        self._interrupt()
        self.session.close(save=self._save_on_close)

    def _do_propose(self, number: int) -> Any:
        if self.running:
            self._proposals.append(number)
            return _LATER
        return self.session.propose()

    def _do_begin(self, number: int, choice: int, by: str = "human", decision: int | None = None) -> Decision:
        self._check_still("begin")
        self._check_open(decision)
        return self._begin(choice, by)

    def _do_advance(self, number: int) -> Any:
        self._check_still("advance")
        start = self._clock()
        result = self.session.advance()
        self.step_seconds = self._clock() - start
        return result

    def _do_finish(self, number: int) -> Outcome:
        self._check_still("finish")
        return self.session.finish()

    def _do_commit(self, number: int, choice: int, by: str = "human", decision: int | None = None) -> Any:
        self._check_open(decision)
        self._people.append(_Person(number, choice, by, decision))
        return _LATER

    def _do_run(self, number: int, decisions: int | None = None) -> Any:
        self._end_run()
        session = self.session
        left = max(0, session.config.decisions - session.decision + (session.phase == "training"))
        left = left if decisions is None else decisions
        if left <= 0:
            return []
        self._run = _Run(number, left)
        return _LATER

    def _do_step(self, number: int) -> Any:
        self._end_run()
        self._run = _Run(number, 1, single=True)
        return _LATER

    def _do_pause(self, number: int, finish: bool = False) -> Any:
        if finish and self.session.phase == "training":
            self._pauses.append(number)
            return _LATER
        self._interrupt()
        return self.snapshot()

    def _do_evaluate(self, number: int, **arguments: Any) -> Any:
        return self.session.evaluate(**arguments)

    def _do_sample(self, number: int, **arguments: Any) -> Any:
        return self.session.sample(**arguments)

    def _do_save(self, number: int, **arguments: Any) -> Any:
        return self.session.save(**arguments)

    def _do_summary(self, number: int) -> Any:
        return self.session.summary()

    def _do_opening(self, number: int) -> Any:
        return self.session.opening()

    def _do_snapshot(self, number: int) -> Any:
        return self.snapshot()

    def _do_call(self, number: int, function: str, path: tuple[str, ...], arguments: dict[str, Any]) -> Any:
        # The caller may have learned to import more since this process started.
        sys.path.extend(entry for entry in path if entry not in sys.path)
        module, _, name = function.partition(":")
        return getattr(importlib.import_module(module), name)(self.session, **arguments)

    def _do_set_throttle(self, number: int, throttle: float) -> None:
        self.throttle = throttle

    def _do_close(self, number: int, save: bool = True) -> Any:
        self.closing, self._save_on_close = number, save
        return _LATER

    # -- small rules --------------------------------------------------------------------------------------------

    def _interrupt(self) -> None:
        self._end_run()
        if self._committing is not None:
            self._out.refuse(self._committing, self._unfinished("commit"))
            self._committing = None
        for person in self._people:
            self._out.refuse(
                person.number,
                LayertieError(
                    f"Expected to commit {person.choice}, but the run was interrupted before its proposal came.",
                    "Nothing was committed: repeat it.",
                ),
            )
        self._people.clear()
        # Their proposal will not come by itself any more, so they learn what a session would say.
        for number in self._take(self._proposals):
            self.handle(Request(number, "propose", _NO_ARGUMENTS))
        for number in self._take(self._pauses):
            self._out.reply(number, self.snapshot())

    def _check_open(self, decision: int | None) -> None:
        if decision is None or decision == self.session.decision + 1:
            return
        if decision <= self.session.decision:
            raise TieError(
                f"Expected an answer for decision {self.session.decision + 1}, but got one for decision {decision}, "
                "which has been answered already.",
                "Pause the run to answer in your own time.",
            )
        raise TieError(
            f"Expected an answer for decision {self.session.decision + 1}, but got one for decision {decision}, "
            "which has not been asked yet.",
            "Ask for the open proposal first.",
        )

    def _check_still(self, command: str) -> None:
        if self.busy:
            raise LayertieError(
                f"Expected a paused run for {command}(), but decisions are being trained.", "Call pause() first."
            )

    @staticmethod
    def _take(numbers: list[int]) -> list[int]:
        taken = list(numbers)
        numbers.clear()
        return taken
