"""What is measured of a model in training: one optimizer step, and the loss on a split."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


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
        """exp(loss)."""
        return perplexity(self.loss)


NATS = "nats per token"
"""The unit of the losses of which a perplexity is the exponential."""
DIVERGED = 80.0
"""Nats per token above which a model is lost: it gives what follows a probability of e^-80, where guessing blindly
gives it 1 in the number of tokens. No run comes back from there, and rewards of that size would be all that an agent
ever learned from."""


def has_diverged(loss: float) -> bool:
    """Whether a loss (nats per token) is no longer a number, or one of a model that is lost."""
    return not loss <= DIVERGED


def perplexity(loss: float) -> float:
    """exp(loss): among how many equally likely tokens a model is left guessing; infinity where that is no number."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def in_words(values: Any) -> Any:
    """Plain values for JSON, which has no infinity: what is not finite as "Infinity", "-Infinity" or "NaN"."""
    if isinstance(values, float) and not math.isfinite(values):
        return "NaN" if values != values else "Infinity" if values > 0 else "-Infinity"
    if isinstance(values, dict):
        return {name: in_words(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [in_words(value) for value in values]
    return values
