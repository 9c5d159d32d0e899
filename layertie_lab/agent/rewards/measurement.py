"""What rewards are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ...core.errors import AgentError
from ..descriptions import RewardDescription


@dataclass(frozen=True)
class Measurement:
    """What was measured after a decision's steps (or at the start).

    Args:
        loss: On the split that the reward may see, nats per token.
        step: Optimizer steps done.
        decision: Decisions done; 0 at the start.
        trainable_parameters: Parameters that receive gradients, counted once per storage.
        untied_parameters: Parameters of the same model with every layer independent.
        stored_parameters: Parameters that take memory, counted once per storage; None = the trainable ones.
    """

    loss: float
    step: int
    decision: int
    trainable_parameters: int
    untied_parameters: int
    stored_parameters: int | None = None

    @property
    def share(self) -> float:
        """Trainable parameters as a share of the untied model's."""
        return self.trainable_parameters / self.untied_parameters

    @property
    def stored_share(self) -> float:
        """Stored parameters (or bytes, at one width per number) as a share of the untied model's."""
        return self.share if self.stored_parameters is None else self.stored_parameters / self.untied_parameters


@runtime_checkable
class Reward(Protocol):
    """Turns measurements into what the agent is told. `start` once, then `value` after every decision, in order."""

    @property
    def description(self) -> RewardDescription:
        """What it says of itself."""
        ...

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


class StatelessReward:
    """Base of rewards that keep nothing."""

    description = RewardDescription("stateless", "A reward without a state")

    def start(self, measurement: Measurement) -> None:
        """Nothing to note."""
        finite(measurement)

    def state(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def load(self, values: dict[str, Any]) -> None:
        """Nothing to take over."""


def finite(measurement: Measurement) -> float:
    """The loss.

    Raises:
        AgentError: It is not finite.
    """
    if not math.isfinite(measurement.loss):
        raise AgentError(
            f"Expected a finite loss at step {measurement.step}, but got {measurement.loss}.",
            "Lower the learning rate, or resume from the last checkpoint.",
        )
    return float(measurement.loss)
