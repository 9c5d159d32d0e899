"""A policy and a reward of one's own, for the tests."""

from __future__ import annotations

from layertie_lab.agent.descriptions import PolicyDescription, RewardDescription
from layertie_lab.agent.policies.random import RandomPolicy
from layertie_lab.agent.protocol import AgentState, StatelessPolicy, Tensors, Transition
from layertie_lab.agent.rewards.measurement import Measurement, StatelessReward
from layertie_lab.core.config import RunConfig
from layertie_lab.core.decisions import Proposal
from layertie_lab.core.keys import RunKey


class Alternating(StatelessPolicy):
    """Ties and unties in turn; it counts what it has learned from."""

    description = PolicyDescription("alternating", "Alternating", about="Ties and unties in turn.")

    def __init__(self, config: RunConfig | None = None, told: RewardDescription | None = None) -> None:
        self.learned = 0
        self.told = told

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        return state.layer if self.learned % 2 else 0

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        self.learned += 1
        return {"learned": float(self.learned)}

    def state(self) -> tuple[Tensors, dict[str, object]]:
        return {}, {"learned": self.learned}

    def load(self, tensors: Tensors, values: dict) -> None:
        self.learned = values["learned"]


class Other(RandomPolicy):
    """Another one."""

    def __init__(self, config: RunConfig, told: RewardDescription) -> None:
        super().__init__()
        self.description = PolicyDescription("other", "Other")


class MinusLoss(StatelessReward):
    """How low the loss is."""

    description = RewardDescription("minus-loss", "Minus the loss", unit="nats/token", level=True)

    def value(self, measurement: Measurement) -> float:
        return -measurement.loss


class NoLearning:
    """A policy that lacks something."""

    description = PolicyDescription("no-learning", "No learning")

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        return state.proposal(0)
