"""An append-only file of lines that stays valid whatever happens during a write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from ...core.errors import RecordError
from .disk import storage_error, writing

_THEN = "then go on, or resume the run: what was recorded so far is safe"


class Position(NamedTuple):
    """A place between two lines of a file.

    Args:
        offset: Bytes before it.
        lines: Lines before it.
    """

    offset: int
    lines: int


def intact(path: Path) -> Position:
    """The end of the last complete line; the start where there is no file."""
    offset = lines = seen = 0
    try:
        with open(path, "rb", buffering=0) as file:
            while block := file.read(1 << 20):
                if (last := block.rfind(b"\n")) >= 0:
                    offset = seen + last + 1
                    lines += block.count(b"\n")
                seen += len(block)
    except FileNotFoundError:
        pass
    return Position(offset, lines)


class LineFile:
    """The writing end. A torn last line, left by a crash, is cut off when the file is opened.

    `flush` hands lines to the operating system: from then on a kill of the process loses nothing. `sync` also waits for
    the disk, against power failures.

    Args:
        path: The file; made when missing.

    Raises:
        StorageError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._buffer: list[bytes] = []
        self._buffered = 0
        with writing(path, _THEN):
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - open as long as the object
            try:
                self._offset, self._lines = intact(path)
                self._cut()
            except BaseException:
                self._file.close()
                raise

    @property
    def position(self) -> Position:
        """The end of everything appended, flushed or not."""
        return Position(self._offset + self._buffered, self._lines + len(self._buffer))

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._file.closed

    def append(self, line: bytes) -> None:
        """Take one line, with its newline. Nothing is written before `flush`."""
        self._buffer.append(line)
        self._buffered += len(line)

    def retract(self) -> None:
        """Take back the last line, if it has not been written; harmless when nothing is buffered."""
        if self._buffer:
            self._buffered -= len(self._buffer.pop())

    def flush(self) -> None:
        """Hand the appended lines to the operating system.

        Raises:
            StorageError: The disk refuses. The file ends with a whole line, what could not be written is kept, and the
                next `flush` goes on there.
        """
        if not self._buffer:
            return
        if self._file.closed:
            raise RecordError(f"Expected an open log, but {self.path} is closed.", "Resume the run to go on writing.")
        data = memoryview(b"".join(self._buffer))
        written = 0
        try:
            self._cut()
            while written < len(data):
                written += self._file.write(data[written:]) or 0
        except OSError as error:
            raise storage_error(self.path, error, _THEN) from error
        finally:
            # Ask the file, not the loop: an interrupt may fall between a write and its count.
            self._account(os.fstat(self._file.fileno()).st_size - self._offset)

    def sync(self) -> None:
        """`flush`, then wait until the disk has it.

        Raises:
            StorageError: As in `flush`.
        """
        self.flush()
        with writing(self.path, _THEN):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """`sync` and close; harmless when closed.

        Raises:
            StorageError: As in `flush`; the file is closed nevertheless.
        """
        if self._file.closed:
            return
        try:
            self.sync()
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Close without writing what is buffered."""
        self._buffer, self._buffered = [], 0
        self._file.close()

    def _account(self, written: int) -> None:
        """Drop the first `written` bytes from the buffer as far as they are whole lines."""
        if written >= self._buffered:
            self._offset += self._buffered
            self._lines += len(self._buffer)
            self._buffer, self._buffered = [], 0
            return
        done = 0
        while done < len(self._buffer) and len(self._buffer[done]) <= written:
            written -= len(self._buffer[done])
            self._offset += len(self._buffer[done])
            done += 1
        self._lines += done
        del self._buffer[:done]
        self._buffered = sum(map(len, self._buffer))
        try:
            self._cut()
        except OSError:
            return  # the next flush cuts first; until then readers take the rest for a line under way

    def _cut(self) -> None:
        """Cut off what follows the last whole line."""
        if os.fstat(self._file.fileno()).st_size > self._offset:
            self._file.truncate(self._offset)
