"""Looking into a model: its layers, and what goes in and out of them (inside `models.undisturbed.undisturbed`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..core.errors import AnalysisError
from ..core.ties import TieMap
from ..models.tied_model import TiedModel

Tick = Callable[[float], None]
"""Called with the share done, 0 to 1; raises to cancel."""


def layers_of(model: TiedModel) -> list[nn.Module]:
    """The layers of a model's stack, one module per position.

    Raises:
        AnalysisError: A module stands at two positions, so that its hooks could not tell them apart.
    """
    layers = list(model.stack.layers)
    if len({id(layer) for layer in layers}) != len(layers):
        raise AnalysisError(
            f"Expected a module of its own at each of the {len(layers)} positions, but one stands at several.",
            "Tie layers by sharing Parameters, not by using one module twice.",
        )
    return layers


def ties_of(model: TiedModel) -> TieMap:
    """The tie map as it stands."""
    return model.stack.ties


def device_of(model: TiedModel) -> torch.device:
    """Where the model's parameters live."""
    return next(model.parameters()).device


def blocks_of(model: TiedModel) -> TieMap:
    """The true sharing: for each layer the first one on the same storage."""
    return model.stack.blocks


def check_tokens(model: TiedModel, tokens: Tensor, *, targets: bool = False, least: int = 1) -> None:
    """Refuse probe tokens that the model or the analysis cannot take.

    Args:
        tokens: [sequences, time] integers.
        targets: Whether the last token of each sequence is only predicted, not read.
        least: Fewest tokens to read per sequence.

    Raises:
        AnalysisError: Not two dimensions, not whole numbers, none, too short, too long, or not in the vocabulary.
    """
    if tokens.ndim != 2 or tokens.is_floating_point() or tokens.numel() == 0:
        raise AnalysisError(
            f"Expected probe tokens as whole numbers [sequences, time], but got {tokens.dtype} of shape "
            f"{list(tokens.shape)}.",
            "Encode the probe text first; an empty one has nothing to look at.",
        )
    context = model.context
    if not least <= tokens.shape[1] - targets <= context:
        raise AnalysisError(
            f"Expected probe sequences of {least + targets} to {context + targets} tokens, but got {tokens.shape[1]}.",
            "Cut or lengthen the probe text.",
        )
    vocabulary = model.vocabulary_size
    if not 0 <= int(tokens.min()) <= int(tokens.max()) < vocabulary:
        raise AnalysisError(
            f"Expected probe tokens from 0 to {vocabulary - 1}, but got {int(tokens.min())} to {int(tokens.max())}.",
            "Encode the probe text with the model's own tokenizer.",
        )


@contextmanager
def hooked(handles: list[RemovableHandle]) -> Iterator[None]:
    """Remove hooks on the way out."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass
class Passage:
    """What went into a layer and what came out, in one forward pass.

    Args:
        arguments: The positional arguments; the first is the residual stream before the layer, [batch, time, width].
        keywords: The keyword arguments.
        output: The residual stream after the layer.
    """

    arguments: tuple[Any, ...]
    keywords: dict[str, Any] = field(repr=False)
    output: Tensor

    @property
    def before(self) -> Tensor:
        """[batch, time, width] residual stream before the layer."""
        return self.arguments[0]

    @property
    def update(self) -> Tensor:
        """[batch, time, width] what the layer adds to the residual stream."""
        return self.output - self.before


@torch.no_grad()
def passages(model: TiedModel, tokens: Tensor) -> list[Passage]:
    """One forward pass, seen from each layer. Call it inside `undisturbed`.

    Args:
        tokens: [batch, time].

    Returns:
        One passage per position, in order.
    """
    layers = layers_of(model)
    seen: dict[int, Passage] = {}

    def hook(layer: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any], output: Tensor) -> None:
        seen[id(layer)] = Passage(arguments, keywords, output)

    with hooked([layer.register_forward_hook(hook, with_kwargs=True) for layer in layers]):
        through_layers(model, model.embed(tokens.to(device_of(model))))
    return [seen[id(layer)] for layer in layers]


def through_layers(model: TiedModel, x: Tensor) -> Tensor:
    """[batch, time, width] residual stream after the last layer, from that before the first."""
    return model.stack(x, *model.block_arguments(x.shape[1]))


def sequence_losses(model: TiedModel, x: Tensor, targets: Tensor) -> Tensor:
    """[batch] mean loss of each sequence, in the unit of the model's metric, from the residual stream's start.

    Args:
        x: [batch, time, width] what the first layer reads.
        targets: [batch, time] what should be predicted (`TiedModel.targets`).
    """
    return model.sequence_losses(model.head(through_layers(model, x)), targets)
