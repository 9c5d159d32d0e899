"""Watching a run that another process writes: its events, as they reach the log."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from ...core.errors import RecordError
from ...core.events import Event, Finished
from ...core.notices import Entry, StatusChanged
from ..directory import RunDirectory
from .cursor import EventCursor
from .recovery import check_end, check_settings

INTERVAL = 0.25
"""Seconds between looks at the log."""
LOCK_INTERVAL = 1.0
"""Seconds between looks at whether it is still being written."""


class Follower:
    """Gives a run's events, from the first on, to those who subscribe, as a worker does; takes no commands.

    Beside events there are telemetry entries of the kind `status`: "running", then "finished" (the budget is spent),
    "closed" (the writer has stopped), or "failed" (with a sentence; the log is damaged or was replaced).

    Args:
        path: The run's folder.

    Raises:
        RecordError: Not a run.

    Reading begins with the first subscription, in a thread that ends with this object.
    """

    def __init__(self, path: str | Path) -> None:
        self.directory = RunDirectory.open(path)
        self.config = self.directory.config
        self.status = "running"
        self._cursor = EventCursor(self.directory.events)
        self._last: Event | None = None
        self._lock_due = 0.0
        self._subscribers: list[Callable[[Entry], None]] = []
        self._thread: threading.Thread | None = None

    def subscribe(self, callback: Callable[[Entry], None]) -> Callable[[], None]:
        """Call `callback` with every event and status entry, from the reading thread; the result ends it."""
        self._subscribers.append(callback)
        if self._thread is None:
            self._thread = threading.Thread(
                target=_follow, args=(weakref.ref(self),), name="layertie follower", daemon=True
            )
            self._thread.start()
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def close(self) -> None:
        """Stop reading."""
        self._subscribers.clear()
        self.status = "closed"

    def _look(self) -> bool:
        """Pass on what is new. Returns whether there may be more."""
        now = time.monotonic()
        ended = False
        if now >= self._lock_due:
            self._lock_due = now + LOCK_INTERVAL
            ended = not self.directory.running  # before the last read, so that nothing is missed
        generation = self._cursor.generation
        try:
            events = self._cursor.read_new()
        except RecordError as error:
            return self._end("failed", sentence=str(error))
        if self._cursor.generation != generation:
            return self._end("failed", sentence="The run's log was replaced by a resumed run. Open the run again.")
        for event in events:
            self._last = event
            self._tell(event)
        if ended:
            try:
                self._cursor.read_new()  # which raises where damage follows what has just been read
                check_settings(self.directory)
                check_end(self.directory)
            except RecordError as error:
                return self._end("failed", sentence=str(error))
            return self._end("finished" if isinstance(self._last, Finished) else "closed")
        return self.status != "closed"

    def _end(self, status: str, sentence: str = "") -> bool:
        self.status = status
        self._tell(StatusChanged(status, sentence))
        return False

    def _tell(self, entry: Entry) -> None:
        for callback in tuple(self._subscribers):
            callback(entry)


def _follow(owner: weakref.ref[Follower]) -> None:
    while (follower := owner()) is not None and follower._look():
        del follower
        time.sleep(INTERVAL)
