"""Whether a log has lost its end: beside it, its telemetry says how far it had come."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ...core.notices import CheckpointSaved, LogCut, Timing
from ...core.plain import parse_object
from ..directory import RunDirectory
from ..io.lines import lines_from_end, whole_size


class Reached(NamedTuple):
    """How far a log had come, by its telemetry.

    Args:
        decisions: Decisions that were made.
        size: Bytes that it held, of whole lines.
    """

    decisions: int = 0
    size: int = 0


def reached(directory: RunDirectory) -> Reached:
    """How far a run's log must have come; nothing where its telemetry is gone.

    A log is written before its telemetry, and so it is never behind it of its own accord. Ask before the log is read.
    A fixed amount is read, from the end.

    Raises:
        RecordError: The telemetry cannot be read.
    """
    decisions = 0
    for line in lines_from_end(directory.telemetry):
        try:
            entry = parse_object(line)
        except ValueError:
            continue  # which `Run.notes` names
        kind = entry.get("kind")
        if kind == LogCut.kind:
            break
        if kind == Timing.kind:
            decisions = max(decisions, _whole(entry, "decision"))
        elif kind == CheckpointSaved.kind:
            return Reached(decisions, _whole(entry, "offset"))
    return Reached(decisions)


def shortfall(log: Path, had: Reached, decisions: int) -> str:
    """What a log lacks that it had, as a sentence; "" where it lacks nothing.

    Args:
        log: The file.
        had: What it had.
        decisions: Decisions with an outcome that it holds.
    """
    try:
        size = whole_size(log)
    except OSError:
        size = 0
    if had.decisions > decisions:
        held, had_been = f"{decisions} decisions", f"{had.decisions}"
    elif had.size > size:
        held, had_been = f"{size:,} bytes", f"{had.size:,}"
    else:
        return ""
    return f"The log {log} holds {held}, but by its telemetry it held {had_been}: its end is missing."


def _whole(entry: dict[str, Any], name: str) -> int:
    value = entry.get(name)
    return value if type(value) is int else 0
