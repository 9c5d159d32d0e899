"""Which of some runs can be held against each other, and for each other one why it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ...core.errors import AnalysisError, LayertieError
from ...records.log.reader import Run, load_run
from .amounts import At, Metric, common_place, curve_of
from .compare import UNLIKE, conditions

SHOWN = 4
"""Most runs that a sentence names."""


@dataclass(frozen=True)
class Admitted:
    """Runs that can be compared.

    Args:
        groups: Label -> runs, in the order given; a group of which nothing is left is not there.
        curves: A run's folder -> its `amounts.curve_of`.
        left_out: A sentence per reason, each naming the runs.
    """

    groups: dict[str, list[Run]]
    curves: dict[Path, pl.DataFrame]
    left_out: list[str]

    @property
    def runs(self) -> list[Run]:
        """All of them."""
        return [run for members in self.groups.values() for run in members]


def admit(groups: Mapping[str, Sequence[str | Path]], *, metric: Metric, at: At) -> Admitted:
    """Take those runs that `compare` would not refuse together with the first one that can be read.

    Args:
        groups: Label -> run directories.
        metric: What they are compared by.
        at: What they are brought to the same amount of.
    """
    found, curves = {label: [] for label in groups}, {}
    reasons: dict[tuple[str, ...], list[str]] = {}
    first: Run | None = None
    for label, paths in groups.items():
        for path in paths:
            try:
                run = load_run(path)
            except LayertieError as error:
                reasons.setdefault(("unread", str(error)), []).append(Path(path).name)
                continue
            if first is not None and (unlike := _unlike(first, run)):
                reasons.setdefault(("unlike", *unlike, first.name), []).append(run.name)
                continue
            try:
                curve = curve_of(run, metric, at)
            except AnalysisError as error:
                reasons.setdefault(("unmeasured", _plain(error, run), error.remedy), []).append(run.name)
                continue
            try:
                common_place({**curves, run.path: curve}, at, None)
            except AnalysisError as error:
                reasons.setdefault(("apart", error.message, error.remedy), []).append(run.name)
                continue
            first = first or run
            curves[run.path] = curve
            found[label].append(run)
    kept = {label: members for label, members in found.items() if members}
    return Admitted(kept, curves, [_sentence(reason, names) for reason, names in reasons.items()])


def _unlike(first: Run, run: Run) -> tuple[str, str, str] | None:
    """The first condition that differs: its name, here and there."""
    here, there = conditions(first), conditions(run)
    return next(
        ((name, str(here[name]), str(there[name])) for name in here if name in there and here[name] != there[name]),
        None,
    )


def _plain(error: AnalysisError, run: Run) -> str:
    return error.message.replace(str(run.path), "a run")


def _sentence(reason: tuple[str, ...], names: Sequence[str]) -> str:
    kind, *words = reason
    listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    verb = "is" if len(names) == 1 else "are"
    opening = f"{listed} {verb} left out"
    match kind:
        case "unlike":
            name, here, there, first = words
            return f"{opening}: the {name} there is {there}, and {here} in {first}. {UNLIKE}"
        case "unread":
            return f"{opening}. {words[0]}"
    return f"{opening}. {' '.join(words)}"
