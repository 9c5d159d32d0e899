"""`layertie export`: a run's tables as files."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from ..records.log.reader import load_run
from . import arguments


def export(command: arguments.Export, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Write a run's tables to files."""
    run = load_run(command.run)
    paths = run.export(command.directory, format=command.format)
    for note in run.notes:
        progress.print(note, soft_wrap=True, markup=False)
    if not command.json:
        for path in paths:
            output.print(str(path), soft_wrap=True)
    return {"files": [str(path) for path in paths], "notes": list(run.notes)}, 0
