"""Where each head of each layer looks: attention maps and their entropy, by position, so that tied layers differ."""

from __future__ import annotations

import math

import polars as pl
import torch
from torch import Tensor

from ...core.errors import AnalysisError
from ...models.tied_model import ShowsAttention, TiedModel
from ...models.undisturbed import undisturbed
from ..capture import Tick, check_tokens, device_of, layers_of, ties_of
from ..statistics.intervals import LEVEL, mean_interval

MAP_SCHEMA: dict[str, type[pl.DataType]] = {
    "layer": pl.Int64, "owner": pl.Int64, "head": pl.Int64, "query": pl.Int64, "key": pl.Int64, "weight": pl.Float64,
}  # fmt: skip
ENTROPY_SCHEMA: dict[str, type[pl.DataType]] = {
    "layer": pl.Int64, "owner": pl.Int64, "head": pl.Int64, "entropy": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "share": pl.Float64, "sequences": pl.Int64,
}  # fmt: skip


def attention_maps(model: TiedModel, sequence: Tensor, layers: list[int] | None = None) -> pl.DataFrame:
    """How much each head gives to each token, for one sequence.

    Args:
        model: One that shows its attention; left as it was.
        sequence: [1, time] tokens.
        layers: Which; None = all.

    Returns:
        A row per layer, head, query and key (of a causal model up to the query): layer, owner, head, query, key, weight
        (0 to 1; those of a query sum to 1).

    Raises:
        AnalysisError: A model that keeps its attention to itself, several sequences, a layer that does not exist, or
            tokens that the model cannot take.
    """
    check_tokens(model, sequence)
    if len(sequence) != 1:
        raise AnalysisError(f"Expected one sequence, but got {len(sequence)}.", "Give tokens[i : i + 1].")
    depth, owners = len(layers_of(model)), ties_of(model).owners
    chosen = list(range(depth)) if layers is None else layers
    for layer in chosen:
        if not 0 <= layer < depth:
            raise AnalysisError(f"Expected layers from 0 to {depth - 1}, but got {layer}.", "Choose one of these.")
    with undisturbed(model), torch.no_grad():
        weights = _weights(model, sequence)
    frames = []
    time = sequence.shape[1]
    seen = torch.ones(time, time)
    query, key = (seen.tril() if model.causal else seen).nonzero(as_tuple=True)
    for layer in chosen:
        for head, matrix in enumerate(weights[layer][0].cpu()):
            count = len(query)
            frames.append(
                pl.DataFrame(
                    {
                        "layer": [layer] * count,
                        "owner": [owners[layer]] * count,
                        "head": [head] * count,
                        "query": query.numpy(),
                        "key": key.numpy(),
                        "weight": matrix[query, key].double().numpy(),
                    },
                    schema=MAP_SCHEMA,
                )
            )
    return pl.concat(frames)


def attention_entropy(
    model: TiedModel, tokens: Tensor, *, level: float = LEVEL, batch_size: int = 8, tick: Tick | None = None
) -> pl.DataFrame:
    """How widely each head looks.

    Args:
        model: One that shows its attention; left as it was.
        tokens: [sequences, time] probe tokens, at least two sequences of two tokens.
        level: Coverage of the intervals, 0 to 1.
        batch_size: Sequences per forward pass.
        tick: Told the share done; may raise to cancel.

    Returns:
        A row per layer and head: layer, owner, head, entropy (of its weights, nats, mean over queries with
        a choice, of a causal model from the second on, then over sequences), low, high (Student's t over sequences),
        share (mean of the entropy as a share of the most that a query can have, the logarithm of the tokens it sees:
        0 = one token alone, 1 = all alike), sequences.

    Raises:
        AnalysisError: A model that keeps its attention to itself, too few sequences, or tokens that it cannot take.
    """
    check_tokens(model, tokens, least=2)
    found, shares = [], []
    with undisturbed(model), torch.no_grad():
        for start in range(0, len(tokens), batch_size):
            batch = tokens[start : start + batch_size]
            time = batch.shape[1]
            most = torch.tensor([math.log(seen) for seen in (range(2, time + 1) if model.causal else [time] * time)])
            # The first query of a causal model sees itself alone.
            entropies = [torch.special.entr(w).sum(-1)[..., -len(most) :].cpu() for w in _weights(model, batch)]
            found.append(torch.stack([entropy.mean(-1) for entropy in entropies], dim=1).double())  # B L H
            shares.append(torch.stack([(entropy / most).mean(-1) for entropy in entropies], dim=1).double())
            if tick is not None:
                tick((start + len(batch)) / len(tokens))
    estimate, share = mean_interval(torch.cat(found).numpy(), level), torch.cat(shares).mean(0)
    owners = ties_of(model).owners
    rows = [
        (
            layer,
            owners[layer],
            head,
            estimate.value[layer, head],
            estimate.low[layer, head],
            estimate.high[layer, head],
            float(share[layer, head]),
            estimate.count,
        )
        for layer in range(estimate.value.shape[0])
        for head in range(estimate.value.shape[1])
    ]
    return pl.DataFrame(rows, schema=ENTROPY_SCHEMA, orient="row")


def _weights(model: TiedModel, tokens: Tensor) -> list[Tensor]:
    """Per layer [batch, heads, time, time] attention weights, in fp32. Call it inside `undisturbed`."""
    if not isinstance(model, ShowsAttention):
        raise AnalysisError(
            f"Expected a model whose attention can be looked at, but a {type(model).__name__} has no "
            "`attention_weights`.",
            "Give its class that method (see models.tied_model.ShowsAttention).",
        )
    return model.attention_weights(tokens.to(device_of(model)))
