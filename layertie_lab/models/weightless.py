"""A copy of a model that has shapes and no memory: torch's FakeTensorMode, with storages shared as in the model."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import Parameter

from ..core.ties import TieMap
from .detached import parameter_at, slots_of
from .stack import LayerStack
from .tied_model import TiedModel


@contextmanager
def without_memory(model: TiedModel) -> Iterator[TiedModel]:
    """A copy in which every tensor is fake, and so is every tensor that is made inside; the model stays as it is.

    Whatever the model can do runs as it would, kernel by kernel on the model's device, but no number is computed: what
    depends on a value raises torch's DataDependentOutputException. Blocks run eagerly, also where compiled.
    """
    mode = FakeTensorMode()
    held: list[Tensor] = [*model.parameters(), *model.buffers()]
    # With on_untie="alias", Parameters that no layer uses at present.
    held += [p for group in model.stack.trained() for p in group.values()]
    copies = {id(tensor): mode.from_tensor(tensor) for tensor in held}
    twin = copy.deepcopy(model, dict(copies))
    for p in twin.parameters():
        p.grad = None
    with ExitStack() as stack:
        # Nothing is compiled where dynamo was never imported, and importing it costs a second.
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(mode)
        yield twin


def put_under(twin: TiedModel, ties: TieMap) -> None:
    """Put a copy without memory under another map, as if its run had always cloned on untying.

    Args:
        twin: As `without_memory` gives it.
        ties: Every chain of it ends at its owner.
    """
    for block in twin.stack.layers:
        for module, name in slots_of(block).values():
            # An owner's weights may be another layer's until here.
            module.register_parameter(name, Parameter(torch.empty_like(parameter_at(module, name))))
    config = replace(twin.stack.config, on_untie="clone", chain="follow", start="tied")
    twin.stack = LayerStack(twin.stack.layers, config, ties)
