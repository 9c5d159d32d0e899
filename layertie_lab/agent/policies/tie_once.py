"""One look at the run, one map: plain rules on the evidence that agents get, to be beaten by them.

Both keep the map that a run begins with until `agent.unshare_at` of the budget, look once, and then go to the map that
they found as the layers are asked about.
"""

from __future__ import annotations

from typing import Any

from ...core.config import RunConfig
from ...core.decisions import Proposal
from ...core.errors import AgentError
from ...core.keys import RunKey
from ...core.ties import TieMap
from ..bandit.plans import agreeing_runs, cheapest_ties
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import AgentState, Saved, Tensors, Transition, check_layers, check_reward, check_saved
from .registry import POLICIES

BY_COST = PolicyDescription(
    "tie-once-by-cost",
    "Tie once, by cost",
    about="Trains every layer on its own until agent.unshare_at of the budget, then ties those layers whose ties cost "
    "least at once, down to agent.blocks owners.",
    reads="nothing: it has no values (its map is read off what ties cost at once)",
    reads_evidence=True,
    starts="independent",
)
BY_GRADIENT = PolicyDescription(
    "tie-once-by-gradient",
    "Tie once, by gradient",
    about="Ties every layer to layer 0 until agent.unshare_at of the budget, then splits the layers into agent.blocks "
    "runs of neighbours whose gradients of the shared block agree.",
    reads="nothing: it has no values (its map is read off the gradients of the shared block at its positions)",
    reads_evidence=True,
)


class TieOnce:
    """Looks once and goes to the map that it found.

    Args:
        layers: Depth L.
        owners: Independent layers of the map, 1 .. L.
        look_at: Share of the budget after which it looks.
        description: By what: `BY_COST` or `BY_GRADIENT`.
    """

    def __init__(self, layers: int, owners: int, look_at: float, description: PolicyDescription) -> None:
        self.layers, self.owners, self.look_at = layers, owners, look_at
        self.description = description
        self._found: TieMap | None = None

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The found map's source, or the present one before there is a map."""
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        """The found map's source or the legal one nearest to it; the present one before there is a map."""
        check_layers(self.layers, state)
        return state.nearest(state.present if self._found is None else self._found[state.layer])

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Look, once it is time.

        Raises:
            AgentError: The run has no such evidence.
        """
        check_reward(transition)
        following = transition.next_state
        if self._found is None and following.decision > self.look_at * following.budget:
            self._found = self._look(following)
        return {}

    def _look(self, state: AgentState) -> TieMap:
        by_cost = self.description.name == BY_COST.name
        measure = state.tie_costs if by_cost else state.agreement
        if measure is None:
            raise AgentError(
                f"Expected a run that tells {'what ties cost' if by_cost else 'how far gradients agree'}, but this one "
                f"does not.",
                "Choose another policy.",
            )
        return (cheapest_ties if by_cost else agreeing_runs)(measure(), self.owners)

    def state(self) -> Saved:
        """The map that was found."""
        found = None if self._found is None else list(self._found)
        return {}, {"policy": self.description.name, "layers": self.layers, "found": found}

    def load(self, tensors: Tensors, values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth or by another policy.
        """
        check_saved(self.description.name, self.layers, values)
        self._found = None if values["found"] is None else TieMap(tuple(values["found"]))


@POLICIES.register(BY_COST, BY_GRADIENT)
def tie_once(config: RunConfig, told: RewardDescription) -> TieOnce:
    """To the config's number of blocks, by default a third of the layers."""
    agent, layers = config.agent, config.model.layers
    description = BY_COST if agent.policy == BY_COST.name else BY_GRADIENT
    return TieOnce(layers, agent.blocks or max(1, layers // 3), agent.unshare_at, description)
