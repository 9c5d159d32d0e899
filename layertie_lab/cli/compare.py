"""`layertie compare`: branches, runs and groups of runs against the first of them."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ..core.errors import ConfigError
from ..records.directory import is_run
from . import arguments

if TYPE_CHECKING:
    from ..analysis.compare import Compared


def compare(command: arguments.Compare, progress: Console, output: Console) -> dict[str, Any]:
    """Hold the groups against each other.

    Raises:
        ConfigError: A group without runs, or a label given twice.
        AnalysisError: Runs that cannot be compared.
        RecordError: Not a run.
    """
    from ..analysis.compare import AXES, compare

    groups: dict[str, list[Path]] = {}
    for text in command.groups:
        label, paths = _group(text)
        if label in groups:
            raise ConfigError(f"Expected each group once, but {label} comes twice.", "Name them: NAME=RUN,RUN.")
        groups[label] = paths
    found = compare(groups, metric=command.metric, at=command.at, where=command.horizon)
    if not command.json:
        _print(found, output)
    if command.chart is not None:
        from ..charts import to_html
        from ..charts.compare import compared_curves
        from ..records.disk import write_atomically

        chart = compared_curves(found.curves, metric=found.metric, axis=AXES[found.at], where=found.where)
        write_atomically(command.chart, to_html(chart, title=" and ".join(groups)).encode())
        progress.print(f"chart: {command.chart}", soft_wrap=True)
    return found.to_dict()


def _group(text: str) -> tuple[str, list[Path]]:
    """(label, runs) of what was typed: [NAME=]RUN[,RUN...], each a run, a folder of runs, or a pattern with * and ?."""
    label, equals, rest = text.partition("=")
    if not equals:
        label, rest = "", text
    paths: list[Path] = []
    for word in filter(None, rest.split(",")):
        found = [Path(name) for name in sorted(glob.glob(word))] if any(c in word for c in "*?[") else [Path(word)]
        if not found:
            raise ConfigError(f"Expected runs that match {word}, but there are none.", "Check the pattern.")
        for path in found:
            inside = sorted(child for child in path.iterdir() if is_run(child)) if _is_folder_of_runs(path) else [path]
            paths += inside
    if not paths:
        raise ConfigError(f"Expected runs in {text!r}, but there are none.", "Write NAME=RUN,RUN or a folder of runs.")
    return label or Path(rest.split(",")[0]).name, paths


def _is_folder_of_runs(path: Path) -> bool:
    return path.is_dir() and not is_run(path)


def _print(found: Compared, output: Console) -> None:
    from ..analysis.compare import AXES, UNITS

    table = Table("group", "runs", f"mean {found.metric}", "seeds", box=None)
    for label, members in found.groups.items():
        mean = sum(member.value for member in members) / len(members)
        seeds = " ".join(str(member.seed) for member in members)
        value = f"{mean:,.4f}" if UNITS[found.metric] not in ("parameters", "bytes") else f"{mean:,.0f}"
        table.add_row(label, str(len(members)), value, seeds)
    output.print(table)
    output.print(f"at {found.where:,.6g} {AXES[found.at]}", style="dim", soft_wrap=True)
    for sentence in (*found.sentences, *found.notes):
        output.print(sentence, soft_wrap=True, markup=False)
