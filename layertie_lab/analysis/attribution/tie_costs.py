"""Which ties cost what: the loss at once, without training, if one layer's source were another one."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import torch
from torch import Tensor

from ...core.errors import AnalysisError
from ...models.tie_trials import Action, losses_of_trials, trials
from ...models.tied_model import TiedModel
from ...models.undisturbed import undisturbed
from ..capture import Tick, check_tokens, device_of, ties_of
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
    gaps = _gaps(model, tokens, chosen, batch_size, tick)
    rows = []
    for layer in chosen:
        for answer in ties.legal(layer):
            # An action that changes no block changes no loss.
            found = gaps.get((layer, answer), torch.zeros(len(tokens), dtype=torch.float64))
            low = high = change = float(found.mean())
            if float(found.std()) > 0:
                interval = mean_interval(found.numpy(), level)
                low, high = float(interval.low), float(interval.high)
            owner = layer if answer == layer else ties.owners[answer]
            rows.append((layer, answer, owner, ties[layer] == answer, change, low, high, len(tokens)))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@torch.no_grad()
def _gaps(
    model: TiedModel, tokens: Tensor, chosen: list[int], batch_size: int, tick: Tick | None
) -> dict[Action, Tensor]:
    """(layer, answer) -> change of each sequence's loss, nats per token, [sequences] float64 on the CPU."""
    wanted = {
        uses: mine
        for uses, actions in trials(model).items()
        if (mine := [action for action in actions if action[0] in chosen])
    }
    gaps: dict[Action, list[Tensor]] = {}
    batches, done = tokens.split(batch_size), 0
    if tick is not None and not wanted:
        tick(1.0)
    with undisturbed(model):
        for batch in batches:
            before, tried = losses_of_trials(model, batch.to(device_of(model)), wanted)
            for actions, losses in tried:
                for action in actions:
                    gaps.setdefault(action, []).append(losses - before)
                done += 1
                if tick is not None:
                    tick(done / (len(batches) * len(wanted)))
    return {action: torch.cat(each) for action, each in gaps.items()}
