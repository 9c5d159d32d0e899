"""How alike layers are: what passes them (CKA, neighbours, Procrustes), what they do, what they hold (weights).

They disagree for good reasons and are given side by side. Tied layers have equal weights and the same function, yet see
different inputs: only representations and updates tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Literal, get_args

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core.errors import AnalysisError
from ...models.tied_model import TiedModel
from ..capture import Passage, Tick, check_tokens, layers_of, passages, ties_of, undisturbed
from ..statistics.intervals import LEVEL, Estimate
from .cka import PERMUTATIONS, LinearCKA
from .cosines import MeanCosine, Pairs
from .neighbours import NEIGHBOURS, Metric, MutualNeighbours
from .procrustes import Procrustes
from .weights import weight_similarity

Method = Literal["cka", "updates", "function", "weights", "neighbours", "procrustes"]
METHODS: tuple[Method, ...] = get_args(Method)
USUAL: tuple[Method, ...] = ("cka", "updates", "function", "weights")
"""Methods where none are named."""
REPRESENTATIONS: tuple[Method, ...] = ("cka", "neighbours", "procrustes")
"""Methods that compare models of any shape."""
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "method": pl.String, "layer_a": pl.Int64, "layer_b": pl.Int64, "owner_a": pl.Int64, "owner_b": pl.Int64,
    "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "null": pl.Float64, "sequences": pl.Int64,
    "chance": pl.Float64, "fresh": pl.Float64, "models": pl.Int64,
}  # fmt: skip
Measured = tuple[Estimate, NDArray[np.float64], float | None]
"""A matrix [layers a, layers b] with its interval, its null, and what unrelated layers show on average if known."""


def layer_similarity(
    model: TiedModel,
    tokens: Tensor,
    methods: Sequence[Method] = USUAL,
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
        methods: What to compare.
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
        k / (tokens - 1)). `fresh`: see above, else null. `models`: 1 within one model, 2 between two. All values are
        between -1 and 1, those of neighbours and procrustes from 0 on.

    Raises:
        AnalysisError: Too few or too short sequences, an unknown method, models whose shapes the method cannot compare,
            or a model that has diverged.
    """
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        raise AnalysisError(
            f"Expected methods out of {', '.join(METHODS)}, but got {', '.join(map(repr, unknown)) or 'none'}.",
            "Name one of these.",
        )
    chosen = tuple(dict.fromkeys(methods))

    def compare(a: TiedModel, b: TiedModel | None, permutations: int, tick: Tick | None) -> dict[Method, Measured]:
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
    methods: Sequence[Method],
    k: int,
    metric: Metric,
    permutations: int,
    seed: int,
    level: float,
    batch_size: int,
    tick: Tick | None,
) -> dict[Method, Measured]:
    """One pass over the probe set for all methods that need it."""
    models = [model] if other is None else [model, other]
    for side in models:
        check_tokens(side, tokens, least=4)
    if other is not None:
        _check_shapes(model, other, methods)
    layers = [layers_of(side) for side in models]
    found: dict[Method, Measured] = {}
    streams: dict[Method, LinearCKA | MutualNeighbours | Procrustes] = {
        "cka": LinearCKA(permutations, seed),
        "neighbours": MutualNeighbours(permutations, seed, k, metric),
        "procrustes": Procrustes(permutations, seed),
    }
    streams = {method: streams[method] for method in methods if method in streams}
    cosines: dict[Method, MeanCosine] = {m: MeanCosine(permutations, seed) for m in _PAIRS if m in methods}
    with ExitStack() as stack, torch.no_grad():
        for side in models:
            stack.enter_context(undisturbed(side))
        if "weights" in methods:
            value, null = weight_similarity(*layers)
            found["weights"] = value, null, None
        for start in range(0, len(tokens) if streams or cosines else 0, batch_size):
            seen = [passages(side, tokens[start : start + batch_size]) for side in models]
            after = [torch.stack([passage.output for passage in side], dim=1) for side in seen]  # [B, L, T, D]
            for accumulator in streams.values():
                for sequence in zip(*after, strict=True):  # [L, T, D] per model
                    accumulator.update(*sequence)
            for method, cosine in cosines.items():
                cosine.update(_PAIRS[method](layers[-1], seen[0], seen[-1]))
            if tick is not None:
                tick(min(start + batch_size, len(tokens)) / len(tokens))
    for method, cosine in cosines.items():
        found[method] = cosine.estimate(level), cosine.null(), None
    for method, accumulator in streams.items():
        found[method] = accumulator.estimate(level), accumulator.null(), accumulator.chance
    return found


def _check_shapes(model: TiedModel, other: TiedModel, methods: Sequence[Method]) -> None:
    """Refuse methods that need equal shapes."""
    bound = [method for method in methods if method not in REPRESENTATIONS]
    widths = [model.width, other.width]
    if bound and widths[0] != widths[1]:
        raise AnalysisError(
            f"Expected two models of equal width for {', '.join(bound)}, but got {widths[0]} and {widths[1]} features: "
            "what is of another length has no cosine.",
            f"Compare them by {', '.join(REPRESENTATIONS)}.",
        )


def _in_place(layers: list[nn.Module], seen: list[Passage], seen_b: list[Passage]) -> Pairs:
    updates = [passage.update for passage in seen_b]
    return ((at.update, [update.to(at.output.device) for update in updates]) for at in seen)


def _on_same_input(layers: list[nn.Module], seen: list[Passage], seen_b: list[Passage]) -> Pairs:
    for at in seen:
        x = at.before.to(seen_b[0].output.device)
        # All but the residual stream is the layer's own: two models may rotate positions differently.
        there = [layer(x, *its.arguments[1:], **its.keywords) - x for layer, its in zip(layers, seen_b, strict=True)]
        yield at.update, [update.to(at.output.device) for update in there]


_PAIRS: dict[Method, Callable[[list[nn.Module], list[Passage], list[Passage]], Pairs]] = {
    "updates": _in_place,
    "function": _on_same_input,
}


def _frame(
    method: Method,
    measured: Measured,
    begun: Measured | None,
    owners_a: tuple[int, ...],
    owners_b: tuple[int, ...],
    models: int,
) -> pl.DataFrame:
    found, null, chance = measured
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
    }
    return pl.DataFrame(columns, schema=SCHEMA)
