"""What the agent is told: small rewards that can be put around one another."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..core.config import RunConfig
from ..core.errors import AgentError

# exp beyond this overflows; a perplexity of e^80 and one of e^800 say the same.
_LARGEST_LOSS = 80.0

# Improvements that a trend looks back on.
_TREND_MEMORY = 1024


@dataclass(frozen=True)
class Measurement:
    """What was measured after a decision's steps (or at the start).

    Args:
        loss: On the split that the reward may see, nats per token.
        step: Optimizer steps done.
        decision: Decisions done; 0 at the start.
        trainable_parameters: Parameters that receive gradients, counted once per storage.
        untied_parameters: Parameters of the same model with every layer independent.
    """

    loss: float
    step: int
    decision: int
    trainable_parameters: int
    untied_parameters: int

    @property
    def share(self) -> float:
        """Trainable parameters as a share of the untied model's."""
        return self.trainable_parameters / self.untied_parameters


class Reward(Protocol):
    """Turns measurements into what the agent is told. `start` once, then `value` after every decision, in order."""

    def start(self, measurement: Measurement) -> None:
        """Take note of the state before the first decision."""
        ...

    def value(self, measurement: Measurement) -> float:
        """The reward of the decision that led to this measurement."""
        ...

    def state(self) -> dict[str, Any]:
        """What a later `load` needs to go on exactly, as values that JSON can hold."""
        ...

    def load(self, values: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        ...


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
            raise AgentError("Expected start() before the first value(), but it was not called.", "Call start first.")
        before, self._before = self._before, _finite(measurement)
        return before - self._before

    def state(self) -> dict[str, Any]:
        """The last loss."""
        return {"before": self._before}

    def load(self, values: dict[str, Any]) -> None:
        """Take over the last loss."""
        self._before = values["before"]


class ImprovementOverTrend:
    """The improvement minus what the run's own recent trend would have given anyway.

    The trend at decision t is a line in log time through i x (improvement at i), the natural scale of a loss that falls
    like a power of time: expected(i) = (a + b ln(i / t)) / i, fitted to the improvements of decisions i < t by least
    squares with weights i^2 x 2^(-(t - i) / h), h = half of the decisions so far (8 to 256), and with Huber's weights
    against single jumps (such as the ones that good and bad answers make). What it expects at t is a / t. On a plain
    training curve the rewards average to a few percent of the improvements.
    """

    def __init__(self) -> None:
        self._improvement = Improvement()
        self._recent: deque[float] = deque(maxlen=_TREND_MEMORY)
        self._done = 0

    def start(self, measurement: Measurement) -> None:
        """Note the loss before the first decision."""
        self._improvement.start(measurement)
        self._recent.clear()
        self._done = 0

    def value(self, measurement: Measurement) -> float:
        """The improvement over the trend; 0 for the first decision, which has no trend before it."""
        gained = self._improvement.value(measurement)
        expected = self.expected()
        self._recent.append(gained)
        self._done += 1
        return gained - (gained if expected is None else expected)

    def expected(self) -> float | None:
        """What the trend would give for the next decision; None before the first."""
        if not self._recent:
            return None
        gained = np.asarray(self._recent)
        now = self._done + 1
        at = np.arange(now - len(gained), now)
        half_life = min(max(8.0, self._done / 2), _TREND_MEMORY / 4)
        # Scaled to `now` rather than to 1, so that the residuals are in nats of the present.
        scaled = gained * at / now
        basis = np.ones((len(gained), 1))
        if len(gained) >= 6:
            basis = np.stack([basis[:, 0], np.log(at / now)], axis=1)
        weights = 0.5 ** ((now - at) / half_life)
        robust = weights
        fit = np.zeros(basis.shape[1])
        for _ in range(3):
            normal = basis.T @ (basis * robust[:, None])
            normal += np.eye(len(normal)) * 1e-9 * np.trace(normal)
            fit = np.linalg.solve(normal, basis.T @ (robust * scaled))
            residual = np.abs(scaled - basis @ fit)
            spread = 1.4826 * float(np.median(residual)) + 1e-12
            robust = weights / np.maximum(1.0, residual / (2 * spread))
        return float(fit[0])

    def state(self) -> dict[str, Any]:
        """The last loss and the recent improvements."""
        return {"improvement": self._improvement.state(), "recent": list(self._recent), "done": self._done}

    def load(self, values: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._improvement.load(values["improvement"])
        self._recent.clear()
        self._recent.extend(values["recent"])
        self._done = values["done"]


class Clipped:
    """Another reward, limited to [-limit, limit]."""

    def __init__(self, reward: Reward, limit: float) -> None:
        self._reward = reward
        self.limit = limit

    def start(self, measurement: Measurement) -> None:
        """As the reward inside."""
        self._reward.start(measurement)

    def value(self, measurement: Measurement) -> float:
        """The limited reward."""
        return max(-self.limit, min(self.limit, self._reward.value(measurement)))

    def state(self) -> dict[str, Any]:
        """As the reward inside."""
        return self._reward.state()

    def load(self, values: dict[str, Any]) -> None:
        """As the reward inside."""
        self._reward.load(values)


class Priced:
    """Another reward minus a price for the share of parameters that train.

    Args:
        reward: The reward inside.
        price: Of training the untied model's full number of parameters, in units of the reward inside.
        change: Charge the change of the share since the last measurement instead of the share. Right for rewards
            that are improvements: their sum over a run is then the loss gained minus price x the final share.
    """

    def __init__(self, reward: Reward, price: float, *, change: bool = False) -> None:
        self._reward = reward
        self.price = price
        self.change = change
        self._share = 0.0

    def start(self, measurement: Measurement) -> None:
        """As the reward inside."""
        self._reward.start(measurement)
        self._share = measurement.share

    def value(self, measurement: Measurement) -> float:
        """The reward after the price."""
        before, self._share = self._share, measurement.share
        charged = self._share - before if self.change else self._share
        return self._reward.value(measurement) - self.price * charged

    def state(self) -> dict[str, Any]:
        """The reward inside and the last share."""
        return {"reward": self._reward.state(), "share": self._share}

    def load(self, values: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._reward.load(values["reward"])
        self._share = values["share"]


def make_reward(config: RunConfig) -> Reward:
    """The reward that a config names: its kind, then the clip, then the price."""
    kinds = {
        "negative-perplexity": NegativePerplexity,
        "improvement": Improvement,
        "improvement-over-trend": ImprovementOverTrend,
    }
    reward: Reward = kinds[config.reward.kind]()
    if config.reward.clip > 0:
        reward = Clipped(reward, config.reward.clip)
    if config.reward.price > 0:
        reward = Priced(reward, config.reward.price, change=config.reward.kind != "negative-perplexity")
    return reward


def _finite(measurement: Measurement) -> float:
    if not math.isfinite(measurement.loss):
        raise AgentError(
            f"Expected a finite loss at step {measurement.step}, but got {measurement.loss}.",
            "Lower the learning rate, or resume from the last checkpoint.",
        )
    return measurement.loss
