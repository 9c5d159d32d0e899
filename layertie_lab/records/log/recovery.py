"""Taking a run up again: what the log holds after a checkpoint, and putting a recomputed tail in its place."""

from __future__ import annotations

import os
from pathlib import Path

from ...core.errors import RecordError
from ...core.events import Event, parse
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


def repair(path: str | Path) -> Path | None:
    """Cut a run's damaged log before its first damaged line, keeping the whole old file beside it.

    Args:
        path: The run's folder.

    Returns:
        The copy of the damaged log (`events.jsonl.damaged-N`), or None where no line was damaged.

    Raises:
        RecordError: Not a run, or someone is writing it.
        StorageError: It cannot be written; the old log is intact.
    """
    directory = RunDirectory.open(path)
    directory.lock()
    try:
        return _repair(directory.events)
    finally:
        directory.unlock()


def _repair(path: Path) -> Path | None:
    offset = 0
    data = _tail_bytes(path, 0)
    for line in data.splitlines(keepends=True):
        try:
            parse(line)
        except RecordError:
            break
        offset += len(line)
    else:
        return None
    number = 1
    while (copy := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    try:
        os.link(path, copy)
    except OSError:  # a file system without links
        write_atomically(copy, path.read_bytes())
    replace_tail(path, offset, b"")
    return copy


def damaged_line(path: Path, number: int) -> RecordError:
    """The error that names a damaged line."""
    return RecordError(
        f"Expected an event in line {number} of {path}, but the line is damaged; those before it are intact.",
        'load_run(path, damaged="keep") reads those; layertie_lab.records.log.recovery.repair(path) copies it and cuts '
        "the log there, so that the run can be resumed.",
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
                    "The log was changed since: layertie_lab.records.log.recovery.repair(path) cuts "
                    "it before its first damaged line and keeps a copy, after which the run can be resumed.",
                )
        return file.read(end - offset)
