"""Layers that use shared Parameters without giving them a gradient (gradient="owner").

A copy's forward runs on detached tensors over the owner's storage: its input still gets a gradient, the weights do
not, and autograd neither saves nor computes what only a weight gradient needs. The swap sits in `forward` (by a
subclass made for the block's class, as FSDP2 does) so that hooks, `torch.compile` and activation checkpointing see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from ..core.ties import TieMap

Slots = tuple[tuple[nn.Module, str], ...]
"""Where a block holds its Parameters: (module, name in it), in the order of `named_parameters`."""


def slots_of(block: nn.Module) -> dict[str, tuple[nn.Module, str]]:
    """The dotted name of every Parameter of a block -> (module that holds it, its name there)."""
    found: dict[str, tuple[nn.Module, str]] = {}
    for prefix, module in block.named_modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                found[f"{prefix}.{name}" if prefix else name] = (module, name)
    return found


def parameter_at(module: nn.Module, name: str) -> Parameter:
    """What a module holds under a name."""
    found = module._parameters[name]
    assert found is not None, f"{name} of {type(module).__name__} is None"
    return found


class DetachedForward(nn.Module):
    """Mixed into a block's class: `forward` on detached weights while `copies` is set and gradients are recorded.

    Attributes:
        copies: Whether the block is a copy in owner mode.
        slots: Where its Parameters are.
        casts: What to use in place of some weights, by position in `slots` (see `one_cast_per_owner`).
    """

    copies: bool
    slots: Slots
    casts: dict[int, Tensor]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if not (self.copies or self.casts) or not torch.is_grad_enabled():
            return super().forward(*args, **kwargs)
        owned = [parameter_at(module, name) for module, name in self.slots]
        try:
            for i, (module, name) in enumerate(self.slots):
                weight = self.casts.get(i, owned[i])
                held: dict[str, Any] = module._parameters
                held[name] = weight.detach() if self.copies else weight
            return super().forward(*args, **kwargs)
        finally:
            for (module, name), weight in zip(self.slots, owned, strict=True):
                module._parameters[name] = weight

    def __reduce_ex__(self, protocol: Any) -> Any:
        # The subclass exists only at run time: name its base, and make it again on the other side.
        return _rebuild, (type(self).__mro__[2],), self.__getstate__()


@cache
def _detaching(base: type[nn.Module]) -> type[nn.Module]:
    return type(base.__name__, (DetachedForward, base), {"__module__": base.__module__, "__doc__": base.__doc__})


def _rebuild(base: type[nn.Module]) -> nn.Module:
    kind = _detaching(base)
    return kind.__new__(kind)


def make_detachable(block: nn.Module) -> None:
    """Give a block the forward of `DetachedForward`, in place; its parameters, hooks and name stay."""
    if isinstance(block, DetachedForward):
        return
    slots = tuple(slots_of(block).values())
    block.__class__ = _detaching(type(block))
    # Past nn.Module.__setattr__: these are bookkeeping, not submodules.
    block.__dict__.update(copies=False, slots=slots, casts={})


@contextmanager
def one_cast_per_owner(layers: Iterable[nn.Module], firsts: TieMap) -> Iterator[None]:
    """Under autocast, cast the matrices that owner and copies share once, for one forward pass over the blocks.

    Autocast keeps the cast of a Parameter that wants a gradient; a detached weight would be cast, and its cast saved
    for backward, at every copy.

    Args:
        layers: The blocks of a stack, made detachable.
        firsts: For each block the first one with the same Parameters.
    """
    blocks = [block for block in layers if isinstance(block, DetachedForward)]
    kind = parameter_at(*blocks[0].slots[0]).device.type
    copies = [layer for layer, block in enumerate(blocks) if block.copies]
    if not copies or not torch.is_grad_enabled() or not torch.is_autocast_enabled(kind):
        yield
        return
    dtype = torch.get_autocast_dtype(kind)
    used = {*copies, *(firsts[layer] for layer in copies)}
    try:
        for layer in sorted(used):
            owner = blocks[firsts[layer]]
            if not owner.casts:
                weights = [parameter_at(module, name) for module, name in owner.slots]
                owner.casts = {i: w.to(dtype) for i, w in enumerate(weights) if w.dim() > 1}
            blocks[layer].casts = owner.casts
        yield
    finally:
        for layer in used:
            blocks[layer].casts = {}
