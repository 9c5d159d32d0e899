"""The child's way out: entries are queued, batched by time and sent by a thread, so that training never waits."""

from __future__ import annotations

import io
import threading
from typing import Any

from ...core.events import Stepped
from ...core.notices import Dropped, Entry, Proposed
from .channel import Answer, Batch, Heartbeat, Progress, dumps, pack_error, write_frame

INTERVAL = 0.05
"""Seconds between batches; answers go at once."""
MOST_STEPS = 2_000
"""`stepped` events, and other entries that the next one makes old, queued before they are left out."""
MOST_ENTRIES = 20_000
"""Other entries queued before the older half of them is left out."""


def _droppable(entry: Any) -> bool:
    return isinstance(entry, Stepped | Progress | Proposed)


class Outbox:
    """A bounded queue with a sender thread.

    Args:
        stream: The pipe to the parent.
        most_steps: See `MOST_STEPS`.
        most_entries: See `MOST_ENTRIES`.

    If the parent does not read, the pipe fills and the sender waits, alone. The queue then sheds `stepped` events and,
    far later, the oldest other entries; never an answer. What was shed is counted: the run directory has it all.
    """

    def __init__(self, stream: io.RawIOBase, *, most_steps: int = MOST_STEPS, most_entries: int = MOST_ENTRIES) -> None:
        self._stream = stream
        self._most_steps, self._most_entries = most_steps, most_entries
        self._changed = threading.Condition()
        self._entries: list[Any] = []
        self._heartbeat: Heartbeat | None = None
        self._urgent = self._closed = self._broken = False
        self._loose = 0
        self._told_dropped = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._send_all, name="layertie outbox", daemon=True)
        self._thread.start()

    def tell(self, entry: Entry | Progress, *, at_once: bool = False) -> None:
        """Queue an event, a notice or a progress, to be sent with the next batch or at once. Does not wait."""
        with self._changed:
            if self._broken:
                return
            if not self._entries:
                self._changed.notify()
            self._entries.append(entry)
            self._loose += _droppable(entry)
            if self._loose > self._most_steps or len(self._entries) > self._most_steps + self._most_entries:
                self._shed()
            if at_once:
                self._urgent = True
                self._changed.notify()

    def reply(self, number: int, value: Any) -> None:
        """Answer a request. The value is packed here, in the caller's thread, before it can change.

        Raises:
            Exception: The value cannot be pickled.
        """
        self._answer(Answer(number, dumps(value)))

    def refuse(self, number: int, error: Exception) -> None:
        """Answer a request with an error."""
        self._answer(Answer(number, pack_error(error), good=False))

    def beat(self, heartbeat: Heartbeat) -> None:
        """Send a sign of life; only the latest is kept."""
        with self._changed:
            self._heartbeat = heartbeat
            self._changed.notify()

    def close(self, timeout: float = 2.0) -> None:
        """Send what is queued, then end; give up after `timeout` seconds."""
        with self._changed:
            self._closed = self._urgent = True
            self._changed.notify()
        self._thread.join(timeout)

    def _answer(self, answer: Answer) -> None:
        with self._changed:
            if not self._broken:
                self._entries.append(answer)
        self._hurry()

    def _hurry(self) -> None:
        with self._changed:
            self._urgent = True
            self._changed.notify()

    def _shed(self) -> None:
        before = len(self._entries)
        self._entries, self._loose = [entry for entry in self._entries if not _droppable(entry)], 0
        if len(self._entries) > self._most_entries:
            half = len(self._entries) // 2
            answers = [entry for entry in self._entries[:half] if isinstance(entry, Answer)]
            self._entries = answers + self._entries[half:]
        self.dropped += before - len(self._entries)

    def _take(self) -> Batch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._entries or self._heartbeat or self._closed)
            self._changed.wait_for(lambda: self._urgent, timeout=INTERVAL)
            if not self._entries and self._heartbeat is None:
                return None
            if self.dropped > self._told_dropped:
                self._told_dropped = self.dropped
                self._entries.append(Dropped(self.dropped))
            batch = Batch(tuple(self._entries), self._heartbeat)
            self._entries, self._loose, self._heartbeat, self._urgent = [], 0, None, self._closed
            return batch

    def _send_all(self) -> None:
        try:
            while (batch := self._take()) is not None:
                write_frame(self._stream, batch)
        except OSError:
            # The parent is gone: nobody reads any more, and a kept run goes on without saying so.
            with self._changed:
                self._broken, self._entries = True, []
