"""What a decision's steps gained beyond what training gains anyway."""

from __future__ import annotations

from typing import Any

from ..descriptions import RewardDescription
from .improvement import Improvement
from .measurement import Measurement
from .registry import REWARDS
from .trend import Trend

IMPROVEMENT_OVER_TREND = RewardDescription(
    "improvement-over-trend",
    "Improvement over trend",
    about="The improvement minus what the run's own recent trend would have given anyway.",
    unit="nats/token",
    meaning="above 0 the loss fell by more than it would have anyway",
    reads="the loss on the text that the reward may see, and its past",
    detrended=True,
)


@REWARDS.register(IMPROVEMENT_OVER_TREND)
class ImprovementOverTrend:
    """The improvement minus what the run's own recent trend (`trend.Trend`) would have given anyway."""

    description = IMPROVEMENT_OVER_TREND

    def __init__(self) -> None:
        self._improvement = Improvement()
        self._trend = Trend()

    def start(self, measurement: Measurement) -> None:
        """Note the loss before the first decision."""
        self._improvement.start(measurement)
        self._trend = Trend()

    def value(self, measurement: Measurement) -> float:
        """The improvement over the trend; 0 for the first decision, which has no trend before it."""
        gained = self._improvement.value(measurement)
        expected = self._trend.expected()
        self._trend.add(gained)
        return 0.0 if expected is None else gained - expected

    def state(self) -> dict[str, Any]:
        """The last loss and the trend."""
        return {"improvement": self._improvement.state(), "trend": self._trend.state()}

    def load(self, values: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._improvement.load(values["improvement"])
        self._trend.load(values["trend"])
