"""Debiased linear CKA (centred kernel alignment), accumulated over minibatches, with interval and null."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import AnalysisError
from ..statistics.intervals import LEVEL, Estimate, jackknife_interval
from .registry import SIMILARITIES, Comparison, OfStreams, Setup, SimilarityDescription

PERMUTATIONS = 19
"""The largest of 19 permuted values is exceeded by an unrelated pair once in 20 times: a test at level .05."""
MIN_BATCHES = 4
"""Below this many minibatches the jackknife has too few degrees of freedom (t quantile above 4)."""
MAX_NOISE = 0.05
"""Largest standard deviation of the CKA of two unrelated representations that still counts as stable."""

CONSTANT = 1e-12
"""Share of the squared norm that varies between examples, below which a representation counts as constant."""


def noise(examples: int, batches: int) -> float:
    """Standard deviation of the debiased CKA of two unrelated representations.

    Args:
        examples: Examples per minibatch.
        batches: Minibatches.

    A U-centred kernel has n(n-3)/2 free entries, and the cosine of two unrelated ones varies by one over their square
    root. Measured on Gaussian noise: within a tenth of it for 8 to 256 examples and 4 to 16 minibatches.
    """
    return math.sqrt(2 / (examples * (examples - 3) * batches))


def centred_kernel(representations: Tensor) -> Tensor:
    """U-centred linear kernels, scaled so that the mean elementwise product of two of them is the unbiased HSIC.

    Args:
        representations: [..., examples, features]; at least 4 examples.

    Returns:
        [..., examples, examples] in float64 on the CPU, with a zero diagonal and rows that sum to zero.

    Source: Székely & Rizzo (2014), Partial distance correlation, definition 2; the mean product equals HSIC_1 of Song
    et al. (JMLR 2012), equation 5.
    """
    # MPS has no float64, and centring first keeps a large mean from eating the digits.
    x = representations.detach().to("cpu", torch.float64)
    scale = x.square().sum(dim=(-2, -1), keepdim=True)
    x = x - x.mean(dim=-2, keepdim=True)
    # What is left of a constant is rounding, and CKA would divide rounding by rounding.
    x = x.masked_fill(x.square().sum(dim=(-2, -1), keepdim=True) <= CONSTANT * scale, 0.0)
    n = x.shape[-2]
    kernel = x @ x.mT  # [..., n, n]
    diagonal = torch.eye(n, dtype=torch.bool)
    kernel = kernel.masked_fill(diagonal, 0.0)
    rows = kernel.sum(dim=-1) / (n - 2)
    total = kernel.sum(dim=(-2, -1)) / ((n - 1) * (n - 2))
    kernel = kernel - rows[..., :, None] - rows[..., None, :] + total[..., None, None]
    return kernel.masked_fill(diagonal, 0.0) * math.sqrt(n / (n - 3))


class LinearCKA:
    """Debiased linear CKA between two lists of representations, one minibatch at a time.

    CKA(a, b) = mean HSIC(a, b) / sqrt(mean HSIC(a, a) mean HSIC(b, b)), each mean over minibatches of the unbiased
    HSIC: a minibatch that is small adds noise, never bias. Within [-1, 1]; a representation with itself gives 1.

    Args:
        permutations: How many random pairings of the examples make the null.
        seed: Seed of these pairings.

    Source: Nguyen, Raghu & Kornblith (ICLR 2021), section 3.1; Kornblith et al. (ICML 2019) for the index itself.
    """

    def __init__(self, permutations: int = PERMUTATIONS, seed: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._permutations = permutations
        self._examples: set[int] = set()
        self._cross: list[Tensor] = []  # per minibatch [A, B]
        self._own: list[tuple[Tensor, Tensor]] = []  # per minibatch [A], [B]
        self._permuted: list[Tensor] = []  # per minibatch [permutations, A, B]

    @property
    def chance(self) -> float:
        """Expected for unrelated representations: 0, for the estimator is debiased."""
        return 0.0

    def update(self, first: Tensor, second: Tensor | None = None) -> None:
        """Add a minibatch.

        Args:
            first: [A, examples, features] representations of the same examples.
            second: [B, examples, other features]; `first` again where left out.

        Raises:
            AnalysisError: Fewer than 4 examples, unpaired examples, or numbers that are not finite.
        """
        n = first.shape[1]
        if n < 4 or (second is not None and second.shape[1] != n):
            other = "" if second is None else f" and {second.shape[1]}"
            raise AnalysisError(
                f"Expected at least 4 examples, the same on both sides, but got {n}{other}.", "Use longer sequences."
            )
        a = centred_kernel(first)
        b = a if second is None else centred_kernel(second)
        if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
            raise AnalysisError(
                "Expected finite representations, but some are infinite or not a number.",
                "The model may have diverged.",
            )
        self._examples.add(n)
        self._cross.append(_products(a, b))
        self._own.append((a.square().mean((-2, -1)), b.square().mean((-2, -1))))
        self._permuted.append(torch.stack([_products(a, self._shuffled(b)) for _ in range(self._permutations)]))

    def estimate(self, level: float = LEVEL) -> Estimate:
        """[A, B] CKA with the jackknife interval over minibatches.

        Raises:
            AnalysisError: Too few minibatches or examples for a stable value, or a representation that is the same for
                all examples.
        """
        self._check_enough()
        cross, first, second = self._stacked()
        self._check_varied(first, second)
        totals = cross.sum(0), first.sum(0), second.sum(0)
        left_out = (total - part for total, part in zip(totals, (cross, first, second), strict=True))
        return jackknife_interval(_ratio(*totals), _ratio(*left_out), level, bounds=(-1.0, 1.0))

    def null(self) -> NDArray[np.float64]:
        """[A, B] the largest CKA among the random pairings: what unrelated representations reach 1 time in 20.

        Examples are paired at random within each minibatch, as if they were exchangeable: neighbouring tokens of a text
        are not quite, so the null is a little narrow.
        """
        _, first, second = self._stacked()
        permuted = torch.stack(self._permuted).sum(0).numpy()
        return _ratio(permuted, first.sum(0)[None], second.sum(0)[None]).max(axis=0)

    def _shuffled(self, kernels: Tensor) -> Tensor:
        order = torch.randperm(kernels.shape[-1], generator=self._generator)
        return kernels[:, order][:, :, order]

    def _stacked(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        first, second = zip(*self._own, strict=True)
        return torch.stack(self._cross).numpy(), torch.stack(first).numpy(), torch.stack(second).numpy()

    def _check_enough(self) -> None:
        batches = len(self._cross)
        if not batches:
            raise AnalysisError("Expected probe text, but got none.", "Add at least one minibatch before the estimate.")
        examples = min(self._examples)
        if batches >= MIN_BATCHES and noise(examples, batches) <= MAX_NOISE:
            return
        need = max(MIN_BATCHES, math.ceil(noise(examples, 1) ** 2 / MAX_NOISE**2))
        raise AnalysisError(
            f"Expected enough probe text for a stable CKA, but got {batches} sequences of {examples} tokens, where two "
            f"unrelated layers differ from 0 by about {noise(examples, batches):.2f} by chance alone; at most "
            f"{MAX_NOISE} is stable, and an interval needs {MIN_BATCHES} sequences.",
            f"Use at least {need} sequences of this length.",
        )

    @staticmethod
    def _check_varied(*own: NDArray[np.float64]) -> None:
        for side in own:
            still = np.flatnonzero(np.count_nonzero(side, axis=0) < 2)
            if len(still):
                raise AnalysisError(
                    f"Expected a representation that varies between tokens, but number {still[0]} is the same for all.",
                    "CKA is not defined for it.",
                )


def _products(a: Tensor, b: Tensor) -> Tensor:
    """[A, B] mean elementwise products of kernels [A, n, n] and [B, n, n]."""
    return a.flatten(1) @ b.flatten(1).mT / a[0].numel()


def _ratio(cross: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., A, B) from (..., A, B), (..., A), (..., B)."""
    return np.clip(cross / np.sqrt(first[..., :, None] * second[..., None, :]), -1.0, 1.0)


@SIMILARITIES.register(
    SimilarityDescription(
        "cka",
        "What passes the layers (CKA)",
        about="debiased linear CKA of the residual stream after each layer",
        unit="CKA of the residual stream (0 to 1)",
        meaning="CKA is 1 where two streams are equal up to a rotation and a scale, and 0 where they are unrelated.",
        reads="the residual stream after each layer",
        source="Nguyen, Raghu & Kornblith (ICLR 2021)",
        label="CKA",
        least=0.0,
        usual=True,
        any_shape=True,
    )
)
def cka(setup: Setup) -> Comparison:
    """CKA, a minibatch per sequence."""
    return OfStreams(LinearCKA(setup.permutations, setup.seed))
