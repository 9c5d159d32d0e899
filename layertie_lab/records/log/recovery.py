"""Taking a run up again: what the log holds after a checkpoint, and putting a recomputed tail in its place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import RecordError, TieError
from ...core.events import DecisionFinished, Event, parse
from ...core.tables import Tabulator
from ..directory import RunDirectory
from ..io.disk import discard, replace, sync_directory, temporary_beside, write_atomically, writing
from ..io.lines import intact

_BLOCK = 1 << 20


def read_tail(directory: RunDirectory, offset: int) -> list[Event]:
    """The whole events after a checkpoint; a torn last line does not count.

    Args:
        directory: The run.
        offset: Where to begin, in bytes: the log's position when the checkpoint was made.

    Raises:
        RecordError: The log is shorter than that, `offset` is not the start of a line, or a line is damaged.
    """
    lines = _tail_bytes(directory.events, offset).splitlines(keepends=True)
    events: list[Event] = []
    for number, line in enumerate(lines):
        try:
            events.append(parse(line))
        except RecordError:
            before = _bytes_before(directory.events, offset).count(b"\n")
            raise damaged_line(directory.events, before + number + 1) from None
    return events


def replace_tail(path: Path, offset: int, new: bytes) -> bool:
    """Make a log end in these lines from byte `offset` on.

    What is already there is not written again: equal tails leave the file alone, and a longer one is appended to.
    Only a tail that differs is put in place by writing a new file and renaming it, so that readers and crashes see the
    old log or the new one. No writer may be open on the log meanwhile.

    Returns:
        Whether the file was replaced.

    Raises:
        RecordError: As in `read_tail`, except that damaged lines are simply replaced.
        StorageError: It cannot be written; the old log is intact.
    """
    old = _tail_bytes(path, offset)
    if new.startswith(old):
        with writing(path), open(path, "ab", buffering=0) as file:
            file.truncate(offset + len(old))
            try:
                rest = memoryview(new)[len(old) :]
                while rest:
                    rest = rest[file.write(rest) or 0 :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(offset + len(old))
                raise
        return False
    temporary = temporary_beside(path)
    with writing(path):
        try:
            with open(path, "rb") as source, open(temporary, "xb") as target:
                left = offset
                while left and (block := source.read(min(_BLOCK, left))):
                    target.write(block)
                    left -= len(block)
                target.write(new)
                target.flush()
                os.fsync(target.fileno())
            replace(temporary, path)
            sync_directory(path.parent)
        finally:
            discard(temporary)
    return True


@dataclass(frozen=True)
class Repaired:
    """What `repair` cut off.

    Args:
        copy: The whole damaged log, kept beside it (`events.jsonl.damaged-N`).
        line: Number of its first damaged line, counted from 1.
        lost: How many lines were cut off: that one and what came after it.
        decisions: The last decision whose outcome is left.
        before: The last one whose outcome can be read in the damaged log.
    """

    copy: Path
    line: int
    lost: int
    decisions: int
    before: int


def repair(path: str | Path) -> Repaired | None:
    """Cut a run's damaged log before its first damaged line, keeping the whole old file beside it.

    Args:
        path: The run's folder.

    Returns:
        What was cut off, or None where no line was damaged.

    Raises:
        RecordError: Not a run, someone is writing it, or nothing is left before the damage.
        StorageError: It cannot be written; the old log is intact.
    """
    directory = RunDirectory.open(path)
    directory.lock()
    try:
        return _repair(directory.events)
    finally:
        directory.unlock()


def _repair(path: Path) -> Repaired | None:
    lines = _lines(path)
    line = _first_damaged(lines)
    if line is None:
        return None
    cut = line - 1
    if not cut:
        raise RecordError(
            f"Expected an intact line to keep, but the first line of {path} is damaged already.",
            "Restore the log from a copy; nothing was changed.",
        )
    number = 1
    while (copy := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    try:
        os.link(path, copy)
    except OSError:  # a file system without links
        write_atomically(copy, path.read_bytes())
    replace_tail(path, sum(len(each) + 1 for each in lines[:cut]), b"")
    return Repaired(copy, line, len(lines) - cut, _decisions(lines[:cut]), _decisions(lines))


def first_damage(path: Path) -> int | None:
    """Number of a log's first damaged line, counted from 1, or None. All of it is read: about a second for 30 MB.

    Args:
        path: The log, which may be growing; a torn last line does not count.

    Raises:
        RecordError: It cannot be read.
    """
    try:
        return _first_damaged(_lines(path))
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({error.strerror}).", "Make the file readable.") from error


def rows_of(tabulator: Tabulator, event: Event) -> list[tuple[str, dict[str, Any]]] | None:
    """An event's rows, by table; None where it does not follow from the events before it."""
    try:
        return list(tabulator.rows(event))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, TieError):
        return None


def _lines(path: Path) -> list[bytes]:
    return _tail_bytes(path, 0).split(b"\n")[:-1]


def _first_damaged(lines: list[bytes]) -> int | None:
    """Number of the first line that is no event, or does not follow from those before it."""
    tabulator = Tabulator()
    for number, line in enumerate(lines, start=1):
        event = _event(line)
        if event is None or rows_of(tabulator, event) is None:
            return number
    return None


def _decisions(lines: list[bytes]) -> int:
    """The last decision with an outcome, as far as the lines can be read."""
    events = map(_event, lines)
    return max((event.decision for event in events if isinstance(event, DecisionFinished)), default=0)


def _event(line: bytes) -> Event | None:
    """The event of a line; None where it is damaged."""
    try:
        return parse(line)
    except RecordError:
        return None


def damaged_line(path: Path, number: int) -> RecordError:
    """The error that names a damaged line."""
    return RecordError(
        f"Expected an event in line {number} of {path}, but the line is damaged; those before it are intact.",
        f"layertie repair {path.parent} keeps a copy of the log and cuts it there, so that the run can be shown and "
        f'resumed; load_run(path, damaged="keep") reads the lines before it.',
    )


def _bytes_before(path: Path, offset: int) -> bytes:
    _tail_bytes(path, offset)  # refuses an offset that is no place between two lines
    if offset == 0:
        return b""
    with open(path, "rb") as file:
        return file.read(offset)


def _tail_bytes(path: Path, offset: int) -> bytes:
    """The whole lines after `offset`."""
    end = intact(path).offset
    if offset > end:
        raise RecordError(
            f"Expected at least {offset:,} bytes in {path}, but it holds {end:,} of whole lines.",
            "Resume from an earlier checkpoint.",
        )
    if end == 0:
        return b""
    with open(path, "rb") as file:
        if offset:
            file.seek(offset - 1)
            if file.read(1) != b"\n":
                raise RecordError(
                    f"Expected a line to begin at byte {offset:,} of {path}, but it is inside one.",
                    f"The log was changed since: layertie repair {path.parent} cuts it before its first damaged line "
                    "and keeps a copy, after which the run can be resumed.",
                )
        return file.read(end - offset)
