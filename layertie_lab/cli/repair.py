"""`layertie repair`: a damaged log is copied and cut before its damage. No torch is loaded."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from ..records.directory import RunDirectory
from ..records.log.recovery import repair as cut_log
from . import arguments


def repair(command: arguments.Repair, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Repair a run's log, and say what is lost.

    Raises:
        RecordError: Not a run, or somebody is writing it.
        StorageError: It cannot be written; the log is as it was.
    """
    found = cut_log(command.run)
    if found is None:
        if not command.json:
            output.print(
                f"No line of the log of {command.run} is damaged; nothing was changed.", soft_wrap=True, markup=False
            )
        return {"damaged": False}, 0
    budget = RunDirectory.open(command.run).config.decisions
    gone = max(0, found.before - found.decisions)
    if found.copy is None and not command.json:
        output.print(
            f"No line is damaged, but the end of the log is missing, with what it held after decision "
            f"{found.decisions} (of {found.before}); the run now counts as one that came so far.",
            soft_wrap=True,
            markup=False,
        )
    elif not command.json:
        lines = "1 line is" if found.lost == 1 else f"{found.lost:,} lines are"
        outcomes = {0: "and no decision's outcome", 1: f"and the outcome of decision {found.before}"}
        several = f"and the outcomes of decisions {found.decisions + 1} to {found.before}"
        output.print(
            f"Line {found.line:,} was damaged: from there on {lines} cut off, {outcomes.get(gone, several)} with "
            f"{'it' if found.lost == 1 else 'them'}. The whole damaged log is kept: {found.copy}.",
            soft_wrap=True,
        )
    if not command.json:
        output.print(
            f"The run is at decision {found.decisions:,} of {budget:,}. Go on with: layertie resume {command.run}",
            soft_wrap=True,
        )
    return {
        "damaged": True,
        "line": found.line,
        "lines_lost": found.lost,
        "decisions": found.decisions,
        "decisions_before": found.before,
        "copy": None if found.copy is None else str(found.copy),
    }, 0
