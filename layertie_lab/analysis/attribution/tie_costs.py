"""Which ties cost what: the loss at once, without training, if one layer's source were another one."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import polars as pl
import torch
from torch import Tensor

from ...core.errors import AnalysisError
from ...models.tied_model import TiedModel
from ..capture import Tick, check_tokens, device_of, ties_of, undisturbed
from ..statistics.intervals import LEVEL, mean_interval

SCHEMA: dict[str, type[pl.DataType]] = {
    "layer": pl.Int64, "answer": pl.Int64, "owner": pl.Int64, "present": pl.Boolean, "change": pl.Float64,
    "low": pl.Float64, "high": pl.Float64, "sequences": pl.Int64,
}  # fmt: skip


def tie_costs(
    model: TiedModel,
    tokens: Tensor,
    layers: Sequence[int] | None = None,
    *,
    batch_size: int = 8,
    level: float = LEVEL,
    tick: Tick | None = None,
) -> pl.DataFrame:
    """The change of the loss for every legal change of one layer's tie, the others staying as they are.

    What an untie costs at once is exactly nothing where the layer starts on a copy of its owner's weights
    (`ties.on_untie`); what it is worth shows only after training (`counterfactual.pair`).

    Args:
        model: It is left as it was.
        tokens: [sequences, time + 1] probe tokens, at least two sequences.
        layers: Which layers to ask about; None = 1 .. L-1.
        batch_size: Sequences per forward pass.
        level: Coverage of the intervals, 0 to 1.
        tick: Told the share done; may raise to cancel.

    Returns:
        A row per layer and action: layer, answer (the action; the layer itself = on its own), owner (whose parameters
        it would use), present (whether it is so now: the change is then 0), change (mean over sequences of the loss as
        it would be minus as it is, nats per token), low, high (Student's t over sequences, paired; equal to the change
        where no sequence's loss changes), sequences.

    Raises:
        AnalysisError: Too few, too long or unknown tokens, or a layer that has no other action.
    """
    check_tokens(model, tokens, targets=True)
    ties = ties_of(model)
    chosen = list(range(1, len(ties))) if layers is None else list(layers)
    for layer in chosen:
        if not 1 <= layer < len(ties):
            raise AnalysisError(
                f"Expected layers from 1 to {len(ties) - 1}, but got {layer}.", "Layer 0 is always on its own."
            )
    if len(tokens) < 2:
        raise AnalysisError(f"Expected at least 2 probe sequences, but got {len(tokens)}.", "Use 16 or more.")
    pairs = [(layer, answer) for layer in chosen for answer in ties.legal(layer)]
    rows = []
    with undisturbed(model):
        before = _losses(model, tokens, batch_size)
        for done, (layer, answer) in enumerate(pairs):
            present = ties[layer] == answer
            if present:
                gaps = torch.zeros_like(before)
            else:
                other = copy.deepcopy(model)
                other.stack.retie(layer, answer)
                gaps = _losses(other, tokens, batch_size) - before
            change = float(gaps.mean())
            low = high = change
            if float(gaps.std()) > 0:
                interval = mean_interval(gaps.numpy(), level)
                low, high = float(interval.low), float(interval.high)
            owner = layer if answer == layer else ties.owners[answer]
            rows.append((layer, answer, owner, present, change, low, high, len(tokens)))
            if tick is not None:
                tick((done + 1) / len(pairs))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@torch.no_grad()
def _losses(model: TiedModel, tokens: Tensor, batch_size: int) -> Tensor:
    """Mean loss of each sequence, nats per token, [sequences] float64 on the CPU."""
    found = []
    for batch in tokens.split(batch_size):
        batch = batch.to(device_of(model))
        found.append(model.sequence_losses(model(model.inputs(batch)), model.targets(batch)))
    return torch.cat(found).cpu().double()
