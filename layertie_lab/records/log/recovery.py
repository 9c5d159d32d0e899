"""Taking a run up again: what the log holds after a checkpoint, and putting a recomputed tail in its place."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import RecordError, TieError
from ...core.events import DecisionFinished, Event, Opened, parse
from ...core.notices import LogCut, Notice
from ...core.tables import Tabulator
from ..directory import RunDirectory
from ..io.chain import Chain
from ..io.disk import discard, replace, sync_directory, temporary_beside, write_atomically, writing
from ..io.lines import LineFile, intact, line_before
from ..io.regular import open_regular, read_regular
from .completeness import Reached, reached, shortfall

_BLOCK = 1 << 20


def read_tail(directory: RunDirectory, offset: int) -> list[Event]:
    """The whole events after a checkpoint; a torn last line does not count.

    Args:
        directory: The run.
        offset: Where to begin, in bytes: the log's position when the checkpoint was made.

    Raises:
        RecordError: The log is shorter than that, `offset` is not the start of a line, or a line is damaged.
    """
    path = directory.events
    lines = _tail_bytes(path, offset).split(b"\n")[:-1]
    with _reading(path):
        chain = Chain.after(line_before(path, offset))
    events: list[Event] = []
    for number, line in enumerate(lines):
        event = _event(line) if chain.follows(line) else None
        if event is None:
            raise damaged_line(path, _bytes_before(path, offset).count(b"\n") + number + 1)
        events.append(event)
    return events


def check_settings(directory: RunDirectory) -> None:
    """Refuse a log that was begun with other settings than lie beside it. One line is read.

    Raises:
        RecordError: It was, or it cannot be read.
    """
    path = directory.events
    try:
        with _reading(path), open_regular(path, buffering=-1) as file:
            event = _event(file.readline())
    except FileNotFoundError:
        return
    if isinstance(event, Opened) and event.config_hash != directory.config.hash:
        raise RecordError(
            f"Expected a log of config {directory.config.hash}, but {path} was begun with {event.config_hash}.",
            "config.json was edited after the run began, or the log is another run's: restore it from a copy.",
        )


def check_end(directory: RunDirectory) -> None:
    """Refuse a log that has lost its end.

    Raises:
        RecordError: It has.
    """
    had = reached(directory)
    if had == Reached():
        return
    mark = f'{{"event":"{DecisionFinished.event}"'.encode()
    last = next((line for line in reversed(_lines(directory.events)) if line.startswith(mark)), b"")
    event = _event(last)
    if lost := shortfall(directory.events, had, 0 if event is None else event.decision):
        raise short_log(directory, lost)


def short_log(directory: RunDirectory, lost: str) -> RecordError:
    """The error about a log that has lost its end.

    Args:
        directory: The run.
        lost: What it lacks (`completeness.shortfall`).
    """
    return RecordError(
        lost,
        f"Restore it from a copy; or layertie repair {directory.path}, after which the run counts as one that came so "
        "far, and can be resumed from there.",
    )


def check_before(path: Path, offset: int, digest: str | None) -> None:
    """Refuse a log that is not, up to a checkpoint, the one that the checkpoint rests on.

    Args:
        path: The log.
        offset: Its length when the checkpoint was made, bytes.
        digest: What its last line carried then; None where that is not known.

    Raises:
        RecordError: It is damaged before that, or another log.
    """
    lines = _bytes_before(path, offset).split(b"\n")[:-1]
    # A line that carries a digest and follows the one before is as it was written: it need not be read.
    chain = Chain()
    whole = all(map(chain.follows, lines))
    if not (whole and chain.carries) and (line := _first_damaged(lines)) is not None:
        raise damaged_line(path, line)
    if digest is not None and lines and digest != chain.previous:
        raise RecordError(
            f"Expected the log that the checkpoint rests on, but {path} is another one up to there.",
            "The log and the checkpoint belong to different runs: restore them together from a copy.",
        )


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
        copy: The whole damaged log, kept beside it (`events.jsonl.damaged-N`); None where nothing was cut off, for it
            lacked its end alone.
        line: Number of its first damaged line, counted from 1; of the first that is missing, where none is damaged.
        lost: How many lines were cut off: that one and what came after it.
        decisions: The last decision whose outcome is left.
        before: The last one whose outcome can be read in the damaged log.
    """

    copy: Path | None
    line: int
    lost: int
    decisions: int
    before: int


def repair(path: str | Path) -> Repaired | None:
    """Cut a run's damaged log before its first damaged line, keeping the whole old file beside it.

    The run's telemetry notes it, so that the log counts as whole from then on; one that lacks its end, and whose lines
    are whole, is left as it is, and noted.

    Args:
        path: The run's folder.

    Returns:
        What was cut off, or None where no line was damaged or missing.

    Raises:
        RecordError: Not a run, someone is writing it, or nothing is left before the damage.
        StorageError: It cannot be written; the old log is intact.
    """
    directory = RunDirectory.open(path)
    directory.lock()
    try:
        had = reached(directory)
        found = _repair(directory.events) or _short(directory.events, had)
        if found is not None:
            said = f"The log was cut before line {found.line}: {found.lost} lines were left out."
            _note(directory, LogCut(found.decisions, said))
        return found
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
        write_atomically(copy, read_regular(path))
    replace_tail(path, sum(len(each) + 1 for each in lines[:cut]), b"")
    return Repaired(copy, line, len(lines) - cut, _decisions(lines[:cut]), _decisions(lines))


def _short(path: Path, had: Reached) -> Repaired | None:
    """What is missing of a log whose lines are whole; None where nothing is."""
    lines = _lines(path)
    decisions = _decisions(lines)
    if not shortfall(path, had, decisions):
        return None
    return Repaired(None, len(lines) + 1, 0, decisions, max(decisions, had.decisions))


def _note(directory: RunDirectory, notice: Notice) -> None:
    """Put a notice at the end of a run's telemetry."""
    file = LineFile(directory.telemetry)
    try:
        chain = telemetry_chain(directory, file.position.offset)
        file.append(chain.sealed(json.dumps(notice.to_dict(), separators=(",", ":")).encode()) + b"\n")
    finally:
        file.close()


def telemetry_chain(directory: RunDirectory, offset: int = 0) -> Chain:
    """The chain of a run's telemetry, to go on with it after its first so many bytes.

    It starts from the settings' digest: the telemetry of a run with others does not pass for this one's.

    Raises:
        StorageError: It cannot be read.
    """
    with writing(directory.telemetry):
        return Chain.after(line_before(directory.telemetry, offset), directory.config.hash)


def first_damage(path: Path) -> int | None:
    """Number of a log's first damaged line, counted from 1, or None. All of it is read: about a second for 30 MB.

    Args:
        path: The log, which may be growing; a torn last line does not count.

    Raises:
        RecordError: It cannot be read.
    """
    return _first_damaged(_lines(path))


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
    tabulator, chain = Tabulator(), Chain()
    for number, line in enumerate(lines, start=1):
        event = _event(line) if chain.follows(line) else None
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
        f"Expected an event in line {number} of {path}, but the line is damaged or does not follow the one before it; "
        "those before it are intact.",
        f"layertie repair {path.parent} keeps a copy of the log and cuts it there, so that the run can be shown and "
        f'resumed; load_run(path, damaged="keep") reads the lines before it.',
    )


def _bytes_before(path: Path, offset: int) -> bytes:
    _tail_bytes(path, offset)  # refuses an offset that is no place between two lines
    if offset == 0:
        return b""
    with _reading(path), open_regular(path, buffering=-1) as file:
        return file.read(offset)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into one about a log that cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RecordError(
            f"Expected to read {path}, but the system says: {error.strerror}.", "Make it a file that can be read."
        ) from error


def _tail_bytes(path: Path, offset: int) -> bytes:
    """The whole lines after `offset`."""
    with _reading(path):
        end = intact(path).offset
    if offset > end:
        raise RecordError(
            f"Expected at least {offset:,} bytes in {path}, but it holds {end:,} of whole lines.",
            "Resume from an earlier checkpoint.",
        )
    if end == 0:
        return b""
    with _reading(path), open_regular(path, buffering=-1) as file:
        if offset:
            file.seek(offset - 1)
            if file.read(1) != b"\n":
                raise RecordError(
                    f"Expected a line to begin at byte {offset:,} of {path}, but it is inside one.",
                    f"The log was changed since: layertie repair {path.parent} cuts it before its first damaged line "
                    "and keeps a copy, after which the run can be resumed.",
                )
        return file.read(end - offset)
