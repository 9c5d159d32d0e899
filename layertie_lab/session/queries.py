"""Looking at a session without changing it: losses, text, the probe set, how far it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch

from ..core.events import Opened
from ..training.evaluation import Evaluation
from .components import Components
from .evaluator import Evaluator
from .summary import opened, summarize

if TYPE_CHECKING:  # a session looks at itself by these methods
    from .session import Session


class Queries:
    """What can be asked of a session between two steps; nothing of it is logged, since asking is no part of the run."""

    parts: Components
    step: int
    _readings: Evaluator

    def evaluate(self, split: str = "validation", count: int | None = None) -> Evaluation:
        """The loss now on `count` sequences (default evaluation_windows) of a split: train, reward, validation, test.

        Not logged, since asking is no part of the run.
        """
        return self._readings.evaluate(split, count or self.parts.config.training.evaluation_windows)

    def sample(self, tokens: int | None = None, *, seed: int | None = None) -> tuple[str, str]:
        """(prompt, continuation) by the model as it is now; the same at the same step unless a seed is given."""
        return self._readings.sample(self.step, tokens or self.parts.config.records.sample_tokens, seed)

    def probe_tokens(self) -> torch.Tensor:
        """The probe set: [sequences, context + 1] tokens of the validation split, the same throughout the run."""
        return self._readings.windows("validation", self.parts.config.records.probe_sequences)

    def summary(self) -> dict[str, Any]:
        """What the run has come to, as plain values (see `layertie train --json`)."""
        return summarize(cast("Session", self), self._readings.episode_bytes())

    def opening(self) -> Opened:
        """The opening event of a run that begins where this one is, for a watcher that was not there at the start."""
        return opened(cast("Session", self))
