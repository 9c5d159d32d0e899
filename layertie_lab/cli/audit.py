"""`layertie audit`: what a run claimed beside what was true of it, as a table, sentences, a page or JSON."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..analysis.audit.run_audit import Audit, audit_run
from ..core.config import RunConfig
from ..core.errors import ConfigError
from ..records.io.output import check_output, write_output
from . import arguments
from .long_run import waiting

# A session and charts (altair) are imported where a short run or a page is asked for.

GRADIENTS = {"owner": "o", "summed": "+", "none": "."}
MARKS = {"exhibited": "bold red", "not exhibited": "green", "cannot be told": "dim"}


def audit(command: arguments.Audit, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Audit a run directory, or a short run made for it.

    Raises:
        ConfigError: Neither a run nor an algorithm is named, or both are.
        RecordError: Not a run.
    """
    if (command.run is None) == (command.algorithm is None):
        given = "neither" if command.run is None else "both"
        raise ConfigError(
            f"Expected a run directory or --algorithm, but got {given}.",
            "Write layertie audit runs/NAME, or layertie audit --algorithm official-code.",
        )
    if command.chart is not None:
        from ..charts.page import check_vega

        check_vega()
        check_output(command.chart)
    found = _short_run(command, progress) if command.run is None else audit_run(command.run)
    if not command.json:
        _print(found, command.rows, output)
    if command.chart is not None:
        _write_page(found, command.chart)
        if not command.quiet:
            progress.print(f"chart: {command.chart}", soft_wrap=True)
    return found.to_dict(), 0


def _short_run(command: arguments.Audit, progress: Console) -> Audit:
    from ..session.session import Session

    assert command.algorithm is not None, "an algorithm is named where no run is"
    config = RunConfig.preset(
        command.scale,
        algorithm=command.algorithm,
        decisions=command.decisions,
        seed=command.seed,
        corpus=command.corpus,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        waiting(progress, command.quiet, f"training {config.decisions} decisions"),
    ):
        with Session(config, Path(folder) / "run") as session:
            session.run()
        return audit_run(Path(folder) / "run")


def _write_page(found: Audit, path: Path) -> None:
    from ..charts import audit_chart, to_html

    title = f"Audit of {Path(found.run['directory']).name}"
    write_output(path, to_html(audit_chart(found.frame), title=title).encode())


def _print(found: Audit, count: int, console: Console) -> None:
    run = found.run
    console.print(
        Text(
            f"{run['algorithm']} algorithm ({run['policy']} policy), {run['scale']} scale, seed {run['seed']}, "
            f"{run['layers']} layers, {run['decisions']} decisions ({run['status']})",
            style="bold",
        ),
        soft_wrap=True,
    )
    if count > 0 and found.frame.height:
        console.print(_table(found.frame.tail(count).to_dicts()))
        last = found.frame.row(-1, named=True)
        console.print(f"map as claimed  {_map(last['claimed_map'])}\nmap in memory   {_map(last['true_map'])}")
        words = (
            "(pairs: claimed, as the official code would print it | true; updates: the most of one storage per step; "
            "gradient of each position: o alone, + summed, . none)"
        )
        console.print(words, style="dim", soft_wrap=True)
    for finding in found.findings:
        line = Text(f"{finding.number:>2} {finding.title}: ", style="bold")
        line.append(finding.verdict, style=MARKS[finding.verdict])
        console.print(line.append(f". {finding.sentence}", style="not bold"), soft_wrap=True)
    for note in found.notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("decision", "independent", "trainable (k)", "memory (MB)", "updates", "gradient", box=None)
    for row in rows:
        needed = "?" if row["true_bytes"] is None else f"{row['true_bytes'] / 1e6:,.2f}"
        table.add_row(
            str(row["decision"]),
            f"{row['claimed_independent']} | {row['true_blocks']}",
            f"{row['claimed_parameters'] / 1e3:,.1f} | {row['true_parameters'] / 1e3:,.1f}",
            f"{row['claimed_bytes'] / 1e6:,.2f} | {needed}",
            "?" if row["most_updates"] is None else str(row["most_updates"]),
            "?" if row["gradient"] is None else "".join(GRADIENTS[kind] for kind in row["gradient"]),
        )
    return table


def _map(sources: list[int]) -> str:
    return " ".join(map(str, sources))
