"""An upper confidence bound per layer over its sources: the textbook bandit, without a model of the map."""

from __future__ import annotations

import math
from typing import Any

from ...core.config import RunConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import AgentState, Saved, StatelessPolicy, Tensors, Transition, check_layers, check_reward, check_saved
from ..rewards.signal import Changes
from .registry import POLICIES

UCB = PolicyDescription(
    "ucb",
    "Upper confidence bound",
    about="A bandit per layer: takes the source that may bring most, as far as its measurements leave that open.",
    unit="units of reward",
    meaning="the change of reward that the action brings; 0 = keep the present tie",
    reads="the layer and the action alone, not the rest of the map",
    source="UCB1: Auer, Cesa-Bianchi & Fischer 2002, figure 1",
    values="changes",
    learning={"prediction_error": "error of its prediction"},
)


class UpperConfidenceBound(StatelessPolicy):
    """UCB1 in advantage form, one bandit per layer with its sources as arms.

    A source's worth is the mean, over the decisions that chose it, of the worth of the source that stood before plus
    the change of reward that came; the first source of a layer is worth 0, and one that was never measured is taken to
    be worth the mean of those that were. The sources are first measured once each, the lowest first. Then the one of
    highest worth + s sqrt(2 ln t / n) is taken, with t the decisions about the layer, n the measurements of the source
    and s the root mean square of the errors of its predictions so far, which takes the place of the rewards' known
    range. The present source has no such bonus: keeping it brings exactly 0, and measures nothing.

    Args:
        layers: Depth L.
        level: Whether rewards say how good things are rather than what changed (negative perplexity).
        detrend: Whether rewards still hold what training gains anyway.
    """

    description = UCB

    def __init__(self, layers: int, *, level: bool = False, detrend: bool = True) -> None:
        self.layers = layers
        self._changes = Changes(level=level, detrend=detrend)
        self._means = [[0.0] * (layer + 1) for layer in range(layers)]
        self._measured = [[0] * (layer + 1) for layer in range(layers)]
        self._asked = [0] * layers
        self._square, self._count = 0.0, 0

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """A source that was not measured yet, else the highest bound; values are without the bonus."""
        values, measured, present = self._values(state), self._measured[state.layer], state.present
        new = [action for action in state.legal if not measured[action] and action != present]
        if new:
            choice = new[0]
        else:
            reach = 2 * self._square * math.log(max(2, self._asked[state.layer]))
            bounds = [value + math.sqrt(reach / max(1, n)) for value, n in zip(values, measured, strict=True)]
            bounds[present] = values[present]
            choice = state.best(bounds, keep=True)
        return state.proposal(choice, q_values=values, explored=choice != state.best(values, keep=True))

    def greedy(self, state: AgentState) -> int:
        """The source of highest worth."""
        return state.best(self._values(state), keep=True)

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Credit a change to the source that was chosen."""
        change = self._changes.of(check_reward(transition))
        state, choice, layer = transition.state, transition.choice, transition.state.layer
        error = change - self._values(state)[choice]
        means, measured = self._means[layer], self._measured[layer]
        self._count += 1
        self._square += (error * error - self._square) / self._count
        self._asked[layer] += 1
        if not any(measured):
            measured[state.present] = 1
        if choice != state.present:
            measured[choice] += 1
            means[choice] += (self._worths(layer)[state.present] + change - means[choice]) / measured[choice]
        return {"prediction_error": error, "noise": math.sqrt(self._square)}

    def _worths(self, layer: int) -> list[float]:
        means, measured = self._means[layer], self._measured[layer]
        known = [mean for mean, n in zip(means, measured, strict=True) if n]
        usual = math.fsum(known) / len(known) if known else 0.0
        return [mean if n else usual for mean, n in zip(means, measured, strict=True)]

    def _values(self, state: AgentState) -> list[float]:
        check_layers(self.layers, state)
        worths = self._worths(state.layer)
        return [worth - worths[state.present] for worth in worths]

    def state(self) -> Saved:
        """Mean and number of measurements of each source, and the size of a typical error."""
        values = {"policy": UCB.name, "layers": self.layers, "asked": list(self._asked), "square": self._square}
        arms = {"means": [list(row) for row in self._means], "measured": [list(row) for row in self._measured]}
        return {}, values | arms | {"count": self._count, "changes": self._changes.state()}

    def load(self, tensors: Tensors, values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth or by another policy.
        """
        check_saved(UCB.name, self.layers, values)
        self._means = [list(row) for row in values["means"]]
        self._measured = [list(row) for row in values["measured"]]
        self._asked, self._square, self._count = list(values["asked"]), values["square"], values["count"]
        self._changes.load(values["changes"])


@POLICIES.register(UCB)
def ucb(config: RunConfig, told: RewardDescription) -> UpperConfidenceBound:
    """Told what kind of reward it gets; it has no settings."""
    return UpperConfidenceBound(config.model.layers, level=told.level, detrend=not told.detrended)
