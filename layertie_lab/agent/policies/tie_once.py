"""One look at the run, one map: plain rules on the evidence that agents get, to be beaten by them.

Both keep the map that a run begins with until `agent.unshare_at` of the budget, look once, and then go to the map that
they found as the layers are asked about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.config import RunConfig
from ...core.decisions import Proposal
from ...core.errors import AgentError
from ...core.keys import RunKey
from ...core.ties import TieMap
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import AgentState, Saved, Tensors, Transition, check_layers, check_reward, check_saved
from .registry import POLICIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def cheapest_ties(costs: NDArray[Any], owners: int) -> TieMap:
    """The map of so many owners that a greedy walk from all independent reaches, each tie's cost counted by itself.

    Args:
        costs: [L, L] the change of the loss if layer l alone named source a <= l.
        owners: 1 .. L.
    """
    layers = len(costs)

    def cheapest(layer: int, left: list[int]) -> int:
        return min((a for a in left if a < layer), key=lambda a: costs[layer, a])

    def total(left: list[int]) -> float:
        return sum(float(costs[layer, cheapest(layer, left)]) for layer in range(layers) if layer not in left)

    left = list(range(layers))
    while len(left) > owners:
        # Layer 0 has nobody to be tied to. A layer that loses its source goes to its next best.
        left = min(([a for a in left if a != layer] for layer in left[1:]), key=total)
    return TieMap(tuple(layer if layer in left else cheapest(layer, left) for layer in range(layers)))


def agreeing_runs(agreement: NDArray[Any], owners: int) -> TieMap:
    """The split of the layers into so many runs of neighbours whose steps are longest together, to first order.

    Args:
        agreement: [L, L] as `training.evidence.gradient_agreement` gives it.
        owners: 1 .. L.
    """
    layers = len(agreement)

    def length(first: int, end: int) -> float:
        return max(0.0, float(agreement[first:end, first:end].sum())) ** 0.5

    # For each end, the best split of the layers before it: (length in all, where its runs begin).
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for _ in range(owners):
        best = {
            end: max(
                (value + length(first, end), (*runs, first)) for first, (value, runs) in best.items() if first < end
            )
            for end in range(min(best) + 1, layers + 1)
        }
    firsts = best[layers][1]
    return TieMap(tuple(max(first for first in firsts if first <= layer) for layer in range(layers)))


@POLICIES.register(BY_COST, BY_GRADIENT)
def tie_once(config: RunConfig, told: RewardDescription) -> TieOnce:
    """To the config's number of blocks, by default a third of the layers."""
    agent, layers = config.agent, config.model.layers
    description = BY_COST if agent.policy == BY_COST.name else BY_GRADIENT
    return TieOnce(layers, agent.blocks or max(1, layers // 3), agent.unshare_at, description)
