"""Looking at a model without leaving a trace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from .tied_model import TiedModel


@contextmanager
def undisturbed(model: TiedModel, *, training: bool = False) -> Iterator[None]:
    """Look at a model in evaluation (or training) mode, and put everything back afterwards, whatever happens inside.

    Put back: each module's own training flag, and the state of torch's global random generators (CPU and the model's
    device). Compiled blocks run eagerly inside, since hooks on their submodules would silently not fire.

    Args:
        model: What is looked at.
        training: Whether to look at the model as it trains (dropout on).
    """
    flags = [(module, module.training) for module in model.modules()]
    with ExitStack() as stack:
        # Nothing is compiled where dynamo was never imported, and importing it costs a second.
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(_generators_restored(next(model.parameters()).device))
        try:
            model.train(training)
            yield
        finally:
            for module, flag in flags:
                module.training = flag


@contextmanager
def _generators_restored(device: torch.device) -> Iterator[None]:
    cpu = torch.get_rng_state()
    backend: Any = {"cuda": torch.cuda, "mps": torch.mps}.get(device.type)
    arguments = (device,) if device.type == "cuda" else ()
    state = None if backend is None else backend.get_rng_state(*arguments)
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if backend is not None:
            backend.set_rng_state(state, *arguments)
