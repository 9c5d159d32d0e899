"""Rows of the frames of attribution: one layer, one method, its value with an interval where there can be one."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...core.errors import AnalysisError
from ...models.tied_model import Metric
from ..statistics.intervals import mean_interval
from .registry import AttributionDescription
from .targets import Target

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "method": pl.String, "layer": pl.Int64, "owner": pl.Int64, "value": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "unit": pl.String, "sequences": pl.Int64, "completeness_error": pl.Float64,
    "baseline": pl.String, "total": pl.Float64, "neighbour": pl.Int64, "target_sequence": pl.Int64,
    "target_position": pl.Int64, "lowers": pl.String, "points": pl.Int64,
}  # fmt: skip
"""Columns of `attribution` and `replacement`. neighbour: the layer whose block stood in (methods replaced-...);
target_sequence, target_position: the token whose loss is explained; null: the mean loss of all tokens. lowers: on
which side of 0 the layer lowers the loss, above or below. points: on the path, of methods that go along one."""


def row(
    described: AttributionDescription,
    metric: Metric,
    layer: int,
    owner: int,
    samples: NDArray[np.float64] | None,
    level: float,
    target: Target | None,
) -> dict[str, Any]:
    """The row of a layer from its value on each sequence, [sequences]; None where there is none.

    Raises:
        AnalysisError: Fewer than two sequences (but for one token's loss, which has no interval), or not finite.
    """
    method = described.name
    found: dict[str, Any] = {
        "method": method,
        "layer": layer,
        "owner": owner,
        "unit": f"{metric.unit}, {described.unit}",
    }
    found["lowers"] = described.lowers
    if samples is None:
        return found
    found["sequences"] = len(samples)
    if target is None:
        estimate = mean_interval(samples, level)
        return found | {"value": float(estimate.value), "low": float(estimate.low), "high": float(estimate.high)}
    if not np.isfinite(samples).all():
        raise AnalysisError(
            f"Expected a finite value of {method} at layer {layer}, but got {samples[0]}.",
            "The model has diverged; look at an earlier moment.",
        )
    return found | {"value": float(samples[0]), "target_sequence": target.sequence, "target_position": target.position}
