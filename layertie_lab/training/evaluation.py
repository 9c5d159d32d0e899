"""The loss on held-out windows."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..core.measures import Evaluation
from ..models.tied_model import TiedModel
from .device import autocast


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
