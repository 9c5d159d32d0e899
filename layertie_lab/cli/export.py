"""`layertie export`: a run's tables as files."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from ..records.log.reader import load_run
from . import arguments


def export(command: arguments.Export, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Write a run's tables to files."""
    paths = load_run(command.run).export(command.directory, format=command.format)
    if not command.json:
        for path in paths:
            output.print(str(path), soft_wrap=True)
    return {"files": [str(path) for path in paths]}, 0
