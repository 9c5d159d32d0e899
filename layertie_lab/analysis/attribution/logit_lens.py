"""The logit lens: what the model would say if it stopped after a layer."""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor

from ...models.tied_model import TiedModel
from ...models.undisturbed import undisturbed
from ..capture import Tick, check_tokens, device_of, passages, ties_of
from ..statistics.intervals import LEVEL, mean_interval
from .tokens import PREDICTION_SCHEMA, TOP, check_target, predictions

SCHEMA: dict[str, type[pl.DataType]] = {
    "depth": pl.Int64, "layer": pl.Int64, "owner": pl.Int64, "loss": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "sequences": pl.Int64,
}  # fmt: skip
TOKEN_SCHEMA = {"depth": pl.Int64, "layer": pl.Int64, "owner": pl.Int64} | PREDICTION_SCHEMA


def logit_lens(
    model: TiedModel, tokens: Tensor, *, level: float = LEVEL, batch_size: int = 8, tick: Tick | None = None
) -> pl.DataFrame:
    """The loss after each layer, through the final norm and the head, by position, so that tied layers differ.

    Args:
        model: It is left as it was.
        tokens: [sequences, time + 1] probe tokens, at least two sequences.
        level: Coverage of the intervals, 0 to 1.
        batch_size: Sequences per forward pass.
        tick: Told the share done; may raise to cancel.

    Returns:
        A row per depth 0 .. L: depth (layers passed), layer (the last one passed; null at 0), owner, loss (mean
        negative log-likelihood, nats per token), low, high (Student's t over sequences), sequences. At depth L it is
        the model's own loss.

    Raises:
        AnalysisError: Too few, too long or unknown tokens, or a model that has diverged.

    Source: nostalgebraist (2020), "interpreting GPT: the logit lens".
    """
    check_tokens(model, tokens, targets=True)
    losses = []
    with undisturbed(model), torch.no_grad():
        for start in range(0, len(tokens), batch_size):
            batch = tokens[start : start + batch_size].to(device_of(model))
            targets = model.targets(batch)
            per_depth = [model.sequence_losses(model.head(x), targets) for x in _streams(model, model.inputs(batch))]
            losses.append(torch.stack(per_depth, dim=1).to("cpu", torch.float64))  # [B, L + 1]
            if tick is not None:
                tick((start + len(batch)) / len(tokens))
    found = mean_interval(torch.cat(losses).numpy(), level)
    rows = [
        (
            *_place(model, depth),
            float(found.value[depth]),
            float(found.low[depth]),
            float(found.high[depth]),
            found.count,
        )
        for depth in range(len(found.value))
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def lens_of_token(model: TiedModel, tokens: Tensor, position: int, *, top: int = TOP) -> pl.DataFrame:
    """What the model would say of one target after each layer.

    Args:
        model: As in `logit_lens`.
        tokens: [1, time + 1] one sequence.
        position: Where the target is predicted, 0 to time - 1.
        top: How many of the likeliest tokens to name.

    Returns:
        A row per depth 0 .. L: depth, layer, owner, and the columns of `tokens.PREDICTION_SCHEMA`. One token: no
        interval.

    Raises:
        AnalysisError: A position outside the sequence, or a model that has diverged.
    """
    check_tokens(model, tokens, targets=True)
    check_target(tokens, 0, position)
    with undisturbed(model), torch.no_grad():
        sequence = tokens[:1].to(device_of(model))
        logits = torch.cat([model.head(x)[:, position] for x in _streams(model, model.inputs(sequence))])
        target = model.targets(sequence)[:, position].expand(len(logits))
        found = predictions(logits, target, top)
    depths = range(len(logits))
    place = dict(zip(("depth", "layer", "owner"), zip(*(_place(model, d) for d in depths), strict=True), strict=True))
    return pl.DataFrame({name: list(values) for name, values in place.items()} | found, schema=TOKEN_SCHEMA)


def _streams(model: TiedModel, tokens: Tensor) -> list[Tensor]:
    """The residual stream before the first layer and after each."""
    seen = passages(model, tokens)
    return [seen[0].before, *(passage.output for passage in seen)]


def _place(model: TiedModel, depth: int) -> tuple[int, int | None, int | None]:
    return (depth, None, None) if depth == 0 else (depth, depth - 1, ties_of(model).owners[depth - 1])
