"""Runs, branches and groups of runs held against each other: at equal steps, parameters, operations or time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from ...core.errors import AnalysisError, RecordError
from ...records.log.reader import Run, load_run
from ...records.reads import text_facts
from ...records.tree import Leaving, leaving_of
from .amounts import AXES, UNITS, At, Metric, common_place, curve_of, read_off
from .intervals import LEVEL, Estimate
from .paired import group_difference, holm, paired_difference

UNLIKE = "Losses on different texts, tokenizers or windows cannot be held against each other."
"""Why runs under other conditions are refused."""


@dataclass(frozen=True)
class Member:
    """One run of a group.

    Args:
        path: Its folder.
        seed: Of its settings.
        replicate: Of its settings.
        value: The metric there.
        at: How much of the axis it had there: the same for all, but with at="parameters" what it truly had.
        step: Optimizer steps it had done there, between two evaluations a fraction.
    """

    path: Path
    seed: int
    replicate: int
    value: float
    at: float
    step: float


@dataclass(frozen=True)
class Comparison:
    """A group against the first one.

    Args:
        first: Label of the first group.
        other: Label of this one.
        kind: paired: by seed and replicate. unpaired: Welch. single: one run on either side, so no interval.
        difference: Mean of this group minus that of the first; where it is paired, of the pairs alone.
        interval: At 95 %, by itself; None for single runs, and where there is no spread.
        p_value: Two-sided, against no difference; None without an interval.
        p_corrected: The same, corrected over all comparisons that have one (Holm).
        pairs: Runs of equal seed and replicate on both sides; 0 where a side has some twice.
    """

    first: str
    other: str
    kind: Literal["paired", "unpaired", "single"]
    difference: float
    interval: Estimate | None
    p_value: float | None
    p_corrected: float | None
    pairs: int


@dataclass(frozen=True)
class Compared:
    """What a comparison came to.

    Args:
        metric: A `Metric`.
        at: What is the same for all.
        where: How much of it.
        groups: Label -> its runs.
        comparisons: Each later group against the first.
        curves: Columns group, run, seed, step, x (of `at`), value: the metric as far as it was recorded.
        notes: Sentences a reader has to know.
    """

    metric: Metric
    at: At
    where: float
    groups: dict[str, list[Member]]
    comparisons: list[Comparison]
    curves: pl.DataFrame
    notes: list[str]

    @property
    def points(self) -> pl.DataFrame:
        """Where each run is compared: the columns of `curves`, a row per run."""
        return pl.DataFrame(
            [
                (label, str(member.path), member.seed, member.step, member.at, member.value)
                for label, members in self.groups.items()
                for member in members
            ],
            schema=dict.fromkeys(("group", "run"), pl.String)
            | {"seed": pl.Int64}
            | dict.fromkeys(("step", "x", "value"), pl.Float64),
            orient="row",
        )

    @property
    def sentences(self) -> list[str]:
        """Each comparison in words."""
        return [_sentence(self, comparison) for comparison in self.comparisons]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "metric": self.metric,
            "unit": UNITS[self.metric],
            "at": self.at,
            "where": self.where,
            "groups": {
                label: [
                    {
                        "run": str(m.path),
                        "seed": m.seed,
                        "replicate": m.replicate,
                        "value": m.value,
                        "at": m.at,
                        "step": m.step,
                    }
                    for m in members
                ]
                for label, members in self.groups.items()
            },
            "comparisons": [
                {
                    "first": c.first,
                    "other": c.other,
                    "kind": c.kind,
                    "difference": c.difference,
                    "pairs": c.pairs,
                    "low": None if c.interval is None else float(c.interval.low),
                    "high": None if c.interval is None else float(c.interval.high),
                    "level": LEVEL,
                    "p_value": c.p_value,
                    "p_corrected": c.p_corrected,
                    "sentence": sentence,
                }
                for c, sentence in zip(self.comparisons, self.sentences, strict=True)
            ],
            "notes": self.notes,
        }


def compare(
    groups: Mapping[str, Sequence[str | Path | Run]],
    *,
    metric: Metric = "validation-loss",
    at: At = "steps",
    where: float | None = None,
) -> Compared:
    """Hold groups of runs against the first of them.

    Args:
        groups: Label -> run directories, or runs as they were read; at least two groups.
        metric: What they are compared by.
        at: steps: after equally many optimizer steps. parameters: at the last evaluation with at most so many trainable
            parameters. tokens, flops, time: after as many tokens read, operations, or seconds inside optimizer steps;
            between two evaluations on the straight line.
        where: So much of it; None = the most that all runs have (with at="parameters" the least that all came down to).

    Raises:
        AnalysisError: Fewer than two groups, a run twice, runs on different text, tokenizers or evaluation windows, an
            amount that some run has not reached, or a metric that it has not recorded.
        RecordError: Not a run.
    """
    if metric not in UNITS or at not in get_args(At):
        raise AnalysisError(
            f"Expected a metric out of {', '.join(UNITS)} at equal {', '.join(get_args(At))}, but got {metric!r} at "
            f"{at!r}.",
            "Choose some of these.",
        )
    if len(groups) < 2 or not all(groups.values()):
        raise AnalysisError(
            f"Expected at least two groups with runs, but got {len([g for g in groups.values() if g])}.",
            "Name two, the one that the others are held against first.",
        )
    runs = {
        label: [each if isinstance(each, Run) else load_run(each) for each in members]
        for label, members in groups.items()
    }
    every = [run for members in runs.values() for run in members]
    _check_comparable(every)
    curves = {run.path: curve_of(run, metric, at) for run in every}
    place = common_place(curves, at, where)
    if where is None:
        _check_parted(every, curves, at, place)
    found = {label: [_member(run, curves[run.path], at, place) for run in members] for label, members in runs.items()}
    comparisons = held_against(found)
    notes = [
        *(f"{run.name}: {note}" for run in every for note in run.losses),
        *_branches(every),
        *group_notes(found, comparisons),
        *_earlier(at, where, place),
        *_unequal(at, found),
        *_depths(runs),
        *dict.fromkeys(note for run in every for note in (text_facts(run.path) or {"notes": ()})["notes"]),
    ]
    return Compared(metric, at, place, found, comparisons, framed(runs, curves), notes)


def held_against(groups: Mapping[str, Sequence[Member]]) -> list[Comparison]:
    """Each later group against the first, the p-values corrected over all of them."""
    (first, ours), *others = groups.items()
    comparisons = [_compared(first, ours, label, theirs) for label, theirs in others]
    tested = [c.p_value for c in comparisons if c.p_value is not None]
    corrected = iter(holm(tested).tolist())
    return [c if c.p_value is None else replace(c, p_corrected=next(corrected)) for c in comparisons]


def framed(runs: Mapping[str, Sequence[Run]], curves: Mapping[Path, pl.DataFrame]) -> pl.DataFrame:
    """Each run's `curve_of` in one frame, as `Compared.curves` has it.

    Args:
        runs: Label -> runs.
        curves: A run's folder -> its curve.
    """
    return pl.concat(
        curves[run.path].select(
            pl.lit(label).alias("group"),
            pl.lit(str(run.path)).alias("run"),
            pl.lit(run.config.seed).alias("seed"),
            "step",
            "x",
            "value",
        )
        for label, members in runs.items()
        for run in members
    )


def _check_parted(runs: Sequence[Run], curves: Mapping[Path, pl.DataFrame], at: At, place: float) -> None:
    """Refuse a place at which two of the runs are still the same run."""
    if at != "steps":
        return
    paths = {run.path.resolve() for run in runs}
    for run in runs:
        left, path = _left(run)[0], run.path.resolve()
        if left is None or place > left.step:
            continue
        parent = path.parent / left.parent if left.parent else path.parents[1]
        if parent in paths:
            behind = min(runs, key=lambda each: curves[each.path]["step"][-1])
            further = max(1, behind.config.training.evaluate_every)
            raise AnalysisError(
                f"Expected a step at which {run.name} has left {parent.name} (after step {left.step}), but the last "
                f"that all runs were evaluated at is {place:g}: both are the same run there.",
                f"Let {behind.name} go on until its next evaluation: layertie resume {behind.path} --decisions "
                f"{further}. Or ask twins.",
            )


def _check_comparable(runs: Sequence[Run]) -> None:
    seen: set[Path] = set()
    for run in runs:
        if (path := run.path.resolve()) in seen:
            raise AnalysisError(f"Expected different runs, but {run.path} is named twice.", "Name each run once.")
        seen.add(path)
    first = runs[0]
    for run in runs[1:]:
        here, there = conditions(first), conditions(run)
        for name in here:
            # A run that has not begun has recorded no metric either, which is said later.
            if name in there and here[name] != there[name]:
                raise AnalysisError(
                    f"Expected runs with the same {name}, but {first.path} has {here[name]} and {run.path} has "
                    f"{there[name]}.",
                    UNLIKE,
                )


def conditions(run: Run) -> dict[str, Any]:
    """What has to be the same for losses to mean the same, by name."""
    config, opened = run.config, run.opened
    found: dict[str, Any] = {name.replace("_", " "): value for name, value in config.text.__dict__.items()}
    found |= {"context": config.model.context, "evaluation windows": config.training.evaluation_windows}
    if opened is not None:
        # The settings name a file, or nothing where tokens were handed in; this is what was in it.
        found |= {
            "number of tokens in the vocabulary": opened.vocabulary_size,
            "number of tokens per split": opened.split_tokens,
            "unigram entropy of the text": float(f"{opened.unigram_entropy:.9g}"),
        }
    return found


def _member(run: Run, curve: pl.DataFrame, at: At, place: float) -> Member:
    value, amount, step = read_off(curve, at, place)
    return Member(run.path, run.config.seed, run.config.replicate, value, amount, step)


def _compared(first: str, ours: Sequence[Member], other: str, theirs: Sequence[Member]) -> Comparison:
    keys = [(m.seed, m.replicate) for m in ours], [(m.seed, m.replicate) for m in theirs]
    common = [key for key in keys[0] if key in keys[1]]
    unique = all(len(set(each)) == len(each) for each in keys)
    if unique and len(common) >= 2:
        a, b = (dict(zip(each, members, strict=True)) for each, members in zip(keys, (ours, theirs), strict=True))
        found = paired_difference([b[key].value - a[key].value for key in common])
        interval, p = found.interval(1 - LEVEL), None if found.constant else found.p_value()
        return Comparison(first, other, "paired", found.value, interval, p, None, len(common))
    if len(ours) >= 2 and len(theirs) >= 2:
        apart = group_difference([m.value for m in theirs], [m.value for m in ours])
        return Comparison(first, other, "unpaired", apart.value, apart.interval(1 - LEVEL), apart.p_value(), None, 0)
    gap = float(np.mean([m.value for m in theirs]) - np.mean([m.value for m in ours]))
    return Comparison(first, other, "single", gap, None, None, None, len(common) if unique else 0)


def _branches(runs: Sequence[Run]) -> list[str]:
    notes = []
    for run in runs:
        left, damage = _left(run)
        if damage:
            notes.append(f"{damage} Whether it is the same run as another here up to some step is not known.")
        if left is not None:
            parent = left.parent or run.path.resolve().parents[1].name
            notes.append(
                f"{run.name} is a branch of {parent}: up to decision {left.decision - 1} (step {left.step}) both are "
                "the same run."
            )
    return notes


def _left(run: Run) -> tuple[Leaving | None, str]:
    """Where a run left another, and why that is not known, or ""."""
    try:
        return leaving_of(run.path), ""
    except RecordError as error:
        return None, error.message


def _depths(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    depths = {label: sorted({run.config.model.layers for run in members}) for label, members in runs.items()}
    if len({layers for found in depths.values() for layers in found}) < 2:
        return []
    words = "; ".join(f"{label}: {', '.join(map(str, found))}" for label, found in depths.items())
    return [f"The runs have different numbers of layers ({words})."]


def group_notes(groups: Mapping[str, Sequence[Member]], comparisons: Sequence[Comparison]) -> list[str]:
    """What a reader has to know of the numbers of runs and seeds."""
    notes = []
    small = [label for label, members in groups.items() if len(members) == 1]
    if small:
        notes.append(f"One run only in {', '.join(small)}: it has no interval, and a difference from it is no claim.")
    for label, members in groups.items():
        if (alike := len(members) - len({(m.seed, m.replicate) for m in members})) > 0:
            notes.append(
                f"{label} has {alike} more runs than seeds. Runs of one seed share their draws and are no independent "
                "sample: an interval over them is too narrow."
            )
    for c in comparisons:
        left_out = len(groups[c.first]) + len(groups[c.other]) - 2 * c.pairs
        if c.kind == "paired" and left_out:
            notes.append(
                f"{left_out} run{'s' if left_out > 1 else ''} of {c.first} and {c.other} without a partner of the same "
                "seed: in the means, but not in the difference."
            )
    return notes


def _earlier(at: At, where: float | None, place: float) -> list[str]:
    if at != "steps" or where is None or where == place:
        return []
    return [f"Not all runs were evaluated at step {where:g}; step {place:g} is the last before it where all were."]


def _unequal(at: At, groups: Mapping[str, Sequence[Member]]) -> list[str]:
    steps = sorted({member.step for members in groups.values() for member in members})
    if at != "parameters" or len(steps) == 1:
        return []
    return [
        f"Each run at its last evaluation with so few parameters, which is after {steps[0]:,.0f} to {steps[-1]:,.0f} "
        "optimizer steps: unequal training is part of the difference."
    ]


def _sentence(found: Compared, comparison: Comparison) -> str:
    unit = f" {UNITS[found.metric]}" if UNITS[found.metric] else ""
    where = f"{found.where:,.0f}" if found.where >= 10 else f"{found.where:.3g}"
    place = f"at {where} {AXES[found.at]}" if found.at != "parameters" else f"with at most {where} {AXES[found.at]}"
    value = _number(comparison.difference, found.metric)
    opening = f"{comparison.other} minus {comparison.first}, {found.metric} {place}: {value}{unit}"
    if comparison.kind == "single":
        return f"{opening}; too few runs for an interval, so this is no claim."
    how = f"paired over {comparison.pairs} seeds" if comparison.kind == "paired" else "unpaired (Welch)"
    if comparison.interval is None:
        return f"{opening} in every case, {how}."
    low, high = (_number(float(end), found.metric) for end in (comparison.interval.low, comparison.interval.high))
    ends = f"from {low} to {high}"
    tested = sum(other.p_corrected is not None for other in found.comparisons)
    sentence = f"{opening}, 95 % interval {ends}, {how}"
    if comparison.p_corrected is not None and tested > 1:
        sentence += f"; p = {comparison.p_corrected:.2g}, corrected over {tested} comparisons (Holm)"
    return f"{sentence}."


def _number(difference: float, metric: Metric) -> str:
    return f"{difference:+,.0f}" if UNITS[metric] in ("parameters", "bytes") else f"{difference:+.4g}"
