"""The learning rate at a step."""

from __future__ import annotations

import math

from ..core.config import TrainingConfig


def learning_rate(step: int, config: TrainingConfig, total_steps: int) -> float:
    """The learning rate of a step.

    Args:
        step: Steps done before it, from 0.
        config: `learning_rate` (the peak), `warmup_steps`, `schedule`, `final_rate`.
        total_steps: Where cosine ends; later steps stay at its end.
    """
    peak = config.learning_rate
    if step < config.warmup_steps:
        return peak * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return peak
    span = max(1, total_steps - 1 - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / span)
    return peak * (config.final_rate + (1 - config.final_rate) * 0.5 * (1 + math.cos(math.pi * progress)))
