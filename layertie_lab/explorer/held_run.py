"""What a page holds of the run that it shows, apart from the page, so that it can be let go when the page is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.commands import Command
from ..core.config import RunConfig
from ..core.errors import RecordError, WorkerError
from ..core.events import Event
from ..records.log.cursor import EventCursor
from ..records.log.follower import Follower
from ..workers.pool import Handle
from ..workers.thread import SessionThread
from .feed import RowTaker

if TYPE_CHECKING:  # the session is handed in, and a page that shows none needs no torch
    from ..session.session import Session

T = TypeVar("T")


UNRECORDED = (
    "This needs the run's records, and this session writes none: begin one with Session(config, directory='runs/mine')."
)
"""Of a session of this process without a folder, in each view that would read there."""


class HeldRun:
    """The run on the page.

    Attributes:
        path: Its folder; None before any run.
        config: Its settings.
        example: Whether it is a recorded example.
        source: Where its events come from while it goes on: a worker that trains it, a session of this process in a
            thread, or its log, which somebody else writes; None where it does not go on.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self.config = RunConfig()
        self.example = False
        self.source: Handle | SessionThread | Follower | None = None

    @property
    def folder(self) -> Path:
        """Its folder.

        Raises:
            RecordError: There is no run on the page, or it is not recorded.
        """
        if self.path is None and self.source is not None:
            raise RecordError(UNRECORDED)
        if self.path is None:
            raise RecordError("Expected a run, but none is shown.", "Press Start, or open a run.")
        return self.path

    @property
    def is_trained(self) -> bool:
        """Whether this program trains it, or waits to: a worker of it, or a session in a thread."""
        return isinstance(self.source, Handle | SessionThread)

    @property
    def is_still(self) -> bool:
        """Whether there is a run that nobody trains any more, as far as is known here."""
        if isinstance(self.source, Handle):
            return not self.source.worker.alive
        if isinstance(self.source, SessionThread):
            return False
        return self.path is not None and (self.source is None or self.source.status != "running")

    def give(self, command: Command[T]) -> Future[T]:
        """Give the worker a command (`Worker.give`).

        Raises:
            WorkerError: No worker of this program trains the run.
        """
        if not isinstance(self.source, Handle | SessionThread):
            raise WorkerError("Expected a run that this page trains.", "Press Start, or Step on a stopped run.")
        return self.source.give(command)

    def let_go(self, grace: float = 0.0) -> None:
        """Give the worker back, which is then saved and ended after `grace` seconds (unless it is kept).

        A session stays as it is, and open for whoever holds it.
        """
        source, self.source = self.source, None
        if isinstance(source, Handle):
            source.release(grace)
        elif source is not None:
            source.close()


class Tables:
    """Hands the rows of one run to several widgets, until it is closed."""

    def __init__(self, *takers: RowTaker) -> None:
        self._takers, self._lock, self._open = takers, threading.Lock(), True

    def push(self, rows: Mapping[str, Iterable[Any]]) -> None:
        """Append rows, by table."""
        with self._lock:
            for taker in self._takers if self._open else ():
                taker.push(rows)

    def reset(self, rows: Mapping[str, Iterable[Any]]) -> None:
        """Begin again with the given rows."""
        for taker in self._takers:
            taker.reset(rows)

    def close(self) -> None:
        """From now on nothing of this run reaches the widgets."""
        with self._lock:
            self._open = False


class Past:
    """A run's log as far as it has come, read when it is iterated."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Event]:
        return iter(EventCursor(self._path / "events.jsonl").read_new())


def told_by(session: Session) -> Iterator[Event]:
    """The same of a session of this process, recorded or not."""
    yield from session.past()
