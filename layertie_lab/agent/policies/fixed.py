"""Fixed maps: the baselines without an agent."""

from __future__ import annotations

from ...core.config import RunConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ...core.patterns import PATTERNS, about, pattern
from ...core.ties import TieMap
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import AgentState, StatelessPolicy, check_layers
from .registry import POLICIES


def _described(name: str) -> PolicyDescription:
    title = name.replace("-", " ").capitalize()
    return PolicyDescription(name, title, about=about(name), reads="nothing: it has no values")


class FixedPolicy(StatelessPolicy):
    """Always the same map: for each layer the map's source.

    Args:
        ties: The map.
        name: Under which name it goes.
    """

    def __init__(self, ties: TieMap, name: str = "fixed") -> None:
        self.ties = ties
        self.description = (
            POLICIES.describe(name)
            if name in PATTERNS
            else PolicyDescription(name, "Fixed map", about=f"Always {ties}.", reads="nothing: it has no values")
        )

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The map's source for the layer."""
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        """The map's source for the layer, or the legal one nearest to it."""
        check_layers(len(self.ties), state)
        return state.nearest(self.ties[state.layer])


@POLICIES.register(*map(_described, PATTERNS))
def fixed(config: RunConfig, told: RewardDescription) -> FixedPolicy:
    """The pattern of that name, of `agent.blocks` blocks where it takes a number."""
    name = config.agent.policy
    return FixedPolicy(pattern(name, config.model.layers, config.agent.blocks or None), name)
