"""`layertie runs`: the runs in a folder, with their branches. No torch is loaded."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from ..core.errors import RecordError
from ..records.runs import RunSummary, checked, list_runs
from ..records.tree import FOLDER, as_row, branches_of
from . import arguments


def runs(command: arguments.Runs, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """List the runs in a folder, latest first."""
    if command.root != Path("runs") and not command.root.exists():
        raise RecordError(f"Expected a folder of runs, but there is no {command.root}.", "Check the name.")
    found = [checked(run) for run in list_runs(command.root)]
    branches = {run.path: [replace(node, run=checked(node.run)) for node in branches_of(run.path)] for run in found}
    if not command.json:
        if not found:
            words = f"No runs in {command.root}. Start one with: layertie train --directory {command.root}/NAME"
            output.print(words, soft_wrap=True)
        else:
            table = Table(
                Column("run", no_wrap=True),
                "name",
                "state",
                "policy",
                "scale",
                "text",
                "seed",
                "decisions",
                "validation loss",
                "changed",
                box=None,
            )
            for run in found:
                table.add_row(*_words(run, run.name))
                for node in branches[run.path]:
                    table.add_row(*_words(node.run, f"  {FOLDER}/{node.name}"))
            output.print(table)
            listed = [run for run in found for run in (run, *(node.run for node in branches[run.path]))]
            for run in listed:
                for words in filter(None, (run.note, run.remark)):
                    output.print(f"{run.path}: {words}", soft_wrap=True)
    rows = {path: [as_row(node) | {"path": str(node.path)} for node in nodes] for path, nodes in branches.items()}
    return {"runs": [asdict(run) | {"path": str(run.path), "branches": rows[run.path]} for run in found]}, 0


def _words(run: RunSummary, name: str) -> tuple[str, ...]:
    seed = "" if run.seed is None else str(run.seed)
    return name, run.title, run.status, run.decides, run.scale, run.corpus, seed, *_reached(run)


def _reached(run: RunSummary) -> tuple[str, str, str]:
    loss = "" if run.validation_loss is None else f"{run.validation_loss:.4f}"
    past = run.decisions > run.budget
    reached = f"{run.decisions}, past its budget of {run.budget}" if past else f"{run.decisions} of {run.budget}"
    return reached, loss, datetime.fromtimestamp(run.modified).strftime("%Y-%m-%d %H:%M")
