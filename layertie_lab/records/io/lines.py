"""An append-only file of lines that stays valid whatever happens during a write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...core.errors import RecordError
from .disk import storage_error, writing
from .regular import open_regular

_BLOCK = 1 << 16
_LAST = 1 << 20
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
        with open_regular(path) as file:
            while block := file.read(1 << 20):
                if (last := block.rfind(b"\n")) >= 0:
                    offset = seen + last + 1
                    lines += block.count(b"\n")
                seen += len(block)
    except FileNotFoundError:
        pass
    return Position(offset, lines)


def line_before(path: Path, offset: int) -> bytes | None:
    """The line that ends at `offset`, without its newline; None at the start of a file.

    Raises:
        OSError: It cannot be read.
    """
    if not offset:
        return None
    with open_regular(path) as file:
        found, end = b"", offset - 1
        while end > 0 and b"\n" not in found:
            start = max(0, end - (1 << 16))
            file.seek(start)
            found = file.read(end - start) + found
            end = start
    return found.rpartition(b"\n")[2]


def whole_size(path: Path) -> int:
    """Bytes up to the end of the last complete line; unlike `intact`, it reads no more than what follows that.

    Raises:
        OSError: It cannot be read.
    """
    with open_regular(path) as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - _BLOCK)
            file.seek(start)
            if (last := file.read(end - start).rfind(b"\n")) >= 0:
                return start + last + 1
            end = start
    return 0


def lines_from_end(path: Path) -> Iterator[bytes]:
    """A file's whole lines, last first, as far as `_LAST` bytes from the end; none where there is no file.

    Raises:
        RecordError: It cannot be read.
    """
    try:
        file = open_regular(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RecordError(
            f"Expected to read {path}, but the system says: {error.strerror}.", "Make it a file that can be read."
        ) from error
    with file:
        end = file.seek(0, os.SEEK_END)
        stop = max(0, end - _LAST)
        rest = b""
        torn = True
        while end > stop:
            start = max(stop, end - _BLOCK)
            file.seek(start)
            block = file.read(end - start) + rest
            end = start
            lines = block.split(b"\n")
            rest = lines[0]
            if torn and len(lines) > 1:
                lines.pop()  # what follows the last newline is a line under way
                torn = False
            yield from reversed(lines[1:])
        if end == 0 and not torn:
            yield rest


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
            # Before it is opened to be written, which would wait at a named pipe: what lies there is a file.
            self._offset, self._lines = intact(path)
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - open as long as the object
            try:
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
