"""The loss on held-out windows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from ..models.tied_model import TiedModel
from .device import autocast


@dataclass(frozen=True)
class Evaluation:
    """The loss on a set of windows.

    Args:
        loss: Mean over the windows' tokens, nats per token.
        standard_error: Of that mean, over windows; 0 with a single one.
        windows: Sequences evaluated.
    """

    loss: float
    standard_error: float
    windows: int

    @property
    def perplexity(self) -> float:
        """exp(loss), at most exp(80)."""
        return math.exp(min(self.loss, 80.0))


def evaluate(
    model: TiedModel,
    windows: Any,
    batch_size: int,
    device: torch.device | None = None,
    precision: str = "fp32",
) -> Evaluation:
    """The loss on windows; arguments as in `window_losses`."""
    per_window = window_losses(model, windows, batch_size, device, precision)
    return Evaluation(float(per_window.mean()), standard_error(per_window), len(per_window))


@torch.no_grad()
def window_losses(
    model: TiedModel,
    windows: Any,
    batch_size: int,
    device: torch.device | None = None,
    precision: str = "fp32",
) -> torch.Tensor:
    """The loss on each window, [windows] float64 on the CPU; without dropout, the mode is restored.

    Args:
        model: Whose loss, in the unit of its metric.
        windows: Batches end to end, N x (T + 1), N at least 1.
        batch_size: Windows per forward pass.
        device: The model's device; by default that of its parameters.
        precision: auto, fp32 or bf16.
    """
    device = next(model.parameters()).device if device is None else device
    tokens = torch.as_tensor(windows).long()
    was_training = model.training
    model.eval()
    losses: list[torch.Tensor] = []
    try:
        for batch in tokens.split(batch_size):
            batch = batch.to(device)
            with autocast(device, precision):
                predicted = model(model.inputs(batch))
            losses.append(model.sequence_losses(predicted, model.targets(batch)))
    finally:
        model.train(was_training)
    return torch.cat(losses).cpu().double()


def standard_error(values: torch.Tensor) -> float:
    """Of the mean of independent values, [count]; 0 with a single one."""
    count = len(values)
    return float(values.std(correction=1)) / math.sqrt(count) if count > 1 else 0.0
