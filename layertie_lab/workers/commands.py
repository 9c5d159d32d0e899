"""The commands of a Worker, on the child's side: one method each, named as in `Surface`."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.decisions import Decision, Outcome
from ..core.errors import LayertieError, WorkerError
from .channel import Request, loads
from .driver import Driver, Out

if TYPE_CHECKING:  # the session is handed in; importing it here would import torch before "starting" is said
    from ..session.session import Session

Trace = Callable[[str, BaseException], tuple[WorkerError, Path | None]]
"""(what was being done, an unexpected error) -> the error as a sentence, and the file with its trace."""

_LATER = object()


class Commands:
    """Takes requests, and sees to it that each gets its answer.

    Args:
        session: What they are about.
        out: Where answers go.
        trace: Turns an unexpected error into a sentence.
        throttle: Most decisions per second of a run; 0 = no limit.

    Attributes:
        driver: What works for them.
        closing: The number of the request to close, once there is one.
    """

    def __init__(self, session: Session, out: Out, trace: Trace, *, throttle: float = 0.0) -> None:
        self.session = session
        self.driver = Driver(session, out, throttle=throttle)
        self.closing: int | None = None
        self._out, self._trace = out, trace
        self._save_on_close = True

    def handle(self, request: Request) -> None:
        """Act on a command; its answer goes out now or when it is done."""
        try:
            value = getattr(self, f"_{request.command}")(request.number, **loads(request.arguments))
            if value is not _LATER:
                self._out.reply(request.number, value)
        except (Exception, SystemExit) as error:
            self._out.refuse(request.number, self._explain(f"The command {request.command}", error))

    def work(self) -> float | None:
        """One unit of the driver's work; an error ends what is under way, not the process.

        Returns:
            As `Driver.work`.
        """
        try:
            return self.driver.work()
        except (Exception, SystemExit) as error:
            told = self._explain("Training", error)
            if isinstance(error, LayertieError):
                self.note("failed", error=type(told).__name__, sentence=str(told))
            self.driver.halt(told)
            return None

    def close(self) -> None:
        """End what is under way and close the session.

        Raises:
            StorageError: The last checkpoint could not be written; the log and the earlier ones are intact.
        """
        self.driver.interrupt()
        self.session.close(save=self._save_on_close)

    def note(self, kind: str, **values: Any) -> None:
        """Write to the run's telemetry, and tell those who watch."""
        try:
            self.session.note(kind, **values)
        except LayertieError as error:
            # The disk may be what has failed; those who watch learn it all the same.
            self._out.tell({"kind": kind, "time": time.time(), **values, "unwritten": str(error)})

    def _explain(self, doing: str, error: BaseException) -> LayertieError:
        if isinstance(error, LayertieError):
            return error
        told, file = self._trace(doing, error)
        self.note("failed", error=type(error).__name__, sentence=str(told), trace=None if file is None else file.name)
        return told

    def _check_still(self, command: str) -> None:
        if self.driver.busy:
            raise LayertieError(
                f"Expected a paused run for {command}(), but decisions are being trained.", "Call pause() first."
            )

    # -- the loop -----------------------------------------------------------------------------------------------

    def _propose(self, number: int) -> Any:
        if not self.driver.running:
            return self.session.propose()
        self.driver.propose(number)
        return _LATER

    def _begin(self, number: int, choice: int, by: str = "human", decision: int | None = None) -> Decision:
        self._check_still("begin")
        self.driver.check_open(decision)
        return self.driver.begin(choice, by)

    def _advance(self, number: int) -> Any:
        self._check_still("advance")
        return self.driver.advance()

    def _finish(self, number: int) -> Outcome:
        self._check_still("finish")
        return self.driver.finish()

    def _commit(self, number: int, choice: int, by: str = "human", decision: int | None = None) -> Any:
        self.driver.commit(number, choice, by, decision)
        return _LATER

    def _run(self, number: int, decisions: int | None = None) -> Any:
        self.driver.run(number, decisions)
        return _LATER

    def _step(self, number: int) -> Any:
        self.driver.run(number, 1, single=True)
        return _LATER

    def _pause(self, number: int, finish: bool = False) -> Any:
        if finish and self.session.phase == "training":
            self.driver.pause_at_proposal(number)
            return _LATER
        self.driver.interrupt()
        return self.driver.snapshot()

    # -- looking at it ------------------------------------------------------------------------------------------

    def _evaluate(self, number: int, **arguments: Any) -> Any:
        return self.session.evaluate(**arguments)

    def _sample(self, number: int, **arguments: Any) -> Any:
        return self.session.sample(**arguments)

    def _summary(self, number: int) -> Any:
        return self.session.summary()

    def _opening(self, number: int) -> Any:
        # Who comes late reads the log for what was before, so all of it must be there.
        self.session.recorder.flush()
        return self.session.opening()

    def _snapshot(self, number: int) -> Any:
        return self.driver.snapshot()

    def _call(self, number: int, function: str, path: tuple[str, ...], arguments: dict[str, Any]) -> Any:
        # The caller may have learned to import more since this process started.
        sys.path.extend(entry for entry in path if entry not in sys.path)
        module, _, name = function.partition(":")
        return getattr(importlib.import_module(module), name)(self.session, **arguments)

    # -- keeping it ---------------------------------------------------------------------------------------------

    def _save(self, number: int, **arguments: Any) -> Any:
        return self.session.save(**arguments)

    def _answer_ahead(self, number: int, answers: dict[int, int], run: bool = False) -> Any:
        return _LATER if self.driver.answer_ahead(number, answers, run=run) else []

    def _set_rules(self, number: int, rules: str) -> None:
        self.session.set_rules(rules)

    def _set_keep(self, number: int, keep: bool) -> None:
        self.note("keep", keep=keep, alone=False)

    def _set_throttle(self, number: int, throttle: float) -> None:
        self.driver.throttle = throttle

    def _close(self, number: int, save: bool = True) -> Any:
        self.closing, self._save_on_close = number, save
        return _LATER
