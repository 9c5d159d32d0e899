"""Runs, branches and groups of runs held against each other: at equal steps, parameters, operations or time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from ..core.errors import AnalysisError
from ..core.ties import TieMap
from ..models.counts import flops_per_token
from ..records.reader import Run, load_run
from ..records.tree import leaving_of
from .paired import group_difference, holm, paired_difference
from .statistics import LEVEL, Estimate

Metric = Literal["validation-loss", "perplexity", "bits-per-byte", "train-loss", "trainable-parameters", "memory"]
At = Literal["steps", "parameters", "flops", "time"]
UNITS: dict[str, str] = {
    "validation-loss": "nats", "perplexity": "", "bits-per-byte": "bits", "train-loss": "nats",
    "trainable-parameters": "parameters", "memory": "bytes",
}  # fmt: skip
_COLUMNS = {"validation-loss": "loss", "perplexity": "perplexity", "bits-per-byte": "bits_per_byte"}
AXES = {"steps": "optimizer steps", "parameters": "trainable parameters", "flops": "training operations (FLOPs)",
        "time": "seconds of training"}  # fmt: skip
"""What runs are brought to the same amount of."""


@dataclass(frozen=True)
class Member:
    """One run of a group.

    Args:
        path: Its folder.
        seed: Of its settings.
        replicate: Of its settings.
        value: The metric there.
        at: How much of the axis it had there: the same for all, but with at="parameters" what it had at most.
    """

    path: Path
    seed: int
    replicate: int
    value: float
    at: float


@dataclass(frozen=True)
class Comparison:
    """A group against the first one.

    Args:
        first: Label of the first group.
        other: Label of this one.
        kind: paired: by seed and replicate. unpaired: Welch. single: one run against one run, no interval.
        difference: Mean of this group minus that of the first.
        interval: At 95 %, by itself; None for single runs, and where there is no spread.
        p_value: Two-sided, against no difference; None without an interval.
        p_corrected: The same, corrected over all comparisons (Holm).
        pairs: Matched seeds, where it is paired.
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
        curves: Columns group, run, seed, x (of `at`), value: the metric as far as it was recorded.
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
    def sentences(self) -> list[str]:
        """Each comparison in words."""
        return [_sentence(self, comparison) for comparison in self.comparisons]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "metric": self.metric, "unit": UNITS[self.metric], "at": self.at, "where": self.where,
            "groups": {
                label: [
                    {"run": str(m.path), "seed": m.seed, "replicate": m.replicate, "value": m.value, "at": m.at}
                    for m in members
                ]
                for label, members in self.groups.items()
            },
            "comparisons": [
                {
                    "first": c.first, "other": c.other, "kind": c.kind, "difference": c.difference, "pairs": c.pairs,
                    "low": None if c.interval is None else float(c.interval.low),
                    "high": None if c.interval is None else float(c.interval.high), "level": LEVEL,
                    "p_value": c.p_value, "p_corrected": c.p_corrected, "sentence": sentence,
                }
                for c, sentence in zip(self.comparisons, self.sentences, strict=True)
            ],
            "notes": self.notes,
        }  # fmt: skip


def compare(
    groups: Mapping[str, Sequence[str | Path]], *, metric: Metric = "validation-loss", at: At = "steps",
    where: float | None = None,
) -> Compared:  # fmt: skip
    """Hold groups of runs against the first of them.

    Args:
        groups: Label -> run directories; at least two groups.
        metric: What they are compared by.
        at: steps: after equally many optimizer steps. parameters: at the last evaluation with at most so many trainable
            parameters. flops, time: after as many operations, or seconds inside optimizer steps; between two
            evaluations on the straight line.
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
            f"Expected at least two groups with runs, but got {len([g for g in groups.values() if g])}.", "Name two."
        )
    runs = {label: [load_run(path) for path in paths] for label, paths in groups.items()}
    every = [run for members in runs.values() for run in members]
    _check_comparable(every)
    curves = {run.path: _curve(run, metric, at) for run in every}
    place = _place(curves, at, where)
    found = {label: [_member(run, curves[run.path], at, place) for run in members] for label, members in runs.items()}
    first = next(iter(found))
    comparisons = [_compared(first, found[first], label, found[label]) for label in list(found)[1:]]
    tested = [c.p_value for c in comparisons if c.p_value is not None]
    corrected = iter(holm(tested).tolist()) if tested else iter(())
    comparisons = [
        c if c.p_value is None else Comparison(**{**c.__dict__, "p_corrected": next(corrected)}) for c in comparisons
    ]
    frames = [
        curves[run.path].select(
            pl.lit(label).alias("group"), pl.lit(str(run.path)).alias("run"), pl.lit(run.config.seed).alias("seed"),
            "x", "value",
        )
        for label, members in runs.items()
        for run in members
    ]  # fmt: skip
    return Compared(metric, at, place, found, comparisons, pl.concat(frames), _notes(every, found))


def _check_comparable(runs: Sequence[Run]) -> None:
    seen: set[Path] = set()
    for run in runs:
        if (path := run.path.resolve()) in seen:
            raise AnalysisError(f"Expected different runs, but {run.path} is named twice.", "Name each run once.")
        seen.add(path)
    first = runs[0]
    for run in runs[1:]:
        for name, here, there in (
            ("text", first.config.text, run.config.text),
            ("context", first.config.model.context, run.config.model.context),
            ("evaluation windows", first.config.training.evaluation_windows, run.config.training.evaluation_windows),
        ):
            if here != there:
                raise AnalysisError(
                    f"Expected runs with the same {name}, but {first.path} has {here} and {run.path} has {there}.",
                    "Losses on different texts, tokenizers or windows cannot be held against each other.",
                )


def _curve(run: Run, metric: Metric, at: At) -> pl.DataFrame:
    """Columns step, x, value; a row per place where the metric is known."""
    if metric in _COLUMNS:
        frame = run.evaluations.filter(pl.col("split") == "validation").select("step", value=_COLUMNS[metric])
    elif metric == "train-loss":
        frame = run.decisions.select("step", value="train_loss")
    elif metric == "trainable-parameters":
        frame = run.decisions.select("step", value=pl.col("trainable_parameters").cast(pl.Float64))
    else:
        frame = run.memory.group_by("step", maintain_order=True).agg(value=pl.col("bytes").sum().cast(pl.Float64))
    if not frame.height:
        raise AnalysisError(
            f"Expected {metric} of {run.path}, but it has recorded none.", "Let it run on, or choose another metric."
        )
    frame = frame.unique("step", keep="last", maintain_order=True).sort("step")
    return frame.with_columns(x=pl.Series(_amounts(run, at, frame["step"].to_list()), dtype=pl.Float64))


def _amounts(run: Run, at: At, steps: list[int]) -> list[float]:
    """How much of the axis a run had after so many steps."""
    if at == "steps":
        return [float(step) for step in steps]
    ends = [0, *run.decisions["step"].to_list()]
    if at == "parameters":
        opened = run.opened
        counts = [
            0 if opened is None else opened.trainable_parameters,
            *run.decisions["trainable_parameters"].to_list(),
        ]
        return [float(counts[max(0, int(np.searchsorted(ends, step, side="right")) - 1)]) for step in steps]
    if at == "time":
        timings = run.table("timings").unique("decision", keep="last").sort("step")
        if timings.height < run.decisions.height:
            raise AnalysisError(
                f"Expected the times of all decisions of {run.path}, but {run.decisions.height - timings.height} are "
                "missing.",
                "Compare at equal steps; a branch has no times of before it left.",
            )
        known = [0.0, *timings["step"].to_list()], [0.0, *timings["training_seconds"].cum_sum().to_list()]
    else:
        known = [float(end) for end in ends], _operations(run)
    return [float(amount) for amount in np.interp(steps, *known)]


def _operations(run: Run) -> list[float]:
    """Training operations up to the end of each decision, from 0."""
    config, opened = run.config, run.opened
    assert opened is not None, "a run with decisions has been opened"
    tokens = config.model.context * config.training.batch_size * config.training.accumulate
    total, found = 0.0, [0.0]
    for decision in run.decisions["decision"].to_list():
        sources = run.ties.filter(pl.col("decision") == decision).sort("layer")["source"].to_list()
        each = sum(
            flops_per_token(
                config.model, opened.vocabulary_size, TieMap(tuple(sources)), config.ties.gradient
            ).values()
        )  # fmt: skip
        total += each * tokens * config.training.steps_per_decision
        found.append(total)
    return found


def _place(curves: Mapping[Path, pl.DataFrame], at: At, where: float | None) -> float:
    """How much of the axis all are compared at."""
    if at == "steps":
        common = set.intersection(*(set(curve["step"].to_list()) for curve in curves.values()))
        allowed = [step for step in common if where is None or step <= where]
        if not allowed or (where is not None and where > max(common)):
            most = {str(path): curve["step"].max() for path, curve in curves.items()}
            raise AnalysisError(
                f"Expected runs that were all evaluated at a step up to {'the last' if where is None else where}, but "
                f"their last steps are {most}.",
                "Choose an earlier horizon, or let the shorter run go on.",
            )
        return float(max(allowed))
    if at == "parameters":
        least = max(float(curve["x"].min()) for curve in curves.values())  # type: ignore[arg-type]
        if where is not None and where < least:
            raise AnalysisError(
                f"Expected runs that all came down to {where:,.0f} trainable parameters, but one has {least:,.0f} at "
                "the least.",
                f"Compare at {least:,.0f} or more.",
            )
        return least if where is None else where
    most = min(float(curve["x"].max()) for curve in curves.values())  # type: ignore[arg-type]
    if where is not None and where > most:
        raise AnalysisError(
            f"Expected runs that all have {where:g} of {AXES[at]}, but one has {most:g}.",
            f"Compare at {most:g} or less.",
        )
    return most if where is None else where


def _member(run: Run, curve: pl.DataFrame, at: At, place: float) -> Member:
    steps, xs, values = (curve[name].to_numpy() for name in ("step", "x", "value"))
    if at == "steps":
        index = int(np.flatnonzero(steps == place)[0])
        value, here = float(values[index]), place
    elif at == "parameters":
        index = int(np.flatnonzero(xs <= place)[-1])
        value, here = float(values[index]), float(xs[index])
    else:
        value, here = float(np.interp(place, xs, values)), place
    return Member(run.path, run.config.seed, run.config.replicate, value, here)


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
        return Comparison(
            first, other, "unpaired", apart.value, apart.interval(1 - LEVEL), apart.p_value(), None, 0
        )  # fmt: skip
    gap = float(np.mean([m.value for m in theirs]) - np.mean([m.value for m in ours]))
    return Comparison(first, other, "single", gap, None, None, None, len(common) if unique else 0)


def _notes(runs: Sequence[Run], groups: Mapping[str, Sequence[Member]]) -> list[str]:
    notes = []
    for run in runs:
        if (left := leaving_of(run.path)) is not None:
            parent = left.parent or run.path.parents[1].name
            notes.append(
                f"{run.name} is a branch of {parent}: up to decision {left.decision - 1} (step {left.step}) both are "
                "the same run."
            )
    small = [label for label, members in groups.items() if len(members) == 1]
    if small:
        notes.append(f"One run only in {', '.join(small)}: it has no interval, and a difference from it is no claim.")
    return notes


def _sentence(found: Compared, comparison: Comparison) -> str:
    unit = f" {UNITS[found.metric]}" if UNITS[found.metric] else ""
    where = f"{found.where:,.0f}" if found.where >= 10 else f"{found.where:.3g}"
    place = f"at {where} {AXES[found.at]}" if found.at != "parameters" else f"with at most {where} {AXES[found.at]}"
    opening = f"{comparison.other} minus {comparison.first}, {found.metric} {place}: {comparison.difference:+.4g}{unit}"
    if comparison.kind == "single":
        return f"{opening}; too few runs for an interval, so this is no claim."
    how = f"paired over {comparison.pairs} seeds" if comparison.kind == "paired" else "unpaired (Welch)"
    if comparison.interval is None:
        return f"{opening} in every case, {how}."
    ends = f"from {float(comparison.interval.low):+.4g} to {float(comparison.interval.high):+.4g}"
    sentence = f"{opening}, 95 % interval {ends}, {how}"
    if comparison.p_corrected is not None and len(found.comparisons) > 1:
        sentence += f"; p = {comparison.p_corrected:.2g}, corrected over {len(found.comparisons)} comparisons (Holm)"
    return f"{sentence}."
