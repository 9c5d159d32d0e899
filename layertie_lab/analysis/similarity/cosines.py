"""Mean cosine between paired vectors, with interval over sequences and the null of random pairings."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from ..statistics.intervals import LEVEL, Estimate, mean_interval
from .cka import PERMUTATIONS
from .registry import SIMILARITIES, Comparison, Seen, Setup, SimilarityDescription

Pairs = Iterable[tuple[Tensor, list[Tensor]]]
"""For each layer a, its vectors [batch, time, features] and those of every layer b to compare them with."""


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


class OfUpdates(Comparison):
    """A mean cosine of what layers add to the residual stream."""

    def __init__(self, cosine: MeanCosine, pairs: Callable[[Seen], Pairs]) -> None:
        self._cosine, self._pairs = cosine, pairs

    def update(self, seen: Seen) -> None:
        self._cosine.update(self._pairs(seen))

    def estimate(self, level: float = LEVEL) -> Estimate:
        return self._cosine.estimate(level)

    def null(self) -> NDArray[np.float64]:
        return self._cosine.null()


@SIMILARITIES.register(
    SimilarityDescription(
        "updates",
        "What the layers add (cosine of updates)",
        about="mean cosine of what two layers add to the residual stream for the same token, each in its own place",
        unit="cosine of the layers' updates (-1 to 1)",
        meaning="1: both add the same for the same token; 0: unrelated; below 0: one takes away what the other adds.",
        reads="what each layer adds to the residual stream",
        label="Likeness of updates",
        usual=True,
    )
)
def updates(setup: Setup) -> Comparison:
    """Updates, each in its own place."""
    return OfUpdates(MeanCosine(setup.permutations, setup.seed), _in_place)


@SIMILARITIES.register(
    SimilarityDescription(
        "function",
        "What they do to one input (cosine)",
        about="the same cosine when both layers are given layer a's input",
        unit="cosine on the same input (-1 to 1)",
        meaning="1: both do the same to what layer a reads, as tied layers do; not symmetric.",
        reads="what each layer does to the input of each other one",
        label="Likeness of function",
        usual=True,
    )
)
def function(setup: Setup) -> Comparison:
    """Updates on the input of the layer of the row."""
    return OfUpdates(MeanCosine(setup.permutations, setup.seed), _on_same_input)


def _in_place(seen: Seen) -> Pairs:
    there = [passage.update for passage in seen.second]
    return ((at.update, [update.to(at.output.device) for update in there]) for at in seen.first)


def _on_same_input(seen: Seen) -> Pairs:
    for at in seen.first:
        x = at.before.to(seen.second[0].output.device)
        # All but the residual stream is the layer's own: two models may rotate positions differently.
        there = [
            layer(x, *its.arguments[1:], **its.keywords) - x
            for layer, its in zip(seen.layers, seen.second, strict=True)
        ]
        yield at.update, [update.to(at.output.device) for update in there]
