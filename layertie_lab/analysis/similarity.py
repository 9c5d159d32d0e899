"""How alike layers are: what they hold (weights), what passes them (CKA), and what they do (updates, function).

The four disagree for good reasons and are given side by side. Tied layers have equal weights and the same function, yet
see different inputs: only representations and updates tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, get_args

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..core.errors import AnalysisError
from .capture import Passage, Tick, check_tokens, layers_of, passages, ties_of, undisturbed
from .cka import PERMUTATIONS, LinearCKA
from .statistics import LEVEL, Estimate, mean_interval
from .weights import weight_similarity

Method = Literal["cka", "updates", "function", "weights"]
METHODS: tuple[Method, ...] = get_args(Method)
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "method": pl.String, "layer_a": pl.Int64, "layer_b": pl.Int64, "owner_a": pl.Int64, "owner_b": pl.Int64,
    "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "null": pl.Float64, "sequences": pl.Int64,
}  # fmt: skip
Measured = tuple[Estimate, NDArray[np.float64]]
"""A matrix [layers, layers] with its interval, and its null."""


def layer_similarity(
    model: nn.Module,
    tokens: Tensor,
    methods: Sequence[Method] = METHODS,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    level: float = LEVEL,
    batch_size: int = 8,
    tick: Tick | None = None,
) -> pl.DataFrame:
    """Similarity of each pair of layers of one model.

    Args:
        model: With `.embed`, `.stack.layers` and `.stack.ties`. It is left as it was.
        tokens: [sequences, time] probe tokens.
        methods: What to compare.
            cka: debiased linear CKA of the residual stream after each layer, a minibatch per sequence.
            updates: mean cosine between what the two layers add to the residual stream for the same token, each in
                its own place.
            function: the same cosine when both layers are given layer a's input; not symmetric. 1 for tied layers.
            weights: cosine between all weights, taken as one vector.
        permutations: Random pairings of tokens behind the null; with 19, an unrelated pair exceeds it 1 time in 20.
        seed: Seed of these pairings.
        level: Coverage of the intervals, 0 to 1.
        batch_size: Sequences per forward pass.
        tick: Called with the share done; may raise to cancel.

    Returns:
        One row per method and ordered pair of layers. `low` and `high`: interval over probe sequences (jackknife for
        cka, Student's t for the cosines; weights are not sampled: their interval is the value, `sequences` is 0).
        `null`: what unrelated layers reach 1 time in 20: tokens (for weights: the entries of each tensor) paired at
        random. All values are between -1 and 1.

    Raises:
        AnalysisError: Too few or too short sequences, an unknown method, or a model that has diverged.
    """
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        raise AnalysisError(
            f"Expected methods out of {', '.join(METHODS)}, but got {', '.join(map(repr, unknown)) or 'none'}.",
            "Name one of these.",
        )
    check_tokens(model, tokens, least=4)
    found: dict[Method, Measured] = {}
    with undisturbed(model), torch.no_grad():
        if "weights" in methods:
            found["weights"] = weight_similarity(layers_of(model))
        if set(methods) - {"weights"}:
            found |= _on_probe(model, tokens, methods, permutations, seed, level, batch_size, tick)
    owners = ties_of(model).owners
    return pl.concat([_frame(method, *found[method], owners) for method in dict.fromkeys(methods)])


def _on_probe(
    model: nn.Module,
    tokens: Tensor,
    methods: Sequence[Method],
    permutations: int,
    seed: int,
    level: float,
    batch_size: int,
    tick: Tick | None,
) -> dict[Method, Measured]:
    """One pass over the probe set for all methods that need it."""
    layers = layers_of(model)
    cka = LinearCKA(permutations, seed)
    cosines: dict[Method, MeanCosine] = {m: MeanCosine(permutations, seed) for m in _PAIRS if m in methods}
    for start in range(0, len(tokens), batch_size):
        seen = passages(model, tokens[start : start + batch_size])
        if "cka" in methods:
            for sequence in torch.stack([passage.output for passage in seen], dim=1):  # [L, T, D]
                cka.update(sequence)
        for method, cosine in cosines.items():
            cosine.update(_PAIRS[method](layers, seen))
        if tick is not None:
            tick(min(start + batch_size, len(tokens)) / len(tokens))
    found: dict[Method, Measured] = {m: (cosine.estimate(level), cosine.null()) for m, cosine in cosines.items()}
    if "cka" in methods:
        found["cka"] = cka.estimate(level), cka.null()
    return found


Pairs = Iterable[tuple[Tensor, list[Tensor]]]
"""For each layer a, its vectors [batch, time, features] and those of every layer b to compare them with."""


def _in_place(layers: list[nn.Module], seen: list[Passage]) -> Pairs:
    updates = [passage.update for passage in seen]
    return ((own, updates) for own in updates)


def _on_same_input(layers: list[nn.Module], seen: list[Passage]) -> Pairs:
    for at in seen:
        yield at.update, [layer(*at.arguments, **at.keywords) - at.before for layer in layers]


_PAIRS: dict[Method, Callable[[list[nn.Module], list[Passage]], Pairs]] = {
    "updates": _in_place,
    "function": _on_same_input,
}


class MeanCosine:
    """Mean cosine between paired vectors, over tokens within a sequence and then over sequences.

    Args:
        permutations: Random pairings of tokens (within a sequence) behind the null.
        seed: Seed of these pairings.
    """

    def __init__(self, permutations: int = PERMUTATIONS, seed: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._permutations = permutations
        self._means: list[Tensor] = []  # [batch, 1 + permutations, A, B]; as paired first, then at random

    def update(self, pairs: Pairs) -> None:
        """Add a batch of sequences."""
        rows: list[Tensor] = []
        orders: Tensor | None = None
        for own, others in pairs:
            orders = self._orders(own) if orders is None else orders
            shuffled = normalize(own, dim=-1).gather(1, orders[..., None].expand(-1, -1, own.shape[-1]))
            a = shuffled.reshape(len(own), 1 + self._permutations, -1)  # [B, 1+R, T*D]
            b = torch.stack([normalize(other, dim=-1).flatten(1) for other in others], dim=1)  # [B, L, T*D]
            rows.append((a @ b.mT).to("cpu", torch.float64) / own.shape[1])  # [B, 1+R, L]
        self._means.append(torch.stack(rows, dim=2))

    def estimate(self, level: float = LEVEL) -> Estimate:
        """[A, B] mean cosine with Student's t interval over sequences.

        Raises:
            AnalysisError: Fewer than two sequences, or numbers that are not finite.
        """
        found = mean_interval(torch.cat(self._means)[:, 0].numpy(), level)
        value, low, high = (np.clip(end, -1.0, 1.0) for end in (found.value, found.low, found.high))
        return Estimate(value, low, high, count=found.count, level=level)

    def null(self) -> NDArray[np.float64]:
        """[A, B] the largest mean cosine among the random pairings.

        It is above 0 where both layers push every token in one common direction.
        """
        return torch.cat(self._means)[:, 1:].mean(0).amax(0).clamp(-1, 1).numpy()

    def _orders(self, own: Tensor) -> Tensor:
        """[B, (1 + permutations) * T] indices of tokens: in order, then in random orders."""
        batch, time = own.shape[:2]
        orders = [
            torch.cat([torch.arange(time)] + [self._permutation(time) for _ in range(self._permutations)])
            for _ in range(batch)
        ]
        return torch.stack(orders).to(own.device)

    def _permutation(self, time: int) -> Tensor:
        return torch.randperm(time, generator=self._generator)


def _frame(method: Method, found: Estimate, null: NDArray[np.float64], owners: tuple[int, ...]) -> pl.DataFrame:
    layers = len(owners)
    a, b = (index.ravel() for index in np.indices((layers, layers)))
    owner = np.asarray(owners)
    columns = {
        "method": [method] * layers**2, "layer_a": a, "layer_b": b, "owner_a": owner[a], "owner_b": owner[b],
        "value": found.value.ravel(), "low": found.low.ravel(), "high": found.high.ravel(), "null": null.ravel(),
        "sequences": [found.count] * layers**2,
    }  # fmt: skip
    return pl.DataFrame(columns, schema=SCHEMA)
