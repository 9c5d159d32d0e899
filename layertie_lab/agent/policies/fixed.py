"""Fixed maps: the baselines without an agent."""

from __future__ import annotations

from ...core.config import RunConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ...core.patterns import GIVEN, PATTERNS, about, pattern
from ...core.ties import TieMap
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import AgentState, StatelessPolicy, check_layers
from .registry import POLICIES


def _described(name: str) -> PolicyDescription:
    title = name.replace("-", " ").capitalize()
    return PolicyDescription(name, title, about=about(name), reads="nothing: it has no values")


GIVEN_MAP = PolicyDescription(
    GIVEN,
    "Given map",
    about="Keeps the map that agent.map gives, by its sources or as the last map of a run, from start to end.",
    reads="nothing: it has no values",
)


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
            if name in (*PATTERNS, GIVEN)
            else PolicyDescription(name, "Fixed map", about=f"Always {ties}.", reads="nothing: it has no values")
        )

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The map's source for the layer."""
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        """The map's source for the layer, or the legal one nearest to it."""
        check_layers(len(self.ties), state)
        return state.nearest(self.ties[state.layer])


def fixed_map(config: RunConfig) -> TieMap | None:
    """The map of a config whose policy keeps one: a pattern, of `agent.blocks` blocks where it takes a number, or the
    one that is given. None where the policy is another one.
    """
    agent = config.agent
    if agent.policy == GIVEN:
        return TieMap.parse(agent.map)
    return pattern(agent.policy, config.model.layers, agent.blocks or None) if agent.policy in PATTERNS else None


@POLICIES.register(*map(_described, PATTERNS), GIVEN_MAP)
def fixed(config: RunConfig, told: RewardDescription) -> FixedPolicy:
    """The pattern of that name, or the given map."""
    ties = fixed_map(config)
    assert ties is not None, f"registered for maps alone, but made for {config.agent.policy}"
    return FixedPolicy(ties, config.agent.policy)
