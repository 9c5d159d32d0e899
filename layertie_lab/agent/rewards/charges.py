"""What is done to another reward: a limit, a price for parameters, a target for their number."""

from __future__ import annotations

from typing import Any

from .measurement import Measurement, Reward


class Clipped:
    """Another reward, limited to [-limit, limit]."""

    def __init__(self, reward: Reward, limit: float) -> None:
        self._reward = reward
        self.description = reward.description
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
    """Another reward minus price x the share of parameters.

    Args:
        reward: The reward inside.
        price: Of the untied model's full number of parameters, in units of the reward inside.
        change: Charge the change of the share since the last measurement instead of the share. Right for rewards that
            are improvements: their sum over a run is then the loss gained minus price x what the share has grown,
            while a share charged at each decision would weigh the more against the loss the longer the run.
        stored: Count parameters that are stored, rather than those that train.
    """

    def __init__(self, reward: Reward, price: float, *, change: bool = False, stored: bool = False) -> None:
        self._reward = reward
        self.description = reward.description
        self.price = price
        self.change = change
        self.stored = stored
        self._before = 0.0

    def start(self, measurement: Measurement) -> None:
        """As the reward inside."""
        self._reward.start(measurement)
        self._before = self._share(measurement)

    def value(self, measurement: Measurement) -> float:
        """The reward after the price."""
        before, self._before = self._before, self._share(measurement)
        charged = self._before - before if self.change else self._before
        return self._reward.value(measurement) - self.price * charged

    def _share(self, measurement: Measurement) -> float:
        return measurement.stored_share if self.stored else measurement.share

    def state(self) -> dict[str, Any]:
        """The reward inside and the last share."""
        return {"reward": self._reward.state(), "before": self._before}

    def load(self, values: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._reward.load(values["reward"])
        self._before = values["before"]


class Targeted:
    """Another reward minus multiplier x (share of trainable parameters - target), a Lagrangian.

    After each decision the multiplier rises by rate x (share - target), and never falls below 0: parameters beyond the
    target cost the more the longer they stay, and nothing once the target has been kept for long.

    Args:
        reward: The reward inside.
        target: Share of the untied model's parameters that may train, 0 to 1.
        change: Charge the change of the penalty instead of the penalty (see `Priced`).
        rate: Of the multiplier, in units of the reward inside per decision and full model.
    """

    def __init__(self, reward: Reward, target: float, *, change: bool = False, rate: float = 0.05) -> None:
        self._reward = reward
        self.description = reward.description
        self.target = target
        self.change = change
        self.rate = rate
        self.multiplier = 0.0
        self._before = 0.0

    def start(self, measurement: Measurement) -> None:
        """As the reward inside."""
        self._reward.start(measurement)
        self.multiplier = self._before = 0.0

    def value(self, measurement: Measurement) -> float:
        """The reward after the penalty."""
        excess = measurement.share - self.target
        self.multiplier = max(0.0, self.multiplier + self.rate * excess)
        before, self._before = self._before, self.multiplier * excess
        return self._reward.value(measurement) - (self._before - before if self.change else self._before)

    def state(self) -> dict[str, Any]:
        """The reward inside, the multiplier and the last penalty."""
        return {"reward": self._reward.state(), "multiplier": self.multiplier, "before": self._before}

    def load(self, values: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._reward.load(values["reward"])
        self.multiplier, self._before = values["multiplier"], values["before"]
