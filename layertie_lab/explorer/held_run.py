"""What a desk holds of the run that it shows, apart from the desk, so that it can be let go when the desk is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.events import Event
from ..records.log.cursor import EventCursor
from ..records.log.follower import Follower
from ..workers.pool import Handle

if TYPE_CHECKING:  # an audit imports torch
    from ..analysis.audit.run_audit import Audit


class Hold:
    """The run on the page: its folder, where its events come from while it goes on, and its audit as it is shown."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.source: Handle | Follower | None = None
        self.audit: Audit | None = None

    @property
    def is_still(self) -> bool:
        """Whether there is a run that nobody trains any more, as far as is known here."""
        if isinstance(self.source, Handle):
            return not self.source.worker.alive
        return self.path is not None and (self.source is None or self.source.status != "running")

    def let_go(self, grace: float = 0.0) -> None:
        """Give the worker back, which is then saved and ended after `grace` seconds (unless it is kept)."""
        source, self.source = self.source, None
        if isinstance(source, Handle):
            source.release(grace)
        elif source is not None:
            source.close()


class Tables:
    """Hands the rows of one run to several widgets, until it is closed."""

    def __init__(self, *takers: Any) -> None:
        self._takers, self._lock, self._open = takers, threading.Lock(), True

    def push(self, rows: Mapping[str, Iterable[Any]]) -> None:
        """Append rows, by table."""
        with self._lock:
            for taker in self._takers if self._open else ():
                taker.push(rows)

    def reset(self, rows: Mapping[str, Iterable[Any]] | None = None) -> None:
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
