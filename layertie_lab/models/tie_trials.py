"""What the loss would be under every change of one layer's tie, from one walk: nothing is copied, nothing re-tied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from .sharing import after_action
from .tied_model import TiedModel

Uses = tuple[int, ...]
"""For each layer the first of the layers whose block it would use."""
Action = tuple[int, int]
"""A layer, and the source that it would name; itself = on its own."""


def trials(model: TiedModel) -> dict[Uses, list[Action]]:
    """Blocks that the layers would use -> the actions that lead there; in the order of layers and sources.

    Actions that change no layer's block are left out: they cost nothing at once, as an untie, which starts on a copy.
    """
    stack, blocks = model.stack, model.stack.sharing.blocks
    found: dict[Uses, list[Action]] = {}
    for layer in range(1, len(blocks)):
        for source in range(layer + 1):
            origins = after_action(stack.sharing, layer, source, stack.config).origins
            uses = tuple(blocks[origin if origin >= 0 else ~origin] for origin in origins)
            if uses != blocks.sources:
                found.setdefault(uses, []).append((layer, source))
    return found


def first_changed(model: TiedModel, uses: Uses) -> int:
    """The first layer that would use another block than it does."""
    blocks = model.stack.sharing.blocks
    return next(i for i, use in enumerate(uses) if blocks[i] != use)


def streams(model: TiedModel, batch: Tensor) -> tuple[list[Tensor], tuple[Any, ...]]:
    """The residual stream before each layer and after the last, and what the layers take beside it.

    Args:
        model: The model.
        batch: [batch, time + 1] tokens.
    """
    x = model.embed(model.inputs(batch))
    arguments = model.block_arguments(x.shape[1])
    found = [x]
    for block in model.stack.layers:
        found.append(block(found[-1], *arguments))
    return found, arguments


def losses_of_trials(
    model: TiedModel, batch: Tensor, wanted: dict[Uses, list[Action]]
) -> tuple[Tensor, Iterator[tuple[list[Action], Tensor]]]:
    """[batch] losses as ties are, and with the actions that lead to each other sharing those under it: float64, CPU.

    Layers before the first that changes are not computed again. Call it inside `undisturbed`.

    Args:
        model: The model.
        batch: [batch, time + 1] tokens, where the model is.
        wanted: Some of `trials`.
    """
    before, arguments = streams(model, batch)

    def losses(x: Tensor) -> Tensor:
        return model.sequence_losses(model.head(x), model.targets(batch)).cpu().double()

    def tried() -> Iterator[tuple[list[Action], Tensor]]:
        for uses, actions in wanted.items():
            first = first_changed(model, uses)
            x = before[first]
            for use in uses[first:]:
                x = model.stack.layers[use](x, *arguments)
            yield actions, losses(x)

    return losses(before[-1]), tried()
