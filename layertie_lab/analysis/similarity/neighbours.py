"""Mutual nearest neighbours: whether two representations put the same examples next to each other."""

from __future__ import annotations

from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from ...core.errors import AnalysisError
from ..statistics.intervals import LEVEL, Estimate, mean_interval
from .cka import CONSTANT, PERMUTATIONS
from .registry import SIMILARITIES, Comparison, Metric, OfStreams, Setup, SimilarityDescription

NEIGHBOURS = 5
"""k where none is given: of 64 tokens, unrelated layers then share 8 % of the neighbours by chance."""


def nearest(representations: Tensor, k: int, metric: Metric = "cosine") -> Tensor:
    """Which k examples are nearest to each example, itself left out.

    Args:
        representations: [..., examples, features]; more than k + 1 examples.
        k: Neighbours per example.
        metric: cosine (uncentred, as in the source) or Euclidean distance.

    Returns:
        [..., examples, examples] in float64 on the CPU: 1 where the column is a neighbour of the row, else 0. Of
        equally near examples the earlier one counts.
    """
    x = representations.detach().to("cpu", torch.float64)
    if metric == "cosine":
        unit = normalize(x, dim=-1)
        distance = -(unit @ unit.mT)
    else:
        distance = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    distance = distance.masked_fill(torch.eye(x.shape[-2], dtype=torch.bool), torch.inf)
    order = distance.argsort(dim=-1, stable=True)[..., :k]
    return torch.zeros_like(distance).scatter_(-1, order, 1.0)


class MutualNeighbours:
    """Mean share of the k nearest neighbours that two representations have in common, one sequence at a time.

    Per example |N_a & N_b| / k, averaged over a sequence's tokens (its neighbours are sought within it) and then over
    sequences. Within [0, 1]; a representation with itself or a rotated copy gives 1; unrelated ones `chance`.

    Args:
        permutations: How many random pairings of the examples, within each sequence, make the null.
        seed: Seed of these pairings.
        k: Neighbours per example.
        metric: cosine or euclidean.

    Raises:
        AnalysisError: A k below 1 or an unknown metric.

    Source: Huh, Cheung, Wang & Isola (ICML 2024), "The platonic representation hypothesis", section 2 and appendix A
    (there over a thousand examples at once, with k = 10).
    """

    def __init__(
        self, permutations: int = PERMUTATIONS, seed: int = 0, k: int = NEIGHBOURS, metric: Metric = "cosine"
    ) -> None:
        if k < 1 or metric not in get_args(Metric):
            raise AnalysisError(
                f"Expected at least 1 neighbour and a metric out of {', '.join(get_args(Metric))}, but got {k} and "
                f"{metric!r}.",
                f"Use {NEIGHBOURS} and cosine.",
            )
        self.k = k
        self.metric: Metric = metric
        self._generator = torch.Generator().manual_seed(seed)
        self._permutations = permutations
        self._shared: list[Tensor] = []  # per sequence [1 + permutations, A, B]; as paired first, then at random
        self._chance: list[float] = []

    @property
    def chance(self) -> float:
        """Share that unrelated representations have in common on average: k / (examples - 1)."""
        return float(np.mean(self._chance))

    def update(self, first: Tensor, second: Tensor | None = None) -> None:
        """Add a sequence.

        Args:
            first: [A, examples, features] representations of the same examples.
            second: [B, examples, other features]; `first` again where left out.

        Raises:
            AnalysisError: Too few or unpaired examples, numbers that are not finite, or a representation that is the
                same for all examples.
        """
        second = first if second is None else second
        n = first.shape[1]
        if n < self.k + 2 or second.shape[1] != n:
            raise AnalysisError(
                f"Expected more than {self.k + 1} tokens for {self.k} nearest neighbours, the same on both sides, but "
                f"got {n} and {second.shape[1]}.",
                "Use longer sequences, or fewer neighbours.",
            )
        for side in (first, second):
            check_varied(side)
        a = nearest(first, self.k, self.metric)
        b = a if second is first else nearest(second, self.k, self.metric)
        shared = [_overlap(a, b, self.k)]
        for _ in range(self._permutations):
            order = torch.randperm(n, generator=self._generator)
            shared.append(_overlap(a, b[:, order][:, :, order], self.k))
        self._shared.append(torch.stack(shared))
        self._chance.append(self.k / (n - 1))

    def estimate(self, level: float = LEVEL) -> Estimate:
        """[A, B] mean share with Student's t interval over sequences, cut to [0, 1].

        Raises:
            AnalysisError: Fewer than two sequences.
        """
        samples = [shared[0].numpy() for shared in self._shared]
        found = mean_interval(samples, level)
        low, high = (np.clip(end, 0.0, 1.0) for end in (found.low, found.high))
        return Estimate(found.value, low, high, count=found.count, level=level)

    def null(self) -> NDArray[np.float64]:
        """[A, B] the largest mean share among the random pairings: what unrelated representations reach 1 in 20."""
        return torch.stack(self._shared)[:, 1:].mean(0).amax(0).numpy()


def _overlap(a: Tensor, b: Tensor, k: int) -> Tensor:
    """[A, B] mean share of neighbours in common, from indicators [A, n, n] and [B, n, n]."""
    return a.flatten(1) @ b.flatten(1).mT / (k * a.shape[1])


def check_varied(representations: Tensor) -> None:
    """Refuse representations that have no geometry.

    Args:
        representations: [layers, examples, features].

    Raises:
        AnalysisError: Not finite, or the same for all examples of a sequence.
    """
    x = representations.detach().to("cpu", torch.float64)
    if not torch.isfinite(x).all():
        raise AnalysisError(
            "Expected finite representations, but some are infinite or not a number.", "The model may have diverged."
        )
    spread = (x - x.mean(-2, keepdim=True)).square().sum((-2, -1))
    still = torch.nonzero(spread <= CONSTANT * x.square().sum((-2, -1))).flatten()
    if len(still):
        raise AnalysisError(
            f"Expected a representation that varies between tokens, but number {int(still[0])} is the same for all.",
            "Its neighbours and rotations are not defined.",
        )


@SIMILARITIES.register(
    SimilarityDescription(
        "neighbours",
        "Which tokens lie next to each other (neighbours)",
        about="share of the nearest tokens of the same sequence that two residual streams have in common",
        unit="share of nearest tokens in common (0 to 1)",
        meaning="1: the same tokens lie next to each other in both streams; unrelated ones share k of all but one.",
        reads="the residual stream after each layer",
        source="Huh, Cheung, Wang & Isola (ICML 2024)",
        label="Neighbours in common",
        least=0.0,
        any_shape=True,
    )
)
def neighbours(setup: Setup) -> Comparison:
    """Mutual nearest neighbours, within each sequence."""
    return OfStreams(MutualNeighbours(setup.permutations, setup.seed, setup.k, setup.metric))
