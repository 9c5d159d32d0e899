"""Simulated annealing over whole maps: the strong baseline without reinforcement learning."""

from __future__ import annotations

import math
from typing import Any

from ...core.config import AgentConfig, RunConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import AgentState, Saved, Tensors, Transition, check_reward
from ..schedule import exploration
from .kept_map import KeptMap
from .registry import POLICIES

ANNEALING = PolicyDescription(
    "annealing",
    "Simulated annealing",
    about="Walks from map to map by changing one layer's source, and keeps what was not worse, or not much.",
    reads="nothing: it has no values",
    source="Kirkpatrick et al. 1983",
    draws=True,
    learning={"change": "change of the reward"},
)


class Annealing(KeptMap):
    """Walks from map to map by changing one layer's source, and keeps what was not worse, or not much.

    At a layer that stands as in the kept map, another action is tried with the probability that is also the
    temperature: linear from `epsilon_start` to `epsilon_floor` over `explore_share` of the budget. The change it
    brings is accepted if it is positive, else with probability exp(change / (temperature x a typical change)); what is
    rejected is undone when the layer is asked again. Every change is measured once (Kirkpatrick et al. 1983).

    Args:
        layers: Depth L.
        config: Temperatures.
        level: Whether rewards say how good things are rather than what changed (negative perplexity).
        detrend: Whether rewards still hold what training gains anyway.
    """

    description = ANNEALING

    def __init__(self, layers: int, config: AgentConfig, *, level: bool = False, detrend: bool = True) -> None:
        super().__init__(layers, config, level=level, detrend=detrend)
        self._square, self._count = 0.0, 0

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The kept source where another stands; else a trial, or no change."""
        kept = self.greedy(state)
        temperature = exploration(state.decision, state.budget, self._config)
        if kept != state.present:
            return state.proposal(kept, epsilon=temperature)
        draw = key.random(state.decision, "agent")
        others = [action for action in state.legal if action != kept]
        if draw.random() >= temperature or not others:
            return state.proposal(kept, epsilon=temperature)
        return state.proposal(draw.choice(others), explored=True, epsilon=temperature)

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Accept or reject what was tried, by whomever."""
        change = self._changes.of(check_reward(transition))
        state = transition.state
        kept = self.greedy(state)
        self._count += 1
        self._square += (change * change - self._square) / self._count
        accepted = transition.choice != kept and self._accepts(change, state, key)
        self._kept[state.layer] = transition.choice if accepted else kept
        return {"change": change, "accepted": float(accepted)}

    def _accepts(self, change: float, state: AgentState, key: RunKey) -> bool:
        if change >= 0:
            return True
        scale = exploration(state.decision, state.budget, self._config) * math.sqrt(self._square)
        return scale > 0 and key.random(state.decision, "learn").random() < math.exp(change / scale)

    def state(self) -> Saved:
        """The kept map and the size of a typical change."""
        return self._saved(square=self._square, count=self._count)

    def load(self, tensors: Tensors, values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth or by another policy.
        """
        super().load(tensors, values)
        self._square, self._count = values["square"], values["count"]


@POLICIES.register(ANNEALING)
def annealing(config: RunConfig, told: RewardDescription) -> Annealing:
    """With the config's temperatures, told what kind of reward it gets."""
    return Annealing(config.model.layers, config.agent, level=told.level, detrend=not told.detrended)
