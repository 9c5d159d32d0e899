"""Reading a log while it is written: each call reads only what is new."""

from __future__ import annotations

import os
from pathlib import Path

from ...core.errors import RecordError
from ...core.events import Event, parse
from ..directory import RunDirectory
from ..io.chain import Chain
from ..io.regular import open_regular
from .recovery import check_end, check_settings, damaged_line

_ANCHOR = 128
_BLOCK = 1 << 22


class LineCursor:
    """Gives a file's whole lines once each, in order.

    A torn last line is left until it is whole. When the file is replaced (a resumed run whose tail came out otherwise),
    `generation` grows and reading starts over.

    Args:
        path: The file; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        self.offset = 0
        self.line = 0
        self._identity: tuple[int, int] | None = None
        self._anchor = b""

    def read_lines(self, limit: int | None = None) -> list[bytes]:
        """The lines that became whole since the last call, without their newlines.

        Args:
            limit: Stop after about so many bytes (the next call goes on); None for all.

        Raises:
            RecordError: The file cannot be read.
        """
        try:
            with open_regular(self.path) as file:
                status = os.fstat(file.fileno())
                self._notice_replacement(file.fileno(), status)
                if status.st_size <= self.offset:
                    return []
                file.seek(self.offset)
                data = _read(file.fileno(), status.st_size - self.offset, limit)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RecordError(
                f"Expected to read {self.path}, but the system says: {error.strerror}.",
                "Make it a file that can be read.",
            ) from error
        whole = data.rfind(b"\n") + 1
        if not whole:
            return []
        lines = data[: whole - 1].split(b"\n")
        self.offset += whole
        self.line += len(lines)
        self._anchor = (self._anchor + data[:whole])[-_ANCHOR:]
        return lines

    def _notice_replacement(self, descriptor: int, status: os.stat_result) -> None:
        identity = (status.st_dev, status.st_ino)
        if self._identity is None:
            self._identity = identity
        # A file number is used again after two replacements, so the bytes before the place count too.
        if identity == self._identity and self._tail_is_ours(descriptor):
            return
        self._identity = identity
        self.generation += 1
        self.offset = self.line = 0
        self._anchor = b""

    def _tail_is_ours(self, descriptor: int) -> bool:
        if not self._anchor:
            return True
        os.lseek(descriptor, self.offset - len(self._anchor), os.SEEK_SET)
        return os.read(descriptor, len(self._anchor)) == self._anchor


class EventCursor:
    """Gives a run's events once each, in order, while the run goes on.

    The cost of a call follows the new bytes, not the file.

    Args:
        path: The run's folder, or its `events.jsonl`.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self._lines = LineCursor(path / "events.jsonl" if path.is_dir() else path)
        self._damage: RecordError | None = None
        self._generation = 0
        self._line = 0
        self._chain = Chain()

    @property
    def generation(self) -> int:
        """Grows when the log was replaced; the events that follow start from the first again."""
        return self._generation

    @property
    def line(self) -> int:
        """Events given in this generation."""
        return self._line

    @property
    def offset(self) -> int:
        """Bytes of the log that were read in this generation."""
        return self._lines.offset

    @property
    def carries_digests(self) -> bool | None:
        """Whether the log's lines carry a running digest, so that a change shows; None before the first line."""
        return self._chain.carries

    def read_new(self, limit: int | None = None) -> list[Event]:
        """The events since the last call.

        Where a damaged line follows, the intact events before it are returned first, and the next call raises.

        Args:
            limit: Stop after about so many bytes of the log; None for all.

        Raises:
            RecordError: A damaged line (named by its number), in this and every later call until the log is replaced;
                or the log cannot be read.
        """
        lines = self._lines.read_lines(limit)
        if self._lines.generation != self._generation:
            self._generation, self._line, self._damage = self._lines.generation, 0, None
            self._chain = Chain()
        if self._damage is not None:
            raise self._damage
        events: list[Event] = []
        for line in lines:
            try:
                if not self._chain.follows(line):
                    raise RecordError("Expected a line that follows the one before it, but its digest is another's.")
                events.append(parse(line))
            except RecordError:
                self._damage = damaged_line(self._lines.path, self._line + len(events) + 1)
                if not events:
                    raise self._damage from None
                break
        self._line += len(events)
        return events


def checked_lines(path: Path) -> list[bytes]:
    """All whole lines of a log, without their newlines, each of which follows the one before it.

    Raises:
        RecordError: One does not (in logs that carry digests), or the log cannot be read.
    """
    lines, chain = LineCursor(path).read_lines(), Chain()
    for number, line in enumerate(lines, start=1):
        if not chain.follows(line):
            raise damaged_line(path, number)
    return lines


def read_events(directory: RunDirectory, *kinds: type[Event]) -> list[Event]:
    """The events of a run's log, live or finished; of some kinds alone, where they are named: others are not parsed.

    Raises:
        RecordError: As in `checked_lines`, one of these lines is damaged, the log has lost its end, or was begun with
            other settings.
    """
    check_settings(directory)
    check_end(directory)
    path = directory.events
    marks = tuple(f'{{"event":"{kind.event}"'.encode() for kind in kinds)
    found: list[Event] = []
    for number, line in enumerate(checked_lines(path), start=1):
        if not marks or line.startswith(marks):
            try:
                found.append(parse(line))
            except RecordError:
                raise damaged_line(path, number) from None
    return found


def _read(descriptor: int, count: int, limit: int | None) -> bytes:
    """Up to `count` bytes, or up to `limit` and then on to the end of a line."""
    pieces: list[bytes] = []
    got = 0
    while got < count:
        piece = os.read(descriptor, min(_BLOCK, count - got if limit is None else max(1, min(limit, count - got))))
        if not piece:
            break
        pieces.append(piece)
        got += len(piece)
        if limit is not None and got >= limit and b"\n" in piece:
            break
    return b"".join(pieces)
