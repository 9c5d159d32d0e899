"""What each layer does to the residual stream along the depth: size and direction of its update, norm of the stream."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from ...core.descriptions import Description
from ...models.tied_model import TiedModel
from ...models.undisturbed import undisturbed
from ..capture import Passage, Tick, check_tokens, ties_of
from ..capture import passages as passages_of
from ..statistics.intervals import LEVEL, mean_interval


@dataclass(frozen=True)
class Measure(Description):
    """What a layer does to the stream, in one number; `unit` says what is measured, in what.

    Args:
        axis: Its title and unit, short enough for an axis, a line each.
    """

    axis: tuple[str, ...] = ()


MEASURES = (
    Measure(
        "relative update",
        "How much each layer adds",
        unit="norm of the update as a share of the norm of the stream before the layer",
        axis=("update / stream", "(norms)"),
    ),
    Measure(
        "cosine",
        "Which way it points",
        unit="cosine of the update with the stream before the layer, -1 to 1",
        axis=("cosine of update", "with stream"),
    ),
    Measure(
        "stream",
        "How long the stream is",
        unit="norm of the stream before the layer",
        axis=("norm of stream", "before the layer"),
    ),
)
"""In the order of `_measured`; norms are Euclidean, per token, in units of the residual stream."""
SCHEMA: dict[str, type[pl.DataType]] = {
    "layer": pl.Int64, "owner": pl.Int64, "measure": pl.String, "value": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "sequences": pl.Int64, "unit": pl.String,
}  # fmt: skip


def update_profile(
    model: TiedModel, tokens: Tensor, *, level: float = LEVEL, batch_size: int = 8, tick: Tick | None = None
) -> pl.DataFrame:
    """Size and direction of each layer's update of the residual stream, by position, so that tied layers differ.

    A layer with a cosine near 0 adds something new; below 0 it takes away from what is there; a relative update near 0
    means that the layer could be left out.

    Args:
        model: It is left as it was.
        tokens: [sequences, time] probe tokens, at least two sequences.
        level: Coverage of the intervals, 0 to 1.
        batch_size: Sequences per forward pass.
        tick: Told the share done; may raise to cancel.

    Returns:
        A row per measure (`MEASURES`) and layer: layer, owner, measure, value (mean over tokens, then sequences), low,
        high (Student's t over sequences), sequences, unit.

    Raises:
        AnalysisError: Too few, too long or unknown tokens, or a model that has diverged.
    """
    check_tokens(model, tokens)
    found = []
    with undisturbed(model), torch.no_grad():
        for start in range(0, len(tokens), batch_size):
            seen = passages_of(model, tokens[start : start + batch_size])
            found.append(torch.stack([_measured(passage) for passage in seen], dim=1))  # [B, L, measures]
            if tick is not None:
                tick(min(start + batch_size, len(tokens)) / len(tokens))
    estimate = mean_interval(torch.cat(found).numpy(), level)
    rows = [
        (
            layer,
            owner,
            measure.name,
            estimate.value[layer, place],
            estimate.low[layer, place],
            estimate.high[layer, place],
            estimate.count,
            measure.unit,
        )
        for place, measure in enumerate(MEASURES)
        for layer, owner in enumerate(ties_of(model).owners)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _measured(at: Passage) -> Tensor:
    """[batch, measures] means over tokens, in float64 on the CPU."""
    before, update = (x.to("cpu", torch.float64) for x in (at.before, at.update))  # [B, T, D]
    stream = before.norm(dim=-1)
    each = [update.norm(dim=-1) / stream, cosine_similarity(update, before, dim=-1), stream]
    return torch.stack([value.mean(1) for value in each], dim=1)
