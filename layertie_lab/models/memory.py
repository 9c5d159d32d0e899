"""Bytes of a training step by component, predicted for a model as it stands. For its fullest moment see analysis."""

from __future__ import annotations

import torch
from torch import Tensor

from .counts import outer_of
from .stack import storage_of
from .tied_model import KnowsActivations, TiedModel
from .weightless import without_memory


def model_memory(model: TiedModel, batch_size: int, *, bf16: bool = False) -> dict[str, int]:
    """Bytes of a training step by component, for a model as it stands, under any settings.

    Args:
        model: Nothing of it is changed.
        batch_size: Sequences per forward pass.
        bf16: Whether it runs under bf16 autocast.

    Returns:
        The components of `standing_bytes`, and activations (saved by autograd for the backward pass of a batch).
    """
    if isinstance(model, KnowsActivations):
        saved = model.activation_bytes(batch_size, bf16=bf16)
    else:
        saved = saved_bytes(model, batch_size, bf16=bf16)
    return standing_bytes(model) | {"activations": saved}


def standing_bytes(model: TiedModel) -> dict[str, int]:
    """Bytes of parameters, gradients and optimizer state (AdamW's two moments), once a step has been made.

    Storages count once; gradients and state once per Parameter that has them (several may lie on one storage with
    on_untie="alias", and frozen ones keep their state there).
    """
    stack = model.stack
    held = list(outer_of(model).values()) + [p for group in stack.trained() for p in group.values()]
    keeps = stack.config.moments == "keep"
    return {
        "parameters": sum({storage_of(p): _size(p) for p in model.parameters()}.values()),
        "gradients": sum(_size(p) for p in model.parameters() if p.requires_grad),
        "optimizer": 2 * sum(_size(p) for p in held if keeps or p.requires_grad),
    }


def saved_bytes(model: TiedModel, batch_size: int, *, bf16: bool = False) -> int:
    """Bytes that autograd saves in one forward pass of any model, seen on a copy without memory.

    Each storage counts once, and the weights themselves do not.

    Args:
        model: Nothing of it is changed.
        batch_size: Sequences per forward pass.
        bf16: Whether it runs under bf16 autocast.
    """
    with without_memory(model) as twin:
        weights = {storage_of(p) for p in twin.parameters()}
        saved: dict[int, Tensor] = {}

        def pack(tensor: Tensor) -> Tensor:
            if storage_of(tensor) not in weights:
                # Held to the end, so that no later storage can go by the same number.
                saved[storage_of(tensor)] = tensor
            return tensor

        device = next(twin.parameters()).device
        batch = twin.train().blank_batch(batch_size).to(device)
        with (
            torch.enable_grad(),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16),
            torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        ):
            twin.loss(batch)
        return sum(tensor.untyped_storage().nbytes() for tensor in saved.values())


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
