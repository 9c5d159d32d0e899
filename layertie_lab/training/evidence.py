"""What a forward pass tells of ties and a backward pass of unties, before anything is trained for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..models.detached import DetachedForward, parameter_at, slots_of
from ..models.tie_trials import first_changed, losses_of_trials, streams, trials
from ..models.tied_model import TiedModel
from ..models.undisturbed import undisturbed
from .device import autocast

ADAM_EPSILON = 1e-8
"""torch's; some weights, such as the bias of keys, have no gradient but rounding."""


@torch.no_grad()
def tie_costs(model: TiedModel, windows: Any, batch_size: int, device: torch.device, precision: str = "fp32") -> Tensor:
    """The change of the loss at once for each action of each layer, the others staying as they are.

    Args:
        model: It is left as it was; looked at without dropout.
        windows: Batches end to end, N x (T + 1).
        batch_size: Windows per forward pass.
        device: The model's.
        precision: auto, fp32 or bf16.

    Returns:
        [L, L] float64: entry (l, a) for layer l naming source a <= l, in the unit of the model's loss; nan for a > l.
        An untie costs 0, since the layer starts on a copy. Layers before l are not computed again, and sources of one
        block are tried once.
    """
    layers = len(model.stack.layers)
    total = torch.full((layers, layers), torch.nan, dtype=torch.float64)
    total[torch.ones_like(total).tril().bool()] = 0.0
    tokens, wanted = torch.as_tensor(windows).long(), trials(model)
    with undisturbed(model):
        for batch in tokens.split(batch_size):
            with autocast(device, precision):
                before, tried = losses_of_trials(model, batch.to(device), wanted)
                whole = before.mean()
                for actions, losses in tried:
                    change = (losses.mean() - whole) * len(batch)
                    for layer, source in actions:
                        total[layer, source] += change
    return total / len(tokens)


def forward_passes(model: TiedModel) -> float:
    """How many forward passes through all layers `tie_costs` takes per batch, as far as layers go."""
    layers = len(model.stack.layers)
    return 1 + sum(layers - first_changed(model, uses) for uses in trials(model)) / layers


def gradient_agreement(
    model: TiedModel, windows: Any, batch_size: int, device: torch.device, precision: str = "fp32"
) -> Tensor:
    """How far the gradients that a shared block gets at its positions agree.

    The gradient of each position by itself is taken on two halves of the windows and divided, weight by weight, by its
    root mean square over the block's positions, as Adam would. Products of one half with the other have no noise on
    their diagonal. For a group of positions that shares a block, the square root of the sum of its entries is the
    length of the step that they take together: what a group gains by being split is the sum of its parts' lengths
    minus its own, to first order.

    Args:
        model: It is left as it was; looked at without dropout. Memory: two gradients of the model as if untied.
        windows: Batches end to end, N x (T + 1), N at least 2.
        batch_size: Windows per pass.
        device: The model's.
        precision: auto, fp32 or bf16.

    Returns:
        [L, L] float64, symmetric, without a unit; 0 for two layers that do not share a block.
    """
    tokens = torch.as_tensor(windows).long()
    halves = tokens[: len(tokens) // 2], tokens[len(tokens) // 2 :]
    layers, blocks = list(model.stack.layers), model.stack.sharing.blocks
    with undisturbed(model), _leaves(layers) as leaves:
        found = [_position_gradients(model, leaves, half, batch_size, device, precision) for half in halves]
    gram = torch.zeros(len(layers), len(layers), dtype=torch.float64)
    for slot in range(len(leaves[0])):
        for owner in sorted(set(blocks)):
            group = [layer for layer, block in enumerate(blocks) if block == owner]
            first, second = (torch.stack([half[layer][slot] for layer in group]).flatten(1) for half in found)
            scale = torch.cat([first, second]).square().mean(0).sqrt() + ADAM_EPSILON
            product = ((first / scale) @ (second / scale).T).double().cpu()
            gram[torch.tensor(group)[:, None], torch.tensor(group)] += (product + product.T) / 2
    return gram


def _position_gradients(
    model: TiedModel,
    leaves: list[list[Tensor]],
    windows: Tensor,
    batch_size: int,
    device: torch.device,
    precision: str,
) -> list[list[Tensor]]:
    """Layer -> slot -> gradient of the mean loss."""
    for leaf in (leaf for layer in leaves for leaf in layer):
        leaf.grad = None
    for batch in windows.split(batch_size):
        batch = batch.to(device)
        # Not by `stack.forward`, whose casts are shared by those that share a block.
        with autocast(device, precision):
            found, _ = streams(model, batch)
            loss = model.sequence_losses(model.head(found[-1]), model.targets(batch)).mean()
        (loss * (len(batch) / len(windows))).backward(inputs=[leaf for layer in leaves for leaf in layer])
    return [[leaf.grad.detach().clone() for leaf in layer if leaf.grad is not None] for layer in leaves]


@contextmanager
def _leaves(layers: list[nn.Module]) -> Iterator[list[list[Tensor]]]:
    """Each layer on a Parameter of its own over the storage that it shares; put back afterwards."""
    places = [(layer, list(slots_of(layer).values())) for layer in layers]
    held = [[parameter_at(module, name) for module, name in slots] for _, slots in places]
    detached = [layer for layer in layers if isinstance(layer, DetachedForward) and layer.copies]
    try:
        for layer in detached:
            layer.copies = False
        for _, slots in places:
            for module, name in slots:
                setattr(module, name, nn.Parameter(parameter_at(module, name).detach()))
        yield [[parameter_at(module, name) for module, name in slots] for _, slots in places]
    finally:
        for layer in detached:
            layer.copies = True
        for (_, slots), parameters in zip(places, held, strict=True):
            for (module, name), parameter in zip(slots, parameters, strict=True):
                setattr(module, name, parameter)
