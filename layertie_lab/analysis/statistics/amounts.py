"""A run's metric over what it had spent or held when it was measured: steps, tokens, parameters, operations, time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from ...core.config import RunConfig
from ...core.errors import AnalysisError
from ...core.ties import TieMap
from ...records.log.reader import Run

# What counts operations loads torch, and is imported where they are counted: a page that compares runs is not to wait.

Metric = Literal["validation-loss", "perplexity", "bits-per-byte", "train-loss", "trainable-parameters", "memory"]
At = Literal["steps", "tokens", "parameters", "flops", "time"]
UNITS: dict[str, str] = {
    "validation-loss": "nats", "perplexity": "", "bits-per-byte": "bits", "train-loss": "nats",
    "trainable-parameters": "parameters", "memory": "bytes",
}  # fmt: skip
AXES = {"steps": "optimizer steps", "tokens": "tokens of training", "parameters": "trainable parameters",
        "flops": "training operations (FLOPs)", "time": "seconds of training"}  # fmt: skip
"""What runs are brought to the same amount of."""
_COLUMNS = {"validation-loss": "loss", "perplexity": "perplexity", "bits-per-byte": "bits_per_byte"}


def curve_of(run: Run, metric: Metric, at: At) -> pl.DataFrame:
    """A row per step where the metric is known: step, x (so much of the axis there), value (in `UNITS`).

    With at="parameters" without the start, which is no training, where there is more.

    Raises:
        AnalysisError: The run has recorded none of it, or not what the axis counts.
    """
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
    if at == "parameters" and (trained := frame.filter(pl.col("step") > 0)).height:
        # Most runs begin all tied: at few parameters each would be compared before it has learnt anything.
        frame = trained
    x = pl.Series(_amounts(run, at, frame["step"].to_list()), dtype=pl.Float64)
    return frame.select("step", "value").with_columns(x=x)


def _amounts(run: Run, at: At, steps: list[int]) -> list[float]:
    """How much of the axis a run had after so many steps."""
    if at == "steps":
        return [float(step) for step in steps]
    if at == "tokens":
        return [float(step * tokens_per_step(run.config)) for step in steps]
    ends = [0, *run.decisions["step"].to_list()]
    if at == "parameters":
        assert run.opened is not None, "a run with a metric has been opened"
        counts = [run.opened.trainable_parameters, *run.decisions["trainable_parameters"].to_list()]
        return [float(counts[int(np.searchsorted(ends, step, side="right")) - 1]) for step in steps]
    spent = np.cumsum([0.0, *(_seconds(run) if at == "time" else _operations(run))])
    return [float(amount) for amount in np.interp(steps, ends, spent)]


def tokens_per_step(config: RunConfig) -> int:
    """Tokens that an optimizer step reads."""
    return config.model.context * config.training.batch_size * config.training.accumulate


def _seconds(run: Run) -> list[float]:
    """Seconds inside optimizer steps of each decision with an outcome."""
    timings = run.timings.drop_nulls("training_seconds")
    known = dict(zip(timings["decision"].to_list(), timings["training_seconds"].to_list(), strict=True))
    decisions = run.decisions["decision"].to_list()
    if missing := [decision for decision in decisions if decision not in known]:
        raise AnalysisError(
            f"Expected the times of all decisions of {run.path}, but {len(missing)} are missing, the first that of "
            f"decision {missing[0]}.",
            "Compare at equal steps; a branch has no times of before it left.",
        )
    return [known[decision] for decision in decisions]


def _operations(run: Run) -> list[float]:
    """Training operations of each decision with an outcome."""
    from ...models.counts import flops_per_token

    config, opened, decisions = run.config, run.opened, run.decisions
    assert opened is not None, "a run with a metric has been opened"
    tokens = tokens_per_step(config)
    maps = run.ties.sort("decision", "layer").group_by("decision", maintain_order=True).agg("source")
    sources = dict(zip(maps["decision"].to_list(), maps["source"].to_list(), strict=True))
    each: dict[tuple[int, ...], int] = {}
    found, before = [], 0
    for decision, step in decisions.select("decision", "step").iter_rows():
        ties = tuple(sources[decision])
        if ties not in each:
            parts = flops_per_token(config.model, opened.vocabulary_size, TieMap(ties), config.ties.gradient)
            each[ties] = sum(parts.values())
        found.append(float(each[ties] * tokens * (step - before)))
        before = step
    return found


def common_place(curves: Mapping[Path, pl.DataFrame], at: At, where: float | None) -> float:
    """How much of the axis all runs are compared at.

    Args:
        curves: Run -> its `curve_of`.
        at: What the axis counts.
        where: So much, or None = the most that all have (parameters: the least that all came down to).

    Raises:
        AnalysisError: No number of steps, operations or seconds from 0 on, or some run has not come so far.
    """
    if where is not None and not (math.isfinite(where) and where >= 0):
        raise AnalysisError(
            f"Expected an amount of {AXES[at]} from 0 on, but got {where:g}.", "Give another horizon, or none."
        )
    if at == "steps":
        return _common_step(curves, where)
    least = max(_bounds(curve)[0] for curve in curves.values())
    if at == "parameters":
        if where is not None and where < least:
            raise AnalysisError(
                f"Expected runs that all came down to {where:,.0f} trainable parameters, but one has {least:,.0f} at "
                "the least.",
                f"Compare at {least:,.0f} or more.",
            )
        return least if where is None else where
    most = min(_bounds(curve)[1] for curve in curves.values())
    if least > most:
        raise AnalysisError(
            f"Expected runs that were measured at some equal amount of {AXES[at]}, but one begins at {least:g} and "
            f"another ends at {most:g}.",
            "Let the shorter run go on.",
        )
    if where is not None and not least <= where <= most:
        raise AnalysisError(
            f"Expected runs that were all measured around {where:g} {AXES[at]}, but they all were from {least:g} to "
            f"{most:g} only.",
            "Choose a horizon in between, or let the shorter run go on.",
        )
    return most if where is None else where


def _common_step(curves: Mapping[Path, pl.DataFrame], where: float | None) -> float:
    common = set.intersection(*(set(curve["step"].to_list()) for curve in curves.values()))
    last = max(common, default=-1)
    # Before any training all runs of a seed are alike: nobody means that step who does not ask for it.
    if last < (1 if where is None and any(_bounds(curve)[1] > 0 for curve in curves.values()) else 0):
        raise AnalysisError(
            "Expected runs that were evaluated after equally many steps at some time, but they never were: "
            f"{_ends(curves)}.",
            "Compare at equal flops, or by a metric of every decision, such as train-loss.",
        )
    if where is None:
        return float(last)
    allowed = [step for step in common if step <= where]
    if where > last or not allowed:
        raise AnalysisError(
            f"Expected runs that were all evaluated at about step {where:g}, but the steps they share go from "
            f"{min(common)} to {last}: {_ends(curves)}.",
            f"Choose a horizon from {min(common)} to {last}, or let the shorter run go on.",
        )
    return float(max(allowed))


def _ends(curves: Mapping[Path, pl.DataFrame]) -> str:
    shown = [f"{path} ends at step {_bounds(curve, 'step')[1]:.0f}" for path, curve in list(curves.items())[:4]]
    return ", ".join(shown) + (", ..." if len(curves) > 4 else "")


def _bounds(curve: pl.DataFrame, column: str = "x") -> tuple[float, float]:
    values: Sequence[float] = curve[column].to_list()
    return min(values), max(values)


def read_off(curve: pl.DataFrame, at: At, place: float) -> tuple[float, float, float]:
    """A run's (value, amount, optimizer steps) at that much of the axis.

    With at="parameters" at the last row with at most so many; between two rows of operations or seconds on the straight
    line.
    """
    steps, xs, values = (curve[name].to_numpy() for name in ("step", "x", "value"))
    if at in ("steps", "parameters"):
        index = int(np.flatnonzero(xs <= place)[-1])
        return float(values[index]), float(xs[index]), float(steps[index])
    return float(np.interp(place, xs, values)), place, float(np.interp(place, xs, steps))
