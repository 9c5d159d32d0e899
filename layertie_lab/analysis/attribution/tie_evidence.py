"""Would the similarity have told us what to tie? How alike two layers are, against what tying them costs at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from ...core.errors import AnalysisError
from ..statistics.intervals import LEVEL, jackknife_interval

NEARNESS = "nearness"
"""What the order of the layers alone tells: minus the number of layers from one to the other."""
LEAST_LAYERS = 5
"""Fewer layers leave too few values for an interval by leaving one out."""
_SIMILARITY = ["method", "layer_a", "layer_b", "owner_a", "owner_b", "value", "low", "high", "null", "unit"]
_COSTS = ["layer", "answer", "owner", "present", "change", "low", "high", "sequences"]
CORRELATIONS: dict[str, type[pl.DataType]] = {
    "method": pl.String, "measure": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "mantel_p": pl.Float64, "layers": pl.Int64, "pairs": pl.Int64,
}  # fmt: skip


def similarity_and_cost(similarity: pl.DataFrame, costs: pl.DataFrame) -> pl.DataFrame:
    """Each pair of layers with its similarity and with what it costs at once that the later copies the earlier.

    Args:
        similarity: `similarity.layer_similarity` of one model.
        costs: `tie_costs.tie_costs` of the same model on the same probe set.

    Returns:
        A row per method and pair, layer above answer: method, layer, answer, owner (whose weights the layer would use;
        null where it was not asked), similarity, similarity_low, similarity_high, null, unit (of the similarity),
        change (of the loss, nats per token), low, high, sequences, and `counts`: whether the action gives the layer
        other weights than it has now.
        Where it does not, the change is 0 whatever the similarity, and the pair says nothing. Of function, which is not
        symmetric, it is the value on the input of the layer that would copy.

    Raises:
        AnalysisError: A column is missing, the similarity is between two models, or the two frames share no pair.
    """
    for frame, columns, what in ((similarity, _SIMILARITY, "layer_similarity"), (costs, _COSTS, "tie_costs")):
        missing = [column for column in columns if column not in frame.columns]
        if missing:
            raise AnalysisError(
                f"Expected the columns of {what}, but {', '.join(missing)} are missing.", f"Take the frame from {what}."
            )
    if "models" in similarity.columns and (similarity["models"] != 1).any():
        raise AnalysisError(
            "Expected similarities within one model, but got those of two.", "What ties cost is about one model."
        )
    asked = costs.filter(pl.col("layer") != pl.col("answer")).select(
        "layer", "answer", "owner", "present", "change", "low", "high", "sequences"
    )
    pairs = similarity.filter(pl.col("layer_a") > pl.col("layer_b")).select(
        "method",
        "owner_a",
        "null",
        "unit",
        layer="layer_a",
        answer="layer_b",
        similarity="value",
        similarity_low="low",
        similarity_high="high",
    )
    found = pairs.join(asked, on=["layer", "answer"], how="left", maintain_order="left")
    if found["change"].null_count() == found.height:
        raise AnalysisError(
            "Expected similarities and costs of the same layers, but they share no pair.",
            "Compute both on the same model, each order of a pair included.",
        )
    counts = ~pl.col("present") & (pl.col("owner") != pl.col("owner_a"))
    return found.with_columns(counts=counts.fill_null(False)).select(
        "method",
        "layer",
        "answer",
        "owner",
        "similarity",
        "similarity_low",
        "similarity_high",
        "null",
        "unit",
        "change",
        "low",
        "high",
        "sequences",
        "counts",
    )


def rank_correlations(
    frame: pl.DataFrame, *, permutations: int = 999, seed: int = 0, level: float = LEVEL
) -> pl.DataFrame:
    """Rank correlation of similarity and cost; below 0 where more alike layers are cheaper to tie.

    Pairs are not independent, for each layer is in many. So the interval is a jackknife that leaves out one *layer*
    with all its pairs, and the p-value is Mantel's: the names of the layers are permuted on the one side. Both are
    about these layers of this one model, not about others. That tests for any association, and layers near each other
    are both alike and cheap to tie: `nearness` shows what their order alone tells.

    Args:
        frame: `similarity_and_cost`; all pairs, for the permutations.
        permutations: Of the names of the layers.
        seed: Of these permutations.
        level: Coverage of the intervals, 0 to 1.

    Returns:
        Two rows per method, and for `nearness`: method, measure (spearman: rho; kendall: tau-b), value, low, high,
        mantel_p (two-sided, at least 1 / (permutations + 1); of both measures, by rho), layers, pairs. Null where one
        side is the same for all pairs, and without interval where it would be so without some layer.

    Raises:
        AnalysisError: Fewer than `LEAST_LAYERS` layers in pairs that count.

    Source: Mantel (Cancer Research 1967) for the permutations.
    """
    rows = []
    near = frame.filter(method=frame["method"][0]) if frame.height else frame
    near = near.with_columns(method=pl.lit(NEARNESS), similarity=(pl.col("answer") - pl.col("layer")).cast(pl.Float64))
    for (method,), pairs in pl.concat([frame, near]).group_by("method", maintain_order=True):
        counted = pairs.filter("counts")
        ends = counted.select("layer", "answer").to_numpy()
        layers = np.unique(ends)
        if len(layers) < LEAST_LAYERS:
            raise AnalysisError(
                f"Expected pairs of at least {LEAST_LAYERS} layers whose tie would change something, but got "
                f"{len(layers)}.",
                "Ask about all layers of a deeper model.",
            )
        x, y = counted["similarity"].to_numpy(), counted["change"].to_numpy()
        p = _mantel(pairs, ends, y, permutations, seed)
        for measure, correlate in _MEASURES.items():
            value, low, high = _with_interval(correlate, x, y, ends, layers, level)
            rows.append((method, measure, value, low, high, p, len(layers), len(counted)))
    return pl.DataFrame(rows, schema=CORRELATIONS, orient="row")


Correlate = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


def _varied(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    return len(x) > 2 and float(np.ptp(x)) > 0 and float(np.ptp(y)) > 0


_MEASURES: dict[str, Correlate] = {
    # [0] is the statistic; scipy's named result has no type.
    "spearman": lambda x, y: np.asarray(stats.spearmanr(x, y))[0].item() if _varied(x, y) else np.nan,
    "kendall": lambda x, y: np.asarray(stats.kendalltau(x, y))[0].item() if _varied(x, y) else np.nan,
}


def _with_interval(
    correlate: Correlate,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    ends: NDArray[np.int64],
    layers: NDArray[np.int64],
    level: float,
) -> tuple[float | None, float | None, float | None]:
    value = correlate(x, y)
    if not np.isfinite(value):
        return None, None, None
    without = [(ends != layer).all(axis=1) for layer in layers]
    left_out = np.array([correlate(x[keep], y[keep]) for keep in without])
    if not np.isfinite(left_out).all():
        return value, None, None
    found = jackknife_interval(value, left_out, level, bounds=(-1.0, 1.0))
    return value, float(found.low), float(found.high)


def _mantel(
    pairs: pl.DataFrame, ends: NDArray[np.int64], costs: NDArray[np.float64], permutations: int, seed: int
) -> float | None:
    """Share of relabelings whose rho is at least as far from 0, the true one among them."""
    every = pairs.select("layer", "answer").to_numpy()
    size = int(every.max()) + 1
    matrix = np.full((size, size), np.nan)
    matrix[every[:, 0], every[:, 1]] = matrix[every[:, 1], every[:, 0]] = pairs["similarity"].to_numpy()
    names = np.unique(every)
    if np.isnan(matrix[np.ix_(names, names)][~np.eye(len(names), dtype=bool)]).any():
        raise AnalysisError(
            "Expected the similarity of every pair of layers, for the permutations, but some are missing.",
            "Hand over all rows of similarity_and_cost, also those that do not count.",
        )
    if not _varied(matrix[ends[:, 0], ends[:, 1]], costs):
        return None
    generator = np.random.default_rng(seed)
    orders = np.stack([np.arange(size)] + [_renamed(names, size, generator) for _ in range(permutations)])
    ranks = stats.rankdata(matrix[orders[:, ends[:, 0]], orders[:, ends[:, 1]]], axis=1)  # [1 + permutations, pairs]
    ranks -= ranks.mean(axis=1, keepdims=True)
    of_costs = stats.rankdata(costs) - (len(costs) + 1) / 2
    norms = np.sqrt((ranks**2).sum(axis=1) * (of_costs**2).sum())
    # A relabeling may meet pairs that are all equally alike: no association.
    rho = np.divide(ranks @ of_costs, norms, out=np.zeros(len(ranks)), where=norms > 0)
    # Rounding must not make an equal arrangement a smaller one.
    return float((np.abs(rho) >= abs(rho[0]) - 1e-12).mean())


def _renamed(names: NDArray[np.int64], size: int, generator: np.random.Generator) -> NDArray[np.int64]:
    order = np.arange(size)
    order[names] = generator.permutation(names)
    return order
