"""Which of some runs can be held against each other, and for each other one why it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        runs: As they were read, in the order given.
        curves: A run's folder -> its `amounts.curve_of`.
        left_out: A sentence per reason, each naming the runs.
    """

    runs: dict[Path, Run]
    curves: dict[Path, pl.DataFrame]
    left_out: list[str]


def admit(paths: Iterable[Path], *, metric: Metric, at: At) -> Admitted:
    """Take those runs that `compare` would not refuse together.

    Where some were made under other conditions than others, those stay that are the most (of equally many, the first).

    Args:
        paths: Run directories.
        metric: What they are compared by.
        at: What they are brought to the same amount of.
    """
    reasons: dict[tuple[str, ...], list[str]] = {}
    read: dict[Path, Run] = {}
    for path in paths:
        try:
            read[path] = load_run(path)
        except LayertieError as error:
            reasons.setdefault(("unread", str(error)), []).append(path.name)
    first = _of_the_most(list(read.values()))
    runs: dict[Path, Run] = {}
    curves: dict[Path, pl.DataFrame] = {}
    for path, run in read.items():
        assert first is not None, "one has been read"
        if unlike := _unlike(first, run):
            reasons.setdefault(("unlike", *unlike, first.name), []).append(run.name)
            continue
        try:
            curve = curve_of(run, metric, at)
        except AnalysisError as error:
            said = error.message.replace(str(run.path), "a run")
            reasons.setdefault(("refused", said, error.remedy), []).append(run.name)
            continue
        try:
            common_place({**curves, run.path: curve}, at, None)
        except AnalysisError as error:
            reasons.setdefault(("refused", error.message, error.remedy), []).append(run.name)
            continue
        runs[path], curves[run.path] = run, curve
    return Admitted(runs, curves, [_sentence(reason, names) for reason, names in reasons.items()])


def _of_the_most(runs: Sequence[Run]) -> Run | None:
    """The first of those runs that share their conditions with the most others."""
    made = [conditions(run) for run in runs]
    alike = [sum(_differing(one, other) == "" for other in made) for one in made]
    return runs[alike.index(max(alike))] if runs else None


def _differing(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """The first condition that differs, by name; "" where none does."""
    return next((name for name in here if name in there and here[name] != there[name]), "")


def _unlike(first: Run, run: Run) -> tuple[str, str, str] | None:
    """The first condition that differs: its name, here and there."""
    here, there = conditions(first), conditions(run)
    name = _differing(here, there)
    return (name, str(here[name]), str(there[name])) if name else None


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
