"""What the loss would be if one position did something else: nothing at all, or what its neighbour does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...models.tied_model import TiedModel
from ...models.undisturbed import undisturbed
from ..capture import Tick, blocks_of, check_tokens, device_of, hooked, layers_of, ties_of
from ..statistics.intervals import LEVEL
from .registry import ATTRIBUTIONS, Asked, AttributionDescription
from .rows import SCHEMA, row
from .targets import Objective, Target, chosen

SKIPPED = AttributionDescription(
    "skipped",
    "Loss without the layer",
    about="the loss when the layer is skipped, minus the loss",
    unit="loss(skipped) - loss",
    meaning="Above 0 the layer lowers the loss: without it the loss is that much higher.",
    axis="rise of the loss (nats per token)",
    lowers="above",
    usual=True,
)
REPLACED = tuple(
    AttributionDescription(
        f"replaced-{side}",
        f"Loss with the weights of the layer {side}",
        about=f"the loss when the nearest layer {side} with other weights stands in, minus the loss",
        unit="loss(replaced) - loss",
        meaning="Above 0 the layer's own weights are better in its place.",
        axis="rise of the loss (nats per token)",
        lowers="above",
    )
    for side in ("before", "after")
)
"""Methods of `loss_if_replaced`: by the nearest layer before, and after, that has other weights."""
Hook = Callable[[nn.Module, tuple[Any, ...], Tensor], Tensor]


def loss_if_skipped(
    model: TiedModel,
    tokens: Tensor,
    *,
    target: Target | None = None,
    level: float = LEVEL,
    batch_size: int = 8,
    tick: Tick | None = None,
) -> pl.DataFrame:
    """How much the loss rises when one position is skipped (its output is its input), all else as it is.

    Neighbours that are tied get equal values: without either, the same stack is left.

    Args:
        model: It is left as it was.
        tokens: [sequences, time + 1] probe tokens.
        target: One token, whose loss is then meant (no interval: low and high are null); None = all tokens' mean loss.
        level: Coverage of the intervals, 0 to 1.
        batch_size: Sequences per forward pass.
        tick: Called with the share done; may raise to cancel.

    Returns:
        One row per layer, as in `attribution.layer_attribution`. `value`: mean rise in nats per token, positive where
        the layer lowers the loss; `low`, `high`: Student's t interval of the paired differences over sequences.

    Raises:
        AnalysisError: Fewer than two sequences and no target, no such target, or a model that has diverged.
    """
    check_tokens(model, tokens, targets=True)
    tokens, objective = chosen(tokens, target)
    owners = ties_of(model).owners
    changes = _changes(model, tokens, [(layer, _identity) for layer in range(len(owners))], objective, batch_size, tick)
    rows = [
        row(SKIPPED, model.metric, layer, owners[layer], found, level, target) for layer, found in enumerate(changes)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def loss_if_replaced(
    model: TiedModel,
    tokens: Tensor,
    *,
    methods: Sequence[str] = tuple(each.name for each in REPLACED),
    target: Target | None = None,
    level: float = LEVEL,
    batch_size: int = 8,
    tick: Tick | None = None,
) -> pl.DataFrame:
    """How much the loss changes when one position uses a neighbour's weights in place of its own, all else as it is.

    The neighbours of a position are the nearest layer before it and the nearest after it whose weights are not the
    same storage. Other than a change of the tie, this leaves the layers that are tied to the position alone.

    Args:
        model: As in `loss_if_skipped`.
        tokens: [sequences, time + 1] probe tokens.
        methods: replaced-before, replaced-after, or both.
        target: As in `loss_if_skipped`.
        level: Coverage of the intervals, 0 to 1.
        batch_size: Sequences per forward pass.
        tick: Called with the share done; may raise to cancel.

    Returns:
        Two rows per layer: methods replaced-before and replaced-after. `neighbour`: the layer whose block stood in.
        `value`: mean change in nats per token, positive where the layer's own weights are better there. Where there is
        no such neighbour (before the first, after the last, all tied), `value` and `neighbour` are null.

    Raises:
        AnalysisError: As in `loss_if_skipped`.
    """
    check_tokens(model, tokens, targets=True)
    tokens, objective = chosen(tokens, target)
    layers, owners = layers_of(model), ties_of(model).owners
    pairs = [
        (method, layer, neighbour)
        for method, side in zip(REPLACED, zip(*neighbours(tuple(blocks_of(model))), strict=True), strict=True)
        if method.name in methods
        for layer, neighbour in enumerate(side)
    ]
    swaps = [(layer, _by(layers[other])) for _, layer, other in pairs if other is not None]
    changes = iter(_changes(model, tokens, swaps, objective, batch_size, tick))
    rows: list[dict[str, Any]] = []
    for method, layer, other in pairs:
        if other is None:
            rows.append(
                row(method, model.metric, layer, owners[layer], None, level, target) | {"sequences": len(tokens)}
            )
        else:
            found = row(method, model.metric, layer, owners[layer], next(changes), level, target)
            rows.append(found | {"neighbour": other})
    return pl.DataFrame(rows, schema=SCHEMA)


@ATTRIBUTIONS.register(SKIPPED)
def skipped(model: TiedModel, tokens: Tensor, asked: Asked, tick: Tick | None = None) -> pl.DataFrame:
    """`loss_if_skipped` as a method of attribution."""
    return loss_if_skipped(model, tokens, target=asked.target, level=asked.level, tick=tick)


@ATTRIBUTIONS.register(REPLACED[0])
def replaced_before(model: TiedModel, tokens: Tensor, asked: Asked, tick: Tick | None = None) -> pl.DataFrame:
    """`loss_if_replaced` by the layer before as a method of attribution."""
    options = {"target": asked.target, "level": asked.level, "tick": tick}
    return loss_if_replaced(model, tokens, methods=[REPLACED[0].name], **options)


@ATTRIBUTIONS.register(REPLACED[1])
def replaced_after(model: TiedModel, tokens: Tensor, asked: Asked, tick: Tick | None = None) -> pl.DataFrame:
    """`loss_if_replaced` by the layer after as a method of attribution."""
    options = {"target": asked.target, "level": asked.level, "tick": tick}
    return loss_if_replaced(model, tokens, methods=[REPLACED[1].name], **options)


def neighbours(blocks: tuple[int, ...]) -> list[tuple[int | None, int | None]]:
    """Per layer, the nearest layer before and the nearest after that are on other storages (None: there is none).

    Args:
        blocks: Per layer, the first layer on the same storage.
    """
    found = []
    for layer, block in enumerate(blocks):
        before = next((other for other in reversed(range(layer)) if blocks[other] != block), None)
        after = next((other for other in range(layer, len(blocks)) if blocks[other] != block), None)
        found.append((before, after))
    return found


def _changes(
    model: TiedModel,
    tokens: Tensor,
    swaps: list[tuple[int, Hook]],
    objective: Objective,
    batch_size: int,
    tick: Tick | None,
) -> NDArray[np.float64]:
    """[swaps, sequences] loss with a hook on one layer minus the loss without."""
    layers = layers_of(model)
    gaps: list[Tensor] = []  # per batch [swaps, batch]
    with undisturbed(model), torch.no_grad():
        for start in range(0, len(tokens), batch_size):
            batch = tokens[start : start + batch_size].to(device_of(model))
            x, targets = model.embed(model.inputs(batch)), model.targets(batch)
            before = objective(model, x, targets).cpu().double()
            found = [before.new_empty(0, len(batch))]
            for done, (layer, hook) in enumerate(swaps):
                with hooked([layers[layer].register_forward_hook(hook)]):
                    found.append((objective(model, x, targets).cpu().double() - before)[None])
                if tick is not None:
                    tick((start + len(batch) * (done + 1) / len(swaps)) / len(tokens))
            gaps.append(torch.cat(found))
    return torch.cat(gaps, dim=1).numpy()


def _identity(layer: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
    return arguments[0]


def _by(other: nn.Module) -> Hook:
    def hook(layer: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
        return other(*arguments)

    return hook
