"""Where each head of each layer looks: attention maps and their entropy, by position, so that tied layers differ."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn

from ...core.errors import AnalysisError
from ...models.gpt import Attention, rotate
from ..capture import Tick, check_tokens, device_of, hooked, layers_of, through_layers, ties_of, undisturbed
from ..statistics.intervals import LEVEL, mean_interval

MAP_SCHEMA: dict[str, type[pl.DataType]] = {
    "layer": pl.Int64, "owner": pl.Int64, "head": pl.Int64, "query": pl.Int64, "key": pl.Int64, "weight": pl.Float64,
}  # fmt: skip
ENTROPY_SCHEMA: dict[str, type[pl.DataType]] = {
    "layer": pl.Int64, "owner": pl.Int64, "head": pl.Int64, "entropy": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "share": pl.Float64, "sequences": pl.Int64,
}  # fmt: skip


def attention_maps(model: nn.Module, sequence: Tensor, layers: list[int] | None = None) -> pl.DataFrame:
    """How much each head gives to each token, for one sequence.

    Args:
        model: A GPT; left as it was.
        sequence: [1, time] tokens.
        layers: Which; None = all.

    Returns:
        A row per layer, head, query and key <= query: layer, owner, head, query, key, weight (0 to 1; those of a query
        sum to 1).

    Raises:
        AnalysisError: Several sequences, a layer that does not exist, or tokens that the model cannot take.
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
    query, key = torch.tril_indices(time, time)
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
    model: nn.Module, tokens: Tensor, *, level: float = LEVEL, batch_size: int = 8, tick: Tick | None = None
) -> pl.DataFrame:
    """How widely each head looks.

    Args:
        model: A GPT; left as it was.
        tokens: [sequences, time] probe tokens, at least two sequences of two tokens.
        level: Coverage of the intervals, 0 to 1.
        batch_size: Sequences per forward pass.
        tick: Told the share done; may raise to cancel.

    Returns:
        A row per layer and head: layer, owner, head, entropy (of its weights, nats, mean over queries from the second
        on, which are the ones with a choice, then over sequences), low, high (Student's t over sequences), share (mean
        of the entropy as a share of the most that a query can have, the logarithm of the tokens it sees: 0 = one token
        alone, 1 = all alike), sequences.

    Raises:
        AnalysisError: Too few sequences, or tokens that the model cannot take.
    """
    check_tokens(model, tokens, least=2)
    found, shares = [], []
    with undisturbed(model), torch.no_grad():
        for start in range(0, len(tokens), batch_size):
            batch = tokens[start : start + batch_size]
            most = torch.tensor([math.log(seen) for seen in range(2, batch.shape[1] + 1)])
            entropies = [torch.special.entr(w).sum(-1)[..., 1:].cpu() for w in _weights(model, batch)]  # B H T-1
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


def _weights(model: nn.Module, tokens: Tensor) -> list[Tensor]:
    """Per layer [batch, heads, time, time] attention weights, in fp32; rebuilt from what attention is given.

    The fused kernel keeps none. Call it inside `undisturbed`.
    """
    found: dict[int, Tensor] = {}

    def hook(module: Attention, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        x, rotation = arguments[0], keywords.get("rotation", arguments[1] if len(arguments) > 1 else None)
        batch, time, width = x.shape
        q, k, _ = (part.view(batch, time, module.heads, -1).transpose(1, 2) for part in module.qkv(x).split(width, -1))
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        scores = (q.float() @ k.float().mT) / math.sqrt(q.shape[-1])
        ahead = torch.ones(time, time, dtype=torch.bool, device=x.device).triu(1)
        found[id(module)] = scores.masked_fill(ahead, -math.inf).softmax(-1)

    parts: list[Attention] = [layer.attention for layer in layers_of(model)]  # type: ignore[misc]
    with hooked([part.register_forward_pre_hook(hook, with_kwargs=True) for part in parts]):  # type: ignore[arg-type]
        through_layers(model, model.embed(tokens.to(device_of(model))))  # type: ignore[operator]
    return [found[id(part)] for part in parts]
