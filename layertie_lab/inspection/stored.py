"""Which moments of a run are stored; to know that loads no torch."""

from __future__ import annotations

from pathlib import Path

from ..records.directory import RunDirectory
from ..records.state.checkpoints import list_checkpoints
from ..records.state.snapshots import snapshot_decisions


def stored_decisions(run: str | Path) -> list[int]:
    """Decisions after which a run can be looked at, ascending: its snapshots, and checkpoints between two decisions.

    Raises:
        RecordError: Not a run.
    """
    directory = RunDirectory.open(run)
    return sorted({*snapshot_decisions(directory), *checkpoints_between(directory)})


def checkpoints_between(directory: RunDirectory) -> dict[int, str]:
    """Decision -> a checkpoint from after it, with no decision under way."""
    return {
        info.meta["decision"]: info.name
        for info in list_checkpoints(directory)
        if not info.damage and info.meta.get("under_way") is None and "decision" in info.meta
    }
