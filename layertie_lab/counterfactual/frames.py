"""A study's replicates as frames for charts and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ..analysis.statistics.intervals import LEVEL, mean_interval
from ..charts.comparisons.paired import Stated
from .judging import Replicates, differences, ends_on_other_windows
from .looking import look
from .spec import METRICS, StudySpec

CURVES = {"replicate": pl.Int64, "steps": pl.Int64, "branch": pl.String, "loss": pl.Float64}
DIFFERENCES = {"replicate": pl.Int64, "steps": pl.Int64, "difference": pl.Float64}
CURVE = {"steps": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "count": pl.Int64}
INTERIM = {"order": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
VALUES = {"replicate": pl.Int64, "order": pl.Int64, "difference": pl.Float64, "mean": pl.Float64}


def curves_frame(replicates: Replicates) -> pl.DataFrame:
    """Held-out loss (nats per token) of both branches of every replicate, by steps after the fork.

    Columns: replicate, steps, branch ("as proposed" or "as chosen"), loss.
    """
    rows = [
        {"replicate": values["replicate"], "steps": steps, "branch": branch, "loss": loss}
        for values in _whole(replicates)
        for side, branch in (("proposed", "as proposed"), ("answered", "as chosen"))
        for steps, loss in zip(values["marks"], values[side]["losses"], strict=True)
    ]
    return pl.DataFrame(rows, schema=CURVES)


def differences_frame(replicates: Replicates) -> pl.DataFrame:
    """Held-out loss as chosen minus as proposed (nats per token). Columns: replicate, steps, difference."""
    rows = [
        {"replicate": values["replicate"], "steps": steps, "difference": answered - proposed}
        for values in _whole(replicates)
        for steps, proposed, answered in zip(
            values["marks"], values["proposed"]["losses"], values["answered"]["losses"], strict=True
        )
    ]
    return pl.DataFrame(rows, schema=DIFFERENCES)


def difference_curve(replicates: Replicates, level: float = LEVEL) -> pl.DataFrame:
    """Mean difference at each mark with its Student t interval, pointwise: exploratory but at the stated horizon.

    Columns: steps, value, low, high (null with fewer than two replicates, or without spread), count.
    """
    frame, rows = differences_frame(replicates), []
    for (steps,), group in frame.group_by("steps", maintain_order=True):
        found = group["difference"].to_numpy()
        low = high = None
        if len(found) > 1 and np.ptp(found) > 0:
            interval = mean_interval(found, level)
            low, high = float(interval.low), float(interval.high)
        rows.append({"steps": steps, "value": float(found.mean()), "low": low, "high": high, "count": len(found)})
    return pl.DataFrame(rows, schema=CURVE)


def values_frame(spec: StudySpec, replicates: Replicates) -> pl.DataFrame:
    """The stated metric's difference of each replicate, and the running mean.

    Columns: replicate, order (1 .. R), difference, mean (of those so far).
    """
    found = differences(spec, replicates)
    means = np.cumsum(found) / np.arange(1, len(found) + 1) if len(found) else found
    rows = [
        {"replicate": spec.numbers[place], "order": place + 1, "difference": float(value), "mean": float(mean)}
        for place, (value, mean) in enumerate(zip(found, means, strict=True))
    ]
    return pl.DataFrame(rows, schema=VALUES)


def interim_frame(spec: StudySpec, replicates: Replicates) -> pl.DataFrame:
    """The planned interim analyses that have been reached: columns order (R), value (mean, or median where the sign
    test decides), low, high (at its own level)."""
    plan, found, rows = spec.plan, differences(spec, replicates), []
    for count in plan.reached(len(found)):
        if np.ptp(found[:count]) > 0:
            seen = look(found[:count], plan, spec.smallest_difference)
            if np.isfinite(seen.low):
                ends = {"low": float(seen.low), "high": float(seen.high)}
                rows.append({"order": count, "value": float(seen.value), **ends})
    return pl.DataFrame(rows, schema=INTERIM)


def tables_of(spec: StudySpec, replicates: Replicates) -> dict[str, pl.DataFrame]:
    """All of a study's frames by their names in `core.tables.STUDY_COLUMNS`.

    Raises:
        AnalysisError: A branch diverged.
    """
    return {
        "twin_curves": curves_frame(replicates),
        "twin_differences": differences_frame(replicates),
        "twin_curve": difference_curve(replicates),
        "twin_values": values_frame(spec, replicates),
        "twin_looks": interim_frame(spec, replicates),
    }


def _whole(replicates: Replicates) -> list[Mapping[str, Any]]:
    return [values for values in replicates if "marks" in values]


def windows_of(replicates: Replicates) -> tuple[int, int] | None:
    """From how many windows a study's curves are drawn, and on how many its metric is compared; None if not known."""
    return next(
        (
            (each["curve_windows"], each["windows"])
            for each in replicates
            if {"curve_windows", "windows"} <= each.keys()
        ),
        None,
    )


def stated_for_charts(spec: StudySpec, replicates: Replicates) -> Stated:
    """What the panels draw of a study besides its frames."""
    metric = METRICS[spec.metric]
    return Stated(
        spec.horizon,
        spec.smallest_difference,
        spec.steps_per_decision,
        metric.label,
        metric.unit,
        is_loss=spec.metric == "last",
        uneven=ends_on_other_windows(replicates),
        windows=windows_of(replicates),
    )
