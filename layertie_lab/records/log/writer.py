"""The writing end of a run: events and telemetry, appended and flushed."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...core.errors import RecordError, StorageError
from ...core.events import Event
from ...core.notices import Closed, Notice
from ..directory import RunDirectory
from ..io.chain import Chain
from ..io.disk import writing
from ..io.lines import LineFile, Position, line_before
from .recovery import read_tail, replace_tail, telemetry_chain


class EventWriter:
    """Appends to a run's `events.jsonl` and `telemetry.jsonl`, as its one writer.

    Nothing is on disk before `flush`; after it, a kill of the process (kill -9 too) loses nothing. `sync` (at a
    checkpoint) and `close` also wait for the disk, so that a power failure costs at most what came after the last
    checkpoint. A failed write leaves both files valid and keeps the lines; the next flush writes them.

    Args:
        directory: The run. Its lock is taken if it is not held yet.

    Raises:
        RecordError: Someone else is writing the run.
        StorageError: The folder cannot be written.
    """

    def __init__(self, directory: RunDirectory) -> None:
        directory.lock()
        self.directory = directory
        self._events = LineFile(directory.events)
        try:
            self._telemetry = LineFile(directory.telemetry)
            self._chain = self._chain_at(directory.events, self._events.position.offset)
            self._telemetry_chain = telemetry_chain(directory, self._telemetry.position.offset)
        except BaseException:
            self._events.abandon()
            raise
        self._rewound: Position | None = None
        self._held: list[bytes] = []

    @property
    def position(self) -> Position:
        """The log's end after everything appended, as (offset in bytes, lines). After `flush` the file ends there."""
        if self._rewound is None:
            return self._events.position
        offset, lines = self._rewound
        return Position(offset + sum(map(len, self._held)), lines + len(self._held))

    @property
    def digest(self) -> str | None:
        """What the last line that was appended carries; None in logs without digests."""
        return self._chain.previous if self._chain.carries else None

    @property
    def rewound(self) -> bool:
        """Whether events are held back, between `rewind` and `settle`. Make no checkpoint meanwhile."""
        return self._rewound is not None

    @property
    def is_within(self) -> bool:
        """Whether what was appended stands in the log; while one is repeated, whether it has come out the same so far.

        Such a position is a place to go on from, also if the repetition ends here.
        """
        if self._rewound is None:
            return True
        held = b"".join(self._held)
        with suppress(OSError), open(self.directory.events, "rb") as file:
            file.seek(self._rewound.offset)
            return file.read(len(held)) == held
        return False

    def append(self, event: Event) -> None:
        """Take an event; `flush` writes it.

        Raises:
            RecordError: A number in it is not finite.
        """
        try:
            line = event.to_json().encode()
        except ValueError:
            bad = {name: value for name, value in event.to_dict().items() if not _finite(value)}
            raise RecordError(
                f"Expected finite numbers in a {event.event} event, but got {bad}.",
                "The run has diverged: lower the learning rate, or resume from an earlier checkpoint.",
            ) from None
        line = self._chain.sealed(line) + b"\n"
        if self._rewound is None:
            self._events.append(line)
        else:
            self._held.append(line)

    def write(self, event: Event) -> None:
        """Append an event and flush; if the disk refuses, the event is as if it had never been given.

        Raises:
            StorageError: The disk refuses. Events appended before are kept for the next flush.
            RecordError: As in `append` and `flush`.
        """
        self.flush()
        before = self._chain.previous
        self.append(event)
        try:
            self._events.flush()
        except StorageError:
            self._events.retract()
            self._chain.previous = before
            raise

    def telemetry(self, notice: Notice) -> None:
        """Take a fact about times or the machine; `flush` writes it. Numbers that are not finite become null."""
        entry = {name: value if _finite(value) else None for name, value in notice.to_dict().items()}
        line = self._telemetry_chain.sealed(json.dumps(entry, separators=(",", ":")).encode())
        self._telemetry.append(line + b"\n")

    def flush(self) -> None:
        """Hand everything appended to the operating system (events held back by `rewind` stay in memory).

        Raises:
            StorageError: The disk refuses; nothing is lost, and the next flush tries again.
            RecordError: This process no longer holds the run's lock (it was forked off, or the writer is closed).
        """
        self.directory.check_locked()
        self._events.flush()
        self._telemetry.flush()

    def sync(self) -> None:
        """`flush`, then wait for the disk. Call it before a checkpoint that refers to `position`.

        Raises:
            StorageError, RecordError: As in `flush`.
        """
        self.directory.check_locked()
        self._events.sync()
        self._telemetry.flush()

    def rewind(self, offset: int) -> list[Event]:
        """Go back to a checkpoint's position to compute again what follows.

        The log keeps its tail on disk. Events appended from now on are held back until `settle`.

        Args:
            offset: The checkpoint's position in bytes.

        Returns:
            The whole events of the tail.

        Raises:
            RecordError: The log is shorter, or its tail is damaged.
        """
        self.flush()
        tail = read_tail(self.directory, offset)
        self._rewound = Position(offset, self._events.position.lines - len(tail))
        self._held = []
        # A log without digests goes on without them, also where all of it is computed again.
        carries = self._chain.carries
        self._chain = self._chain_at(self.directory.events, offset)
        self._chain.carries = carries
        return tail

    def settle(self) -> bool:
        """End a `rewind`: the log now ends in what was appended since.

        An equal tail is left alone, missing lines are appended, and a different tail is replaced in one step.

        Returns:
            Whether the file was replaced (live readers start over).

        Raises:
            StorageError: It cannot be written; the old log is intact and the events are still held.
        """
        if self._rewound is None:
            return False
        self.directory.check_locked()
        try:
            self._events.close()
            replaced = replace_tail(self.directory.events, self._rewound.offset, b"".join(self._held))
        finally:
            self._events = LineFile(self.directory.events)
        self._rewound, self._held = None, []
        return replaced

    @staticmethod
    def _chain_at(path: Path, offset: int) -> Chain:
        """To go on with a file after its first so many bytes, which end a line."""
        with writing(path):
            return Chain.after(line_before(path, offset))

    def close(self, reason: str | None = None) -> None:
        """Write what is left, wait for the disk, and release the run's lock. Harmless when closed.

        Args:
            reason: Why the run ends here; recorded as telemetry "closed".

        Raises:
            StorageError: Something could not be written; the lock is released nevertheless.
        """
        if self._events.closed or not self.directory.locked:
            return
        if reason is not None:
            self.telemetry(Closed(reason))
        try:
            self._events.close()
            self._telemetry.close()
        finally:
            self._telemetry.abandon()
            self.directory.unlock()


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_finite, value))
    return True
