"""What a decision's steps gained."""

from __future__ import annotations

from typing import Any

from ...core.errors import AgentError
from ..descriptions import RewardDescription
from .measurement import Measurement, finite
from .registry import REWARDS

IMPROVEMENT = RewardDescription(
    "improvement",
    "Improvement",
    about="The loss before the decision's steps minus the loss after them (the lab agent estimates the trend along "
    "with its map).",
    unit="nats/token",
    meaning="above 0 the loss fell",
    reads="the loss on the text that the reward may see",
)


@REWARDS.register(IMPROVEMENT)
class Improvement:
    """Loss before the decision's steps minus loss after them, nats per token."""

    description = IMPROVEMENT

    def __init__(self) -> None:
        self._before: float | None = None

    def start(self, measurement: Measurement) -> None:
        """Note the loss before the first decision."""
        self._before = finite(measurement)

    def value(self, measurement: Measurement) -> float:
        """The improvement since the last measurement."""
        if self._before is None:
            raise AgentError(
                "Expected the measurement before the first decision, but none was given.",
                "Call start() once before value().",
            )
        before, self._before = self._before, finite(measurement)
        return before - self._before

    def state(self) -> dict[str, Any]:
        """The last loss."""
        return {"before": self._before}

    def load(self, values: dict[str, Any]) -> None:
        """Take over the last loss."""
        self._before = values["before"]
