"""What the agent is told: small rewards, put inside those of `charges` as a config says."""

from __future__ import annotations

import math
from typing import Any

from ...core.config import RunConfig
from ...core.errors import AgentError
from .charges import Clipped, Priced, Targeted
from .measurement import Measurement, Reward
from .trend import Trend

__all__ = ["Improvement", "ImprovementOverTrend", "Measurement", "NegativePerplexity", "Reward", "make_reward"]

# exp beyond this overflows; a perplexity of e^80 and one of e^800 say the same.
_LARGEST_LOSS = 80.0


class NegativePerplexity:
    """-exp(loss), the paper's reward (a level: it says how good the model is, not what the answer did)."""

    def start(self, measurement: Measurement) -> None:
        """Nothing to note."""
        _finite(measurement)

    def value(self, measurement: Measurement) -> float:
        """-perplexity."""
        return -math.exp(min(_finite(measurement), _LARGEST_LOSS))

    def state(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def load(self, values: dict[str, Any]) -> None:
        """Nothing to take over."""


class Improvement:
    """Loss before the decision's steps minus loss after them, nats per token."""

    def __init__(self) -> None:
        self._before: float | None = None

    def start(self, measurement: Measurement) -> None:
        """Note the loss before the first decision."""
        self._before = _finite(measurement)

    def value(self, measurement: Measurement) -> float:
        """The improvement since the last measurement."""
        if self._before is None:
            raise AgentError(
                "Expected the measurement before the first decision, but none was given.",
                "Call start() once before value().",
            )
        before, self._before = self._before, _finite(measurement)
        return before - self._before

    def state(self) -> dict[str, Any]:
        """The last loss."""
        return {"before": self._before}

    def load(self, values: dict[str, Any]) -> None:
        """Take over the last loss."""
        self._before = values["before"]


class ImprovementOverTrend:
    """The improvement minus what the run's own recent trend (`trend.Trend`) would have given anyway."""

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


def make_reward(config: RunConfig) -> Reward:
    """The reward that a config names: its kind, then the clip, then what parameters cost."""
    kinds = {
        "negative-perplexity": NegativePerplexity,
        "improvement": Improvement,
        "improvement-over-trend": ImprovementOverTrend,
    }
    settings = config.reward
    change = settings.kind != "negative-perplexity"
    reward: Reward = kinds[settings.kind]()
    if settings.clip > 0:
        reward = Clipped(reward, settings.clip)
    if settings.price > 0:
        reward = Priced(reward, settings.price, change=change, stored=settings.price_of == "stored")
    if settings.target_share > 0:
        reward = Targeted(reward, settings.target_share, change=change)
    return reward


def _finite(measurement: Measurement) -> float:
    if not math.isfinite(measurement.loss):
        raise AgentError(
            f"Expected a finite loss at step {measurement.step}, but got {measurement.loss}.",
            "Lower the learning rate, or resume from the last checkpoint.",
        )
    return float(measurement.loss)
