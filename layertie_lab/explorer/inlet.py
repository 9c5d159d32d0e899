"""Where a source's entries wait for the thread that takes them in batches."""

from __future__ import annotations

import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

FLUSH_SECONDS = 0.08
"""Least time between two batches."""

_END = object()


class Inlet:
    """A queue that knows nobody: a source may hold it for ever, and it holds neither source nor feed."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._closed = False

    def put(self, entry: Any) -> None:
        """Queue an entry, from any thread. Dropped after `close`."""
        if not self._closed:
            self._queue.put(entry)

    def close(self) -> None:
        """End the draining thread."""
        self._closed = True
        self._queue.put(_END)

    def drain(self, take: weakref.WeakMethod[Callable[[list[Any]], None]]) -> None:
        """Start a thread that hands batches to `take` as long as that lives."""
        threading.Thread(target=_drain, args=(self._queue, take), name="layertie feed", daemon=True).start()


def _drain(entries: queue.SimpleQueue[Any], take: weakref.WeakMethod[Callable[[list[Any]], None]]) -> None:
    taken = float("-inf")
    while True:
        batch = [entries.get()]
        # An entry after a quiet time is shown at once; in a stream, entries wait for each other.
        time.sleep(max(0.0, taken + FLUSH_SECONDS - time.monotonic()))
        while not entries.empty():
            batch.append(entries.get())
        ends = _END in batch
        receiver = take()
        if receiver is None or ends:
            return
        taken = time.monotonic()
        receiver(batch)
        del receiver, batch
