"""Hill climbing over whole maps: the plainest search that learns from what it tried."""

from __future__ import annotations

from typing import Any

from ...core.config import AgentConfig, RunConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import AgentState, Saved, Tensors, Transition, check_reward
from ..schedule import exploration
from .kept_map import KeptMap
from .registry import POLICIES

HILL_CLIMBING = PolicyDescription(
    "hill-climbing",
    "Hill climbing",
    about="Walks from map to map by trying another source for the layer asked about; keeps what was better, undoes the "
    "rest.",
    reads="nothing: it has no values",
    source="first-choice hill climbing: Russell & Norvig, Artificial Intelligence: A Modern Approach, section on local "
    "search",
    draws=True,
    learning={"change": "change of the reward"},
)


class HillClimbing(KeptMap):
    """Walks from map to map by trying another source for the layer asked about; keeps what was better, undoes the rest.

    At a layer that stands as in the kept map, another source is tried with a probability that falls as the lab agent's
    exploration does: a random one out of those that did not fail since the layer's kept source last changed, or out of
    all once each has. It is kept if what it gained over the kept source is more than what the reward changes by when
    nothing is changed (the mean absolute change then), else undone when the layer is asked again. A neighbour is taken
    as soon as it is better, without a look at the others (first-choice hill climbing).

    Args:
        layers: Depth L.
        config: Exploration.
        level: Whether rewards say how good things are rather than what changed (negative perplexity).
        detrend: Whether rewards still hold what training gains anyway.
    """

    description = HILL_CLIMBING

    def __init__(self, layers: int, config: AgentConfig, *, level: bool = False, detrend: bool = True) -> None:
        super().__init__(layers, config, level=level, detrend=detrend)
        # Per layer: what stands gained over what is kept, and the sources that did not gain.
        self._gained = [0.0] * layers
        self._failed: list[set[int]] = [set() for _ in range(layers)]
        self._noise, self._quiet = 0.0, 0

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The kept source where another stands; else a trial, or no change."""
        kept = self.greedy(state)
        probability = exploration(state.decision, state.budget, self._config)
        others = [action for action in state.legal if action != kept]
        if kept != state.present or not others:
            return state.proposal(kept, epsilon=probability)
        draw = key.random(state.decision, "agent")
        if draw.random() >= probability:
            return state.proposal(kept, epsilon=probability)
        untried = [action for action in others if action not in self._failed[state.layer]]
        return state.proposal(draw.choice(untried or others), explored=True, epsilon=probability)

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Keep or turn down what was tried, by whomever."""
        change = self._changes.of(check_reward(transition))
        state, choice, layer = transition.state, transition.choice, transition.state.layer
        kept = self._kept[layer] = self.greedy(state)
        accepted = False
        if choice == state.present:
            self._quiet += 1
            self._noise += (abs(change) - self._noise) / self._quiet
        elif choice == kept:
            self._gained[layer] = 0.0
        else:
            self._gained[layer] += change
            accepted = self._gained[layer] > self._noise
            if accepted:
                self._kept[layer], self._gained[layer], self._failed[layer] = choice, 0.0, {kept}
            else:
                self._turn_down(choice, kept, state)
        return {"change": change, "accepted": float(accepted)}

    def _turn_down(self, choice: int, kept: int, state: AgentState) -> None:
        failed = self._failed[state.layer]
        failed.add(choice)
        if failed | {kept} >= set(state.legal):
            failed.clear()

    def state(self) -> Saved:
        """The kept map, what failed, and the size of changes when nothing is changed."""
        failed = [sorted(failed) for failed in self._failed]
        return self._saved(gained=list(self._gained), failed=failed, noise=self._noise, quiet=self._quiet)

    def load(self, tensors: Tensors, values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth or by another policy.
        """
        super().load(tensors, values)
        self._gained, self._failed = list(values["gained"]), [set(failed) for failed in values["failed"]]
        self._noise, self._quiet = values["noise"], values["quiet"]


@POLICIES.register(HILL_CLIMBING)
def hill_climbing(config: RunConfig, told: RewardDescription) -> HillClimbing:
    """With the config's exploration, told what kind of reward it gets."""
    return HillClimbing(config.model.layers, config.agent, level=told.level, detrend=not told.detrended)
