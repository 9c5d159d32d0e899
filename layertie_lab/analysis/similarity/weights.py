"""Cosine between the weights of layers, with the null that shows what equal initialisation alone gives."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn

from ...core.errors import AnalysisError
from ..statistics.intervals import LEVEL, Estimate
from .registry import SIMILARITIES, Comparison, Setup, SimilarityDescription

_CHUNK = 1 << 18
ONE_IN_TWENTY = float(stats.norm.ppf(0.95))


def weight_similarity(
    layers: list[nn.Module], others: list[nn.Module] | None = None
) -> tuple[Estimate, NDArray[np.float64]]:
    """Cosine between all weights of two layers, each layer's tensors taken as one vector.

    Args:
        layers: Modules with the same parameter names and shapes.
        others: Those of a second model, for the columns; None = the same.

    Returns:
        ([A, B] cosine, not sampled and so exact; [A, B] null). The null is the 95 % quantile of the cosine when the
        entries within each tensor are matched at random: near 0 for zero-mean weights, and far above it where norm
        gains that all start at 1 make up much of the vector. Its mean and variance are exact, its shape is taken as
        normal.

    Raises:
        AnalysisError: Layers with different parameters.
    """
    every = layers + (others or [])
    tensors = aligned(every)
    inner = torch.zeros(len(every), len(every), dtype=torch.float64)
    expected, variance = torch.zeros_like(inner), torch.zeros_like(inner)
    for rows in tensors:
        n = rows[0].numel()
        products, sums = inner_products(rows)
        inner += products
        expected += torch.outer(sums, sums) / n
        if n > 1:
            spread = products.diagonal() - sums.square() / n
            variance += torch.outer(spread, spread) / (n - 1)
    norms = inner.diagonal().sqrt()
    if not (torch.isfinite(norms).all() and (norms > 0).all()):
        raise AnalysisError(
            "Expected finite weights that are not all 0, but a layer has none.", "The model may have diverged."
        )
    scale = torch.outer(norms, norms)
    null = (expected + ONE_IN_TWENTY * variance.clamp(min=0).sqrt()) / scale
    part = slice(len(layers)), slice(len(layers) if others else 0, None)
    return Estimate.exact((inner / scale)[part].clamp(-1, 1).numpy()), null[part].clamp(-1, 1).numpy()


def inner_products(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    """([L, L] inner products, [L] sums) of L flat tensors, in float64, a slice at a time."""
    products = torch.zeros(len(rows), len(rows), dtype=torch.float64)
    sums = torch.zeros(len(rows), dtype=torch.float64)
    for start in range(0, rows[0].numel(), _CHUNK):
        part = torch.stack([row[start : start + _CHUNK] for row in rows]).to("cpu", torch.float64)
        products += part @ part.mT
        sums += part.sum(1)
    return products, sums


def aligned(layers: list[nn.Module]) -> list[list[Tensor]]:
    """Per parameter name, its flat tensor in each layer."""
    named = [{name: p.detach().flatten() for name, p in layer.named_parameters()} for layer in layers]
    for layer, own in enumerate(named):
        if {name: len(p) for name, p in own.items()} != {name: len(p) for name, p in named[0].items()}:
            raise AnalysisError(
                f"Expected layers with the same parameters, but layer {layer} differs from layer 0.",
                "Compare the representations of unlike layers instead (cka).",
            )
    return [[own[name] for own in named] for name in named[0]]


@SIMILARITIES.register(
    SimilarityDescription(
        "weights",
        "Their weights (cosine)",
        about="cosine between all weights, taken as one vector",
        unit="cosine of the weights (-1 to 1)",
        meaning="1: equal weights, as tied layers have; what equal gains alone give stands in the null.",
        reads="the weights alone, no text",
        label="Likeness of weights",
        usual=True,
    )
)
class OfWeights(Comparison):
    """The cosine of all weights."""

    reads_text = False

    def __init__(self, setup: Setup) -> None:
        self._cosine, self._null = weight_similarity(setup.layers, setup.others)

    def estimate(self, level: float = LEVEL) -> Estimate:
        return self._cosine

    def null(self) -> NDArray[np.float64]:
        return self._null
