"""How alike layers are: what passes them (CKA, neighbours, Procrustes), what they do, what they hold (weights).

They disagree for good reasons and are given side by side. Tied layers have equal weights and the same function, yet see
different inputs: only representations and updates tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import AnalysisError
from ...models.tied_model import TiedModel
from ...models.undisturbed import undisturbed
from ..capture import Tick, check_tokens, layers_of, passages, ties_of
from ..statistics.intervals import LEVEL, Estimate
from .cka import PERMUTATIONS
from .neighbours import NEIGHBOURS
from .registry import SIMILARITIES, Metric, Seen, Setup, similarities_of_any_shape, usual_similarities

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "method": pl.String, "layer_a": pl.Int64, "layer_b": pl.Int64, "owner_a": pl.Int64, "owner_b": pl.Int64,
    "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "null": pl.Float64, "sequences": pl.Int64,
    "chance": pl.Float64, "fresh": pl.Float64, "models": pl.Int64, "unit": pl.String, "least": pl.Float64,
}  # fmt: skip
Measured = tuple[Estimate, NDArray[np.float64], float | None]
"""A matrix [layers a, layers b] with its interval, its null, and what unrelated layers show on average if known."""


def layer_similarity(
    model: TiedModel,
    tokens: Tensor,
    methods: Sequence[str] | None = None,
    *,
    other: TiedModel | None = None,
    fresh: TiedModel | tuple[TiedModel, TiedModel] | None = None,
    k: int = NEIGHBOURS,
    metric: Metric = "cosine",
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    level: float = LEVEL,
    batch_size: int = 8,
    tick: Tick | None = None,
) -> pl.DataFrame:
    """Similarity of each pair of layers of one model, or of each layer of one with each of another.

    Args:
        model: It is left as it was.
        tokens: [sequences, time] probe tokens.
        methods: What to compare, out of `registry.SIMILARITIES`; None = the usual ones. Of those that are built in:
            cka: debiased linear CKA of the residual stream after each layer, a minibatch per sequence.
            updates: mean cosine between what the two layers add to the residual stream for the same token, each in
                its own place.
            function: the same cosine when both layers are given layer a's input; not symmetric. 1 for tied layers.
            weights: cosine between all weights, taken as one vector.
            neighbours: share of the `k` nearest tokens of the same sequence that the residual streams after the two
                layers have in common.
            procrustes: how well one rotation carries the one residual stream onto the other, over all tokens; biased
                upwards, so only what exceeds its null says something.
        other: A second model (another branch, moment or run), whose layers are the columns. Depths may differ. Ask
            `inspection.comparable` first whether the two read the same tokens. The residual streams of two models
            from different initial weights have no directions in common: between them, updates, function and weights
            are near their null, whatever the models do.
        fresh: A freshly initialised model of the same shape (`fresh.freshly_initialised`), or one for each of the two;
            what the same pair shows there fills the column `fresh`.
        k: Neighbours of a token.
        metric: Distance between tokens for the neighbours, cosine or euclidean.
        permutations: Random pairings of tokens behind the null; with 19, an unrelated pair exceeds it 1 time in 20.
        seed: Seed of these pairings.
        level: Coverage of the intervals, 0 to 1.
        batch_size: Sequences per forward pass.
        tick: Called with the share done; may raise to cancel.

    Returns:
        One row per method and ordered pair of layers. `low` and `high`: interval over probe sequences (jackknife for
        cka and procrustes, Student's t for the others; weights are not sampled: their interval is the value,
        `sequences` is 0). `null`: what unrelated layers reach 1 time in 20: tokens (for weights: the entries of each
        tensor) paired at random. `chance`: what they show on average where theory says (cka 0, neighbours
        k / (tokens - 1)). `fresh`: see above, else null. `models`: 1 within one model, 2 between two. `unit`: what a
        value is, with its range; `least`: the smallest that it can be (the largest is 1).

    Raises:
        AnalysisError: Too few or too short sequences, an unknown method, models whose shapes the method cannot compare,
            or a model that has diverged.
    """
    chosen = tuple(dict.fromkeys(usual_similarities() if methods is None else methods))
    unknown = [method for method in chosen if method not in SIMILARITIES]
    if unknown or not chosen:
        raise AnalysisError(
            f"Expected methods out of {', '.join(SIMILARITIES.names)}, but got "
            f"{', '.join(map(repr, unknown)) or 'none'}.",
            "Name one of these.",
        )

    def compare(a: TiedModel, b: TiedModel | None, permutations: int, tick: Tick | None) -> dict[str, Measured]:
        return _compare(a, b, tokens, chosen, k, metric, permutations, seed, level, batch_size, tick)

    untrained = _untrained(model, other, fresh)
    found = compare(model, other, permutations, _part(tick, 0.0, 1.0 if untrained is None else 0.6))
    # The value alone is wanted of the fresh models.
    begun = {} if untrained is None else compare(*untrained, 1, _part(tick, 0.6, 1.0))
    owners = ties_of(model).owners, ties_of(model if other is None else other).owners
    models = 1 if other is None else 2
    return pl.concat([_frame(method, found[method], begun.get(method), *owners, models) for method in chosen])


def _untrained(
    model: TiedModel, other: TiedModel | None, fresh: TiedModel | tuple[TiedModel, TiedModel] | None
) -> tuple[TiedModel, TiedModel | None] | None:
    """The fresh models that stand in for the two sides."""
    if fresh is None:
        return None
    pair = fresh if isinstance(fresh, tuple) else (fresh, None if other is None else fresh)
    depths = [len(layers_of(side)) for side in pair if side is not None]
    wanted = [len(layers_of(side)) for side in (model, other) if side is not None]
    if depths != wanted:
        raise AnalysisError(
            f"Expected freshly initialised models of {' and '.join(map(str, wanted))} layers, but got "
            f"{' and '.join(map(str, depths))}.",
            "Give a fresh model of the same shape, or one for each of the two models.",
        )
    return pair


def _part(tick: Tick | None, start: float, end: float) -> Tick | None:
    return None if tick is None else lambda share: tick(start + (end - start) * share)


def _compare(
    model: TiedModel,
    other: TiedModel | None,
    tokens: Tensor,
    methods: Sequence[str],
    k: int,
    metric: Metric,
    permutations: int,
    seed: int,
    level: float,
    batch_size: int,
    tick: Tick | None,
) -> dict[str, Measured]:
    """One pass over the probe set for all methods that need it."""
    models = [model] if other is None else [model, other]
    for side in models:
        check_tokens(side, tokens, least=4)
    if other is not None:
        _check_shapes(model, other, methods)
    layers = [layers_of(side) for side in models]
    setup = Setup(layers[0], None if other is None else layers[1], permutations, seed, k, metric)
    with ExitStack() as stack, torch.no_grad():
        for side in models:
            stack.enter_context(undisturbed(side))
        comparisons = {method: SIMILARITIES.get(method)(setup) for method in methods}
        fed = [comparison for comparison in comparisons.values() if comparison.reads_text]
        for start in range(0, len(tokens) if fed else 0, batch_size):
            passed = [passages(side, tokens[start : start + batch_size]) for side in models]
            seen = Seen(passed[0], passed[-1], layers[-1])
            for comparison in fed:
                comparison.update(seen)
            if tick is not None:
                tick(min(start + batch_size, len(tokens)) / len(tokens))
    return {method: (each.estimate(level), each.null(), each.chance) for method, each in comparisons.items()}


def _check_shapes(model: TiedModel, other: TiedModel, methods: Sequence[str]) -> None:
    """Refuse methods that need equal shapes."""
    bound = [method for method in methods if not SIMILARITIES.describe(method).any_shape]
    widths = [model.width, other.width]
    if bound and widths[0] != widths[1]:
        raise AnalysisError(
            f"Expected two models of equal width for {', '.join(bound)}, but got {widths[0]} and {widths[1]} features: "
            "what is of another length has no cosine.",
            f"Compare them by {', '.join(similarities_of_any_shape())}.",
        )


def _frame(
    method: str,
    measured: Measured,
    begun: Measured | None,
    owners_a: tuple[int, ...],
    owners_b: tuple[int, ...],
    models: int,
) -> pl.DataFrame:
    found, null, chance = measured
    described = SIMILARITIES.describe(method)
    a, b = (index.ravel() for index in np.indices(found.value.shape))
    pairs = len(a)
    columns = {
        "method": [method] * pairs,
        "layer_a": a,
        "layer_b": b,
        "owner_a": np.asarray(owners_a)[a],
        "owner_b": np.asarray(owners_b)[b],
        "value": found.value.ravel(),
        "low": found.low.ravel(),
        "high": found.high.ravel(),
        "null": null.ravel(),
        "sequences": [found.count] * pairs,
        "chance": [chance] * pairs,
        "fresh": [None] * pairs if begun is None else begun[0].value.ravel(),
        "models": [models] * pairs,
        "unit": [described.unit] * pairs,
        "least": [described.least] * pairs,
    }
    return pl.DataFrame(columns, schema=SCHEMA)
