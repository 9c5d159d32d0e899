"""Presses become commands of a run: the one way from the widgets to a Worker or a Session in a thread."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

from ..core.errors import LayertieError, WorkerError
from ..core.events import DecisionMade, Event
from ..widgets.steer_panel import Command


class Source(Protocol):
    """A run that goes on elsewhere: a Worker, or a Session in a `SessionThread`."""

    def submit(self, command: str, /, *args: Any, **kwargs: Any) -> Future[Any]: ...
    def subscribe(self, callback: Callable[[Any], None], /) -> Callable[[], None]: ...


class Pilot:
    """Gives a source the commands that people press.

    Args:
        source: The run; held weakly.
        report: Takes what came of a command, in the manner of telemetry: kind "proposed" (with the proposal), "acted"
            (with the command), "refused" (with the command and a sentence). Called from any thread.
    """

    def __init__(self, source: Source, report: Callable[[dict[str, Any]], None]) -> None:
        self._source = weakref.ref(source)
        self._report = report
        self._under_way: deque[Command] = deque(maxlen=100)
        self._latest = 0
        self.asked: int | None = None
        """The decision that answers are for: that of the proposal on the screen."""

    def press(self, command: Command) -> None:
        """Act on a press.

        Raises:
            LayertieError: There is no run to take it.
        """
        kind, values = command.kind, command.values
        if kind == "step":
            self._start(command, "step")
        elif kind == "run":
            self._start(command, "run")
        elif kind == "run_n":
            self._start(command, "run", int(values["decisions"]))
        elif kind == "answer":
            self._start(command, "commit", int(values["source"]), by="human", decision=self.asked)
        elif kind == "pause":
            self._latest += 1
            self._give(command, "pause", finish=True)
        elif kind == "save":
            self._give(command, "save")
        elif kind == "keep":
            self._give(command, "set_keep", bool(values["keep"]))

    def answer(self, layer: int, source: int) -> None:
        """Act on an answer given in the tie map.

        A refusal is reported, not raised: the tie map has no place for it.
        """
        try:
            self.press(Command("answer", values={"layer": layer, "source": source}))
        except LayertieError as error:
            self._report({"kind": "refused", "sentence": str(error), "command": "answer"})

    def answer_ahead(self, answers: dict[int, int]) -> None:
        """Answers, by layer, that wait until their layers are asked about, and a run through the last of them.

        An empty dict forgets those that wait. A refusal is reported, not raised.
        """
        try:
            future = self._submit("answer_ahead", answers, run=bool(answers))
        except LayertieError as error:
            self._report({"kind": "refused", "sentence": str(error), "command": "answer_ahead"})
            return
        self._report({"kind": "ahead", "answers": answers})
        future.add_done_callback(partial(_tell_ahead, self._report))

    def ask(self) -> None:
        """Ask for the open proposal, which then comes as a report."""
        source = self._source()
        if source is None:
            return
        try:
            future = source.submit("propose")
        except WorkerError:
            return  # it has ended, and says so itself
        future.add_done_callback(partial(_tell_proposal, self._report))

    def effects(self, entry: Event | Mapping[str, Any]) -> list[Command]:
        """The commands that have taken effect, as an entry of the source shows: training has begun."""
        begun = isinstance(entry, DecisionMade) or (isinstance(entry, Mapping) and entry.get("status") == "running")
        commands = list(self._under_way) if begun else []
        for command in commands:
            self._under_way.remove(command)
        return commands

    def is_past(self, number: int) -> bool:
        """Whether another command has taken the place of the one with this number."""
        return number != self._latest

    def _start(self, command: Command, name: str, *args: Any, **kwargs: Any) -> None:
        """A command that trains: it has taken effect when training begins, long before its answer comes."""
        self._latest += 1
        self._under_way.append(command)
        try:
            future = self._submit(name, *args, **kwargs)
        except LayertieError:
            self._under_way.remove(command)
            raise
        # A run that another command has replaced has nothing to say to the person any more.
        future.add_done_callback(partial(_tell_error, self._report, name, weakref.ref(self), self._latest))

    def _give(self, command: Command, name: str, *args: Any, **kwargs: Any) -> None:
        future = self._submit(name, *args, **kwargs)
        future.add_done_callback(partial(_tell_error, self._report, name, None, 0))
        future.add_done_callback(partial(_tell_acted, self._report, command))

    def _submit(self, name: str, *args: Any, **kwargs: Any) -> Future[Any]:
        source = self._source()
        if source is None:
            raise WorkerError("Expected a run to take the command, but it has been closed.", "Open the run again.")
        return source.submit(name, *args, **kwargs)


def _tell_proposal(report: Callable[[dict[str, Any]], None], future: Future[Any]) -> None:
    # Refused: a decision is under way again, and the next status says more.
    if future.exception() is None:
        report({"kind": "proposed", "proposal": future.result()})


def _tell_acted(report: Callable[[dict[str, Any]], None], command: Command, future: Future[Any]) -> None:
    if future.exception() is None:
        report({"kind": "acted", "command": command})


def _tell_ahead(report: Callable[[dict[str, Any]], None], future: Future[Any]) -> None:
    if (error := future.exception()) is not None:
        report({"kind": "ahead", "answers": {}})
        report({"kind": "refused", "sentence": str(error), "command": "answer_ahead"})


def _tell_error(
    report: Callable[[dict[str, Any]], None],
    name: str,
    pilot: weakref.ref[Pilot] | None,
    number: int,
    future: Future[Any],
) -> None:
    error = future.exception()
    if error is None:
        return
    if pilot is not None and ((holder := pilot()) is None or holder.is_past(number)):
        return
    report({"kind": "refused", "sentence": str(error), "command": name})
