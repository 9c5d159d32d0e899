"""`layertie bench`: rows of name, ratio, low, high, target, holds."""

from __future__ import annotations

import importlib.util
from typing import Any

from rich.console import Console
from rich.table import Table

from ..core.errors import ConfigError
from . import arguments

# What is measured is imported once it is sure that what it is compared with is there.


def bench(command: arguments.Bench, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Measure; (rows and machine, exit code: 1 where a target is missed)."""
    if importlib.util.find_spec("transformers") is None:
        raise ConfigError(
            "Expected the package transformers, which the benchmark compares with, but it is not installed.",
            "Install it: pip install transformers.",
        )
    from ..bench.runner import machine, rows

    measured = []
    for row in rows(command.device, quick=command.quick, only=command.only, say=lambda what: progress.print(what)):
        measured.append(row)
        if not command.json:
            mark = "holds" if row.holds else "MISSED"
            progress.print(f"  {row.name}: {row.ratio:.3f} [{row.low:.3f}, {row.high:.3f}] {row.target}: {mark}")
    if not measured:
        raise ConfigError(f"Expected the name of a measurement, but nothing matches {command.only!r}.", "Leave it out.")
    if not command.json:
        table = Table("what", "median", "95 % interval", "target", "holds", box=None)
        for row in measured:
            interval = f"{row.low:.3f} to {row.high:.3f}"
            table.add_row(row.name, f"{row.ratio:.3f}", interval, row.target, "yes" if row.holds else "no")
        output.print(table)
    result = {"rows": [row.to_dict() for row in measured], "machine": machine(command.device)}
    return result, 0 if all(row.holds for row in measured) else 1
