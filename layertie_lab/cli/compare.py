"""`layertie compare`: branches, runs and groups of runs against the first of them."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..analysis.statistics import compare as comparison
from ..analysis.statistics.amounts import AXES, UNITS
from ..core.errors import ConfigError, RecordError
from ..core.paths import path_of
from ..records.directory import is_run
from ..records.io.output import check_output, write_output
from ..records.labels import called
from . import arguments

# Charts (altair) are imported where they are asked for.


def compare(command: arguments.Compare, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Hold the groups against each other.

    Raises:
        ConfigError: A group without runs, or a label given twice.
        AnalysisError: Runs that cannot be compared.
        RecordError: Not a run.
    """
    if command.chart is not None:
        from ..charts.page import check_vega

        check_vega()
        check_output(command.chart)
    groups: dict[str, list[Path]] = {}
    for text in command.groups:
        label, paths = _group(text)
        if label in groups:
            raise ConfigError(f"Expected each group once, but {label} comes twice.", "Name them: NAME=RUN,RUN.")
        groups[label] = paths
    found = comparison.compare(groups, metric=command.metric, at=command.at, where=command.horizon)
    if not command.json:
        _print(found, output)
    if command.chart is not None:
        from ..charts import to_html
        from ..charts.comparisons.compare import compared_curves

        chart = compared_curves(found.curves, found.points, metric=found.metric, at=found.at)
        write_output(command.chart, to_html(chart, title=" and ".join(groups)).encode())
        progress.print(f"chart: {command.chart}", soft_wrap=True)
    return found.to_dict(), 0


def _group(text: str) -> tuple[str, list[Path]]:
    """(label, runs) of what was typed: [NAME=]RUN[,RUN...], each a run, a folder of runs, or a pattern with * and ?."""
    if os.path.exists(text):  # whatever "=" or "," its name holds
        label, words = "", [text]
    else:
        label, equals, rest = text.partition("=")
        label, words = (label, rest.split(",")) if equals else ("", text.split(","))
    words = [word for word in words if word]
    paths = [path for word in words for path in _runs(word)]
    if not paths:
        raise ConfigError(f"Expected runs in {text!r}, but there are none.", "Write NAME=RUN,RUN or a folder of runs.")
    # A run is called as the explorer calls it, of several the folder is what was typed.
    alone = called(paths[0]) if len(paths) == 1 and is_run(paths[0]) else ""
    return label or alone or Path(words[0]).name or Path(words[0]).resolve().name or words[0], paths


def _runs(word: str) -> list[Path]:
    """The runs that a word of a group names: one, those inside a folder, or those that match a pattern."""
    if os.path.exists(word) or not any(character in word for character in "*?["):
        path = path_of(word)
        # What is no folder, or no run, is refused with its reason when it is read.
        found = _inside(path) if path.is_dir() and not is_run(path) else [path]
        what = f"runs in the folder {word}"
    else:
        folders = [Path(name) for name in sorted(glob.glob(word)) if os.path.isdir(name)]
        found = [run for path in folders for run in ([path] if is_run(path) else _inside(path))]
        what = f"runs that match {word}"
    if not found:
        raise ConfigError(f"Expected {what}, but there are none.", "`layertie runs FOLDER` lists those of a folder.")
    return found


def _inside(path: Path) -> list[Path]:
    try:
        return sorted(child for child in path.iterdir() if is_run(child))
    except OSError as error:
        raise RecordError(
            f"Expected a folder of runs, but {path} cannot be listed ({error.strerror}).", "Name another folder."
        ) from error


def _print(found: comparison.Compared, output: Console) -> None:
    table = Table("group", "runs", f"mean {found.metric}", "seeds", box=None)
    for label, members in found.groups.items():
        mean = sum(member.value for member in members) / len(members)
        seeds = " ".join(str(member.seed) for member in members)
        value = f"{mean:,.4f}" if UNITS[found.metric] not in ("parameters", "bytes") else f"{mean:,.0f}"
        table.add_row(Text(label), str(len(members)), value, seeds)
    output.print(table)
    at = "with at most" if found.at == "parameters" else "at"
    output.print(f"{at} {found.where:,.6g} {AXES[found.at]}", style="dim", soft_wrap=True)
    for sentence in (*found.sentences, *found.notes):
        output.print(sentence, soft_wrap=True)
