"""Orthogonal Procrustes similarity: how well a rotation carries one representation onto another."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from ...core.errors import AnalysisError
from ..statistics.intervals import LEVEL, Estimate, jackknife_interval
from .cka import PERMUTATIONS
from .neighbours import check_varied
from .registry import SIMILARITIES, Comparison, OfStreams, Setup, SimilarityDescription


class Procrustes:
    """1 - d^2 / 2, d the Procrustes distance of two representations centred and scaled to Frobenius norm 1.

    Equal to the nuclear norm of A^T B: the best sum of squares that one rotation for all tokens can reach. Within
    [0, 1]; a representation with itself or a rotated, shifted, scaled copy gives 1.

    It has a bias that CKA (debiased) has not: a rotation of D features fits N unrelated examples the better, the fewer
    they are; at N = D they reach .75, at N = 8 D still .3 (measured on Gaussian noise, D = 64). Only the distance from
    the null says something. The interval is about the value at this number of examples.

    Args:
        permutations: How many random pairings of the examples, within each sequence, make the null.
        seed: Seed of these pairings.

    Source: Ding, Denain & Steinhardt (NeurIPS 2021), "Grounding representation similarity with statistical testing",
    section 2; Williams et al. (NeurIPS 2021), "Generalized shape metrics on neural representations".
    """

    def __init__(self, permutations: int = PERMUTATIONS, seed: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._permutations = permutations
        self._first: list[Tensor] = []  # per sequence [A, examples, features]
        self._second: list[Tensor] = []
        self._one = True  # whether both sides are the same

    @property
    def chance(self) -> None:
        """Not known beforehand: the bias depends on the spectra of both; the null shows it."""
        return

    def update(self, first: Tensor, second: Tensor | None = None) -> None:
        """Add a sequence; it is kept until the estimate.

        Args:
            first: [A, examples, features] representations of the same examples.
            second: [B, examples, other features]; `first` again where left out.

        Raises:
            AnalysisError: Unpaired examples, numbers that are not finite, or a representation that is the same for all
                examples.
        """
        if second is not None and second.shape[1] != first.shape[1]:
            raise AnalysisError(
                f"Expected the same examples on both sides, but got {first.shape[1]} and {second.shape[1]}.",
                "Use the same probe text for both.",
            )
        for side in (first, second):
            if side is not None:
                check_varied(side)
        self._one = second is None
        self._first.append(first.detach().to("cpu", torch.float32))
        self._second.append(self._first[-1] if second is None else second.detach().to("cpu", torch.float32))

    def estimate(self, level: float = LEVEL) -> Estimate:
        """[A, B] similarity over all tokens with the jackknife interval over sequences.

        Raises:
            AnalysisError: Fewer than two sequences.
        """
        if len(self._first) < 2:
            raise AnalysisError(
                f"Expected at least 2 probe sequences for an interval, but got {len(self._first)}.", "Use 8 or more."
            )
        sequences = len(self._first)
        keep = 1.0 - torch.cat([torch.zeros(1, sequences), torch.eye(sequences)]).double()  # [1 + S, S]
        found = self._matrix(1 + sequences, lambda a, b: _similarity(a, b, keep))
        return jackknife_interval(found[0], found[1:], level, bounds=(0.0, 1.0))

    def null(self) -> NDArray[np.float64]:
        """[A, B] the largest similarity among the random pairings: what unrelated representations reach 1 in 20."""
        # A pairing moves neither mean nor norm; and what is drawn at random needs no more than single precision.
        first, second = (
            [
                normalize(torch.cat(layer).float().flatten(), dim=0).view(-1, layer[0].shape[1])
                for layer in _centred(side)
            ]
            for side in (self._first, self._second)
        )
        starts = np.cumsum([0] + [rows.shape[1] for rows in self._first[:-1]])
        largest = torch.zeros(len(first), len(second))
        for _ in range(self._permutations):
            order = torch.cat(
                [
                    int(start) + torch.randperm(rows.shape[1], generator=self._generator)
                    for start, rows in zip(starts, self._first, strict=True)
                ]
            )
            for j, there in enumerate(second):
                here = torch.stack(first[: j + 1] if self._one else first)  # [A', tokens, F]
                found = torch.linalg.svdvals(here.mT @ there[order]).sum(-1)
                largest[: len(found), j] = torch.maximum(largest[: len(found), j], found)
        if self._one:
            largest = torch.maximum(largest, largest.T)
        return largest.clamp(0.0, 1.0).double().numpy()

    def _matrix(self, values: int, of_pair: Callable[[list[Tensor], list[Tensor]], Tensor]) -> NDArray[np.float64]:
        """[values, A, B] of what is measured for each pair; one of two equal sides' triangles is a copy."""
        first, second = _centred(self._first), _centred(self._second)
        found = np.empty((values, len(first), len(second)))
        for i, j in itertools.product(range(len(first)), range(len(second))):
            if self._one and j < i:
                found[:, i, j] = found[:, j, i]
            else:
                found[:, i, j] = of_pair(first[i], second[j]).numpy()
        return found


def _centred(side: list[Tensor]) -> list[list[Tensor]]:
    """For each layer, its sequences [examples, features] about the mean over all tokens, in float64."""
    layers = []
    for layer in range(len(side[0])):
        sequences = [rows[layer].double() for rows in side]
        mean = torch.cat(sequences).mean(0)
        layers.append([rows - mean for rows in sequences])
    return layers


def _similarity(a: list[Tensor], b: list[Tensor], weights: Tensor) -> Tensor:
    """[subsets] similarity over the sequences that each row of `weights` [subsets, sequences] keeps (1) or not (0)."""
    count = weights @ torch.tensor([float(len(rows)) for rows in a], dtype=torch.float64)  # [subsets]
    sums = [weights @ torch.stack([rows.sum(0) for rows in side]) for side in (a, b)]  # [subsets, features]
    cross = torch.stack([x.mT @ y for x, y in zip(a, b, strict=True)])  # [sequences, F, G]
    # What is left out moves the mean, so each subset is centred anew.
    cross = (
        torch.einsum("rs,sfg->rfg", weights, cross) - sums[0][:, :, None] * sums[1][:, None, :] / count[:, None, None]
    )
    norms = [
        weights @ torch.stack([rows.square().sum() for rows in side]) - total.square().sum(1) / count
        for side, total in zip((a, b), sums, strict=True)
    ]
    return (torch.linalg.svdvals(cross).sum(-1) / (norms[0] * norms[1]).sqrt()).clamp(0.0, 1.0)


@SIMILARITIES.register(
    SimilarityDescription(
        "procrustes",
        "What passes them, up to a rotation (Procrustes)",
        about="how well one rotation carries one residual stream onto another, over all tokens",
        unit="Procrustes similarity of the residual stream (0 to 1)",
        meaning="1: one rotation carries the one stream onto the other. Biased upwards: only what exceeds its null "
        "says something.",
        reads="the residual stream after each layer",
        source="Ding, Denain & Steinhardt (NeurIPS 2021)",
        label="Procrustes similarity",
        least=0.0,
        any_shape=True,
    )
)
def procrustes(setup: Setup) -> Comparison:
    """Orthogonal Procrustes similarity over all tokens."""
    return OfStreams(Procrustes(setup.permutations, setup.seed))
