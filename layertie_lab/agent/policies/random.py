"""Random policies: the yardstick that every agent must beat."""

from __future__ import annotations

import random

from ...core.config import RunConfig
from ...core.decisions import Proposal
from ...core.errors import AgentError
from ...core.keys import RunKey
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import AgentState, StatelessPolicy
from .registry import POLICIES

RANDOM = PolicyDescription(
    "random",
    "Random",
    about="A uniform draw over the legal actions: what chance alone gives, 4.46 +- 1.68 independent layers of 48 "
    "(PAPER departure 7).",
    reads="nothing: it has no values",
)
RANDOM_MATCHED = PolicyDescription(
    "random-matched",
    "Random, matched",
    about="A random draw that aims at agent.blocks independent layers.",
    reads="nothing: it has no values",
)


class RandomPolicy(StatelessPolicy):
    """A uniform draw over the legal actions, or one matched to a number of owners.

    Args:
        owners: Mean number of independent layers to aim at; None = uniform, which gives 1 + sum of 1/(l+1): about
            3.1 of 12 layers and 4.5 of 48. Given, a layer 1 .. L-1 trains on its own with probability
            (owners - 1) / (L - 1) and is otherwise tied to an earlier one, uniformly.
    """

    def __init__(self, owners: float | None = None) -> None:
        self.owners = owners
        self.description = RANDOM if owners is None else RANDOM_MATCHED

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """A random draw."""
        return state.proposal(self._draw(state, key.random(state.decision, "agent")), explored=True, epsilon=1.0)

    def greedy(self, state: AgentState) -> int:
        """A random draw too, since no action looks better than another; the same for the same state."""
        return self._draw(state, random.Random(f"{state.decision}/{state.ties}"))

    def _draw(self, state: AgentState, draw: random.Random) -> int:
        if self.owners is None:
            return draw.choice(state.legal)
        layers = len(state.ties)
        if not 1 <= self.owners <= layers:
            raise AgentError(
                f"Expected 1 to {layers} owners for {layers} layers, but got {self.owners}.",
                "Choose a number of owners that the model can have.",
            )
        own = draw.random() < (self.owners - 1) / (layers - 1)
        tied = [action for action in state.legal if action != state.layer]
        return state.layer if state.layer in state.legal and (own or not tied) else draw.choice(tied)


@POLICIES.register(RANDOM)
def uniform(config: RunConfig, told: RewardDescription) -> RandomPolicy:
    """Over all legal actions alike."""
    return RandomPolicy()


@POLICIES.register(RANDOM_MATCHED)
def matched(config: RunConfig, told: RewardDescription) -> RandomPolicy:
    """To the config's number of blocks, by default a third of the layers."""
    return RandomPolicy(config.agent.blocks or max(1, config.model.layers // 3))
