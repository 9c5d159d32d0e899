"""Random policies: the yardstick that every agent must beat."""

from __future__ import annotations

import random

from ...core.decisions import Proposal
from ...core.errors import AgentError
from ...core.keys import RunKey
from ..protocol import AgentState, StatelessPolicy


class RandomPolicy(StatelessPolicy):
    """A uniform draw over the legal answers, or one matched to a number of owners.

    Args:
        owners: Mean number of independent layers to aim at; None = uniform, which gives 1 + sum of 1/(l+1): about
            3.1 of 12 layers and 4.5 of 48. Given, a layer 1 .. L-1 trains on its own with probability
            (owners - 1) / (L - 1) and is otherwise tied to an earlier one, uniformly.
    """

    def __init__(self, owners: float | None = None, name: str = "random") -> None:
        self.owners = owners
        self.name = name

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """A random draw."""
        return state.proposal(self._draw(state, key.random(state.decision, "agent")), explored=True, epsilon=1.0)

    def greedy(self, state: AgentState) -> int:
        """A random draw too, since no answer looks better than another; the same for the same state."""
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
        tied = [answer for answer in state.legal if answer != state.layer]
        return state.layer if state.layer in state.legal and (own or not tied) else draw.choice(tied)
