"""The weights of layers tensor by tensor: how alike they are, and their singular values."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ...core.errors import AnalysisError
from ...models.tied_model import TiedModel
from ..capture import Tick, blocks_of, layers_of, ties_of
from .weights import ONE_IN_TWENTY, aligned, inner_products

SIMILARITY: dict[str, type[pl.DataType]] = {
    "tensor": pl.String, "layer_a": pl.Int64, "layer_b": pl.Int64, "owner_a": pl.Int64, "owner_b": pl.Int64,
    "cosine": pl.Float64, "null": pl.Float64, "distance": pl.Float64, "entries": pl.Int64, "models": pl.Int64,
}  # fmt: skip
SPECTRA: dict[str, type[pl.DataType]] = {
    "layer": pl.Int64, "owner": pl.Int64, "tensor": pl.String, "index": pl.Int64, "value": pl.Float64,
}  # fmt: skip


def tensor_similarity(model: TiedModel, other: TiedModel | None = None, *, tick: Tick | None = None) -> pl.DataFrame:
    """How alike each tensor is in each pair of layers.

    Args:
        model: Only its weights are read.
        other: A second model, for the columns; depths may differ, a layer's tensors not.
        tick: Told the share done; may raise to cancel.

    Returns:
        A row per tensor and ordered pair of layers: tensor (its name within the layer), layer_a, layer_b, owner_a,
        owner_b, cosine, null (the cosine that entries matched at random exceed 1 time in 20: exact mean and variance,
        taken as normal), distance (norm of the difference over the mean of both norms: 0 equal, sqrt 2 unrelated, 2
        opposite), entries, models (1 or 2). Weights are not sampled, so there is no interval. Without cosine where a
        tensor is 0 throughout, as biases are at first, and without distance where both are.

    Raises:
        AnalysisError: Layers with different tensors, or weights that are not finite.
    """
    sides = [model] if other is None else [model, other]
    layers = [layers_of(side) for side in sides]
    first = _first_of_each(sides)
    unique = sorted(set(first))
    every = [layer for side in layers for layer in side]
    names = [name for name, _ in every[0].named_parameters()]
    owners = [ties_of(side).owners for side in sides]
    places = np.array([unique.index(place) for place in first])
    a, b = places[: len(layers[0])], places[-len(layers[-1]) :]
    rows, columns = (index.ravel() for index in np.indices((len(a), len(b))))
    frames = []
    for done, (name, tensors) in enumerate(zip(names, aligned([every[place] for place in unique]), strict=True)):
        cosine, null, distance = (matrix.numpy()[np.ix_(a, b)].ravel() for matrix in _alike(tensors))
        frame = {
            "tensor": [name] * len(rows),
            "layer_a": rows,
            "layer_b": columns,
            "owner_a": np.array(owners[0])[rows],
            "owner_b": np.array(owners[-1])[columns],
            "cosine": cosine,
            "null": null,
            "distance": distance,
            "entries": [tensors[0].numel()] * len(rows),
            "models": [len(sides)] * len(rows),
        }
        frames.append(pl.DataFrame(frame, schema=SIMILARITY).fill_nan(None))
        if tick is not None:
            tick((done + 1) / len(names))
    return pl.concat(frames)


def spectra(model: TiedModel, *, tick: Tick | None = None) -> pl.DataFrame:
    """Singular values of each weight matrix of each layer; tied layers share theirs, found once.

    Args:
        model: Only its weights are read.
        tick: Told the share done; may raise to cancel.

    Returns:
        A row per layer, matrix and singular value, largest first: layer, owner, tensor, index (from 0), value.

    Raises:
        AnalysisError: Weights that are not finite.
    """
    layers, owners, first = layers_of(model), ties_of(model).owners, _first_of_each([model])
    unique = sorted(set(first))
    values: dict[int, dict[str, Tensor]] = {}
    for done, block in enumerate(unique):
        matrices = {name: p.detach() for name, p in layers[block].named_parameters() if p.ndim == 2}
        for name, matrix in matrices.items():
            if not torch.isfinite(matrix).all():
                raise AnalysisError(
                    f"Expected finite weights, but {name} of layer {block} is not.", "The model may have diverged."
                )
        values[block] = {name: torch.linalg.svdvals(p.to("cpu", torch.float64)) for name, p in matrices.items()}
        if tick is not None:
            tick((done + 1) / len(unique))
    frames = [
        pl.DataFrame(
            {
                "layer": [layer] * len(found),
                "owner": [owners[layer]] * len(found),
                "tensor": [name] * len(found),
                "index": range(len(found)),
                "value": found.numpy(),
            },
            schema=SPECTRA,
        )
        for layer, block in enumerate(first)
        for name, found in values[block].items()
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema=SPECTRA)


def ranks(spectra: pl.DataFrame) -> pl.DataFrame:
    """How many directions a matrix uses, softly counted.

    Args:
        spectra: Of `spectra`.

    Returns:
        A row per layer and matrix: layer, owner, tensor, largest (singular value), stable_rank (squared Frobenius norm
        over the squared largest singular value), effective_rank (exponential of the entropy of the singular values
        as shares of their sum), full_rank (the most that both can be). Null where all are 0.

    Source: Roy & Vetterli (EUSIPCO 2007), "The effective rank"; Rudelson & Vershynin (JACM 2007) for the stable rank.
    """
    share = pl.col("value") / pl.col("value").sum()
    entropy = -pl.when(share > 0).then(share * share.log()).otherwise(0.0).sum()
    largest = pl.col("value").max()
    some = largest > 0
    return spectra.group_by("layer", "owner", "tensor", maintain_order=True).agg(
        largest=largest,
        stable_rank=pl.when(some).then((pl.col("value") ** 2).sum() / largest**2),
        effective_rank=pl.when(some).then(entropy.exp()),
        full_rank=pl.len().cast(pl.Int64),
    )


def _first_of_each(models: list[TiedModel]) -> list[int]:
    """For each layer of all models, one after the other, the first one on the same storage."""
    first: list[int] = []
    for model in models:
        start = len(first)
        first += [start + block for block in blocks_of(model)]
    return first


def _alike(tensors: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """[B, B] cosine, its null, and relative distance of B flat tensors."""
    products, sums = inner_products(tensors)
    if not torch.isfinite(products).all():
        raise AnalysisError("Expected finite weights, but some are not.", "The model may have diverged.")
    n = tensors[0].numel()
    squares = products.diagonal()
    norms = squares.sqrt()
    scale = torch.outer(norms, norms)
    spread = (squares - sums.square() / n).clamp(min=0)
    deviation = (torch.outer(spread, spread) / max(1, n - 1)).sqrt()
    null = (torch.outer(sums, sums) / n + ONE_IN_TWENTY * deviation) / scale
    gap = (squares[:, None] + squares[None, :] - 2 * products).clamp(min=0).sqrt()
    # A tensor differs from itself by nothing, not by the rounding of large squares.
    gap.fill_diagonal_(0.0)
    return (products / scale).clamp(-1, 1), null.clamp(-1, 1), 2 * gap / (norms[:, None] + norms[None, :])
