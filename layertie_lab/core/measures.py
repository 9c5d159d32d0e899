"""What is measured of a model in training: one optimizer step, and the loss on a split."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class StepResult:
    """What a step did.

    Args:
        loss: Mean over the step's batches before the update, nats per token.
        learning_rate: The step's learning rate.
        gradient_norm: Norm of all gradients together, each Parameter once, before clipping.
    """

    loss: float
    learning_rate: float
    gradient_norm: float


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
