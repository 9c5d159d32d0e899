"""Presses become commands of a run: the one way from the widgets to a Worker or a Session in a thread."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from ..core.commands import AnswerAhead, Command, Commit, Pause, Propose, Run
from ..core.errors import LayertieError, WorkerError
from ..core.events import DecisionMade
from ..core.notices import AheadChanged, Entry, Notice, Proposed, Refused, StatusChanged
from ..widgets.steer_panel import Press

T = TypeVar("T")


class Source(Protocol):
    """A run that goes on elsewhere: a Worker, or a Session in a `SessionThread`."""

    def give(self, command: Command[T], /) -> Future[T]: ...
    def subscribe(self, callback: Callable[[Entry], None], /) -> Callable[[], None]: ...


@dataclass(frozen=True)
class Acted(Notice):
    """A press has taken effect.

    Args:
        press: The press.
    """

    kind = "acted"
    press: Press


@dataclass(frozen=True)
class Declined(Notice):
    """A press has come to nothing; `Refused` says why, unless another press has taken its place.

    Args:
        press: The press.
    """

    kind = "declined"
    press: Press


class Pilot:
    """Gives a source the commands that people press.

    Args:
        source: The run; held weakly.
        report: Takes what came of a press (`Acted`, `Declined`, `Refused`), and what the person is asked next
            (`Proposed`). Called from any thread.
    """

    def __init__(self, source: Source, report: Callable[[Notice], None]) -> None:
        self._source = weakref.ref(source)
        self._report = report
        self._under_way: deque[Press] = deque(maxlen=100)
        self._latest = 0
        self._answered: Commit | None = None
        self.asked: int | None = None
        """The decision that answers in the tie map are for: that of the proposal on the screen."""

    def press(self, press: Press) -> None:
        """Act on a press.

        Raises:
            LayertieError: There is no run to take it.
        """
        command = press.command
        if command is None:
            return  # a farewell asks nothing of the run
        if isinstance(command, Commit) and command.decision is not None and command == self._answered:
            # The second of two clicks on one action is the same click.
            self._report(Declined(press))
            return
        if command.trains:
            self._start(press, command)
            return
        if isinstance(command, Pause):
            self._latest += 1
        future = self._give(command)
        future.add_done_callback(partial(_tell_error, self._report, command.verb, None, 0))
        future.add_done_callback(partial(_tell_end, self._report, press))

    def answer(self, layer: int, source: int) -> None:
        """Act on an answer given in the tie map.

        A refusal is reported, not raised: the tie map has no place for it.
        """
        command = Commit(source, decision=self.asked)
        try:
            self.press(Press(command))
        except LayertieError as error:
            self._report(Refused(str(error), command.verb))

    def answer_ahead(self, answers: dict[int, int]) -> None:
        """Answers, by layer, that wait until their layers are asked about, and a run through the last of them.

        An empty dict forgets those that wait. A refusal is reported, not raised.
        """
        command = AnswerAhead(answers, run=bool(answers))
        try:
            future = self._give(command)
        except LayertieError as error:
            self._report(Refused(str(error), command.verb))
            return
        self._report(AheadChanged(answers))
        future.add_done_callback(partial(_tell_ahead, self._report, command.verb))

    def ask(self) -> None:
        """Ask for the open proposal, which then comes as a report."""
        source = self._source()
        if source is None:
            return
        try:
            future = source.give(Propose())
        except LayertieError:
            return  # it has ended, and says so itself
        future.add_done_callback(partial(_tell_proposal, self._report))

    def effects(self, entry: Entry) -> list[Press]:
        """The presses that have taken effect, as an entry shows: training has begun, or their answer has come."""
        if isinstance(entry, Acted | Declined):
            trains = entry.press.command is not None and entry.press.command.trains
            waited = self._forget(entry.press) or not trains
            return [entry.press] if waited and isinstance(entry, Acted) else []
        begun = isinstance(entry, DecisionMade) or (isinstance(entry, StatusChanged) and entry.status == "running")
        return [press for press in tuple(self._under_way) if self._forget(press)] if begun else []

    def _forget(self, press: Press) -> bool:
        """No longer wait for a press to take effect; whether that was so."""
        with suppress(ValueError):  # told already, or pushed out by a hundred later ones
            self._under_way.remove(press)
            return True
        return False

    def forget_answer(self, command: Commit) -> None:
        """An answer was not taken."""
        if self._answered is command:
            self._answered = None

    def is_past(self, number: int) -> bool:
        """Whether another command has taken the place of the one with this number."""
        return number != self._latest

    def _start(self, press: Press, command: Command[Any]) -> None:
        """A command that trains: it has taken effect when training begins, long before its answer comes."""
        self._latest += 1
        self._under_way.append(press)
        if isinstance(command, Run):
            command = replace(command, outcomes=False)  # the log tells what came of it, decision by decision
        try:
            future = self._give(command)
        except LayertieError:
            self._forget(press)
            raise
        if isinstance(command, Commit):
            self._answered = command
            future.add_done_callback(partial(_forget_answer, weakref.ref(self), command))
        # A run that another command has replaced has nothing to say to the person any more.
        future.add_done_callback(partial(_tell_error, self._report, command.verb, weakref.ref(self), self._latest))
        # A run with nothing left to do is answered at once, and no training ever begins.
        future.add_done_callback(partial(_tell_end, self._report, press))

    def _give(self, command: Command[T]) -> Future[T]:
        source = self._source()
        if source is None:
            raise WorkerError("Expected a run to take the command, but it has been closed.", "Open the run again.")
        return source.give(command)


def _forget_answer(pilot: weakref.ref[Pilot], command: Commit, future: Future[Any]) -> None:
    """One that was not taken may be given again."""
    holder = pilot()
    if holder is not None and future.exception() is not None:
        holder.forget_answer(command)


def _tell_proposal(report: Callable[[Notice], None], future: Future[Any]) -> None:
    # Refused: a decision is under way again, and the next status says more.
    if future.exception() is None:
        report(Proposed(future.result()))


def _tell_end(report: Callable[[Notice], None], press: Press, future: Future[Any]) -> None:
    report(Acted(press) if future.exception() is None else Declined(press))


def _tell_ahead(report: Callable[[Notice], None], verb: str, future: Future[Any]) -> None:
    if (error := future.exception()) is not None:
        report(AheadChanged({}))
        report(Refused(str(error), verb))


def _tell_error(
    report: Callable[[Notice], None],
    verb: str,
    pilot: weakref.ref[Pilot] | None,
    number: int,
    future: Future[Any],
) -> None:
    error = future.exception()
    if error is None:
        return
    if pilot is not None and ((holder := pilot()) is None or holder.is_past(number)):
        return
    report(Refused(str(error), verb))
