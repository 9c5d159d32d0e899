"""The lab agent: a linear Thompson sampler over features of whole maps, which plans a sweep ahead."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.config import AgentConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ...core.ties import TieMap
from ..bandit.features import MapFeatures
from ..bandit.planner import Planner
from ..bandit.posterior import LinearPosterior
from ..descriptions import PolicyDescription
from ..protocol import AgentState, Saved, Transition, check_layers, check_reward, check_saved
from ..rewards.signal import Changes
from ..schedule import exploration

# Coefficients besides the map's: what a change costs, and what training gains by itself.
_COSTS = 3
_DRIFT = 2


class LinearThompson:
    """Learns what a map is worth from the changes of reward that its actions bring.

    Model: the change of worth that a decision brings is the change of the map's features times their weights, plus the
    cost of a change (any; an owner's own weights given up; a new owner), plus what training gains anyway (constant and
    fading parts), plus noise. So keeping the present tie brings only the trend. Rewards and features are summed with
    weights that fade over `memory_passes` sweeps, which compares each map with the recent past rather than with the
    last decision: noise of single measurements averages out and slow drifts cancel (the innovations form of an
    ARIMA(0,1,1) process). All decisions count, whoever took them.

    Acting: once per sweep, a draw from the posterior (Thompson sampling; its spread shrinks over `explore_share` of the
    budget) and the best whole map under it, which the sweep then applies, layer by layer. Actions of
    somebody else on the way change what is best for the layers that follow.

    Args:
        layers: Depth L.
        config: Exploration and memory.
        key: Of the run.
        level: Whether rewards say how good things are rather than what changed (negative perplexity).
        description: Under which name it goes; None = as the lab agent with this learner.
    """

    description = PolicyDescription(
        "lab",
        "Lab agent (linear)",
        about="Thompson sampling over features of whole maps, planning a sweep ahead.",
        unit="units of reward",
        meaning="the change of reward that the action brings; 0 = keep the present tie",
        reads="a linear model of the whole map that the present sweep is planned to end in",
        values="changes",
        learning={"prediction_error": "error of its prediction"},
    )

    def __init__(
        self,
        layers: int,
        config: AgentConfig,
        key: RunKey,
        *,
        level: bool = False,
        description: PolicyDescription | None = None,
    ) -> None:
        self.layers = layers
        if description is not None:
            self.description = description
        self._config = config
        self._changes = Changes(level=level, detrend=False)
        self._features = features = MapFeatures(layers)
        end = features.size + _COSTS
        self._costs = slice(features.size, end)
        groups = features.groups | {"costs": self._costs, "drift": slice(end, end + _DRIFT)}
        # Relative to the mean square of rewards: the worth of the owners' number, their places and the pooled features
        # spans the whole map, that of an action one layer.
        scales = {"table": 1.0, "count": 10.0 * layers, "position": layers, "jumps": 1.0, "pooled": layers}
        sweep = layers - 1
        self._posterior = LinearPosterior(groups, scales | {"costs": 1.0, "drift": 1.0}, max(2.0 * sweep, 20.0))
        self._keep = max(0.0, 1 - 1 / (config.memory_passes * sweep))
        self._trace = np.zeros(self._posterior.size)
        self._traced = 0.0
        self._rows: list[np.ndarray] = []
        self._observed: list[float] = []
        self._weights = self._posterior.mean
        self._plan = TieMap.all_tied(layers)
        self._look_ahead(TieMap.all_tied(layers), config.epsilon_start, key.at(0, "learn"))

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The best action under this sweep's draw; values are posterior means, keeping the present tie being 0."""
        check_layers(self.layers, state)
        values = self._values(self._weights, state, self._plan)
        means = self._values(self._posterior.mean, state, self._plan)
        choice, mean = state.best(values, keep=True), state.best(means, keep=True)
        return state.proposal(choice, q_values=(means - means[state.present]).tolist(), explored=choice != mean)

    def greedy(self, state: AgentState) -> int:
        """The layer's action in the best map that this sweep can still reach, under the posterior's mean."""
        check_layers(self.layers, state)
        mean = self._posterior.mean
        plan = self._planner(mean, state.ties).best(self._starts(state.ties, state.layer), first=state.layer)
        return state.best(self._values(mean, state, plan), keep=True)

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Take in what a decision changed; at the end of a sweep, update the posterior and plan the next one."""
        change = self._changes.of(check_reward(transition))
        state, following = transition.state, transition.next_state
        check_layers(self.layers, state)
        row = self._row(state, following.ties)
        error = change - float(row @ self._posterior.mean)
        self._trace = row + self._keep * self._trace
        self._traced = change + self._keep * self._traced
        self._rows.append(self._trace)
        self._observed.append(self._traced)
        if following.episode != state.episode or len(self._rows) >= self.layers - 1:
            seed = key.at(state.decision, "learn")
            self._posterior.add(np.array(self._rows), np.array(self._observed), seed)
            self._rows, self._observed = [], []
            spread = exploration(following.decision, state.budget, self._config)
            self._look_ahead(following.ties, spread, seed + 1)
        return {"prediction_error": error, "noise": math.sqrt(self._posterior.noise)}

    def _row(self, state: AgentState, after: TieMap) -> np.ndarray:
        features, layer = self._features, state.layer
        row = np.zeros(self._posterior.size)
        before, now = state.ties[layer], after[layer]
        if before != now:
            row[: features.size] = features.vector(after) - features.vector(state.ties)
            row[self._costs] = 1.0, before == layer, now == layer
        row[-_DRIFT:] = 1 / self.layers, 1 / (1 + state.decision / self.layers)
        return row

    def _look_ahead(self, ties: TieMap, spread: float, seed: int) -> None:
        self._weights = self._posterior.mean + spread * self._posterior.draw(seed)
        self._plan = self._planner(self._weights, ties).best(self._starts(ties, 1))

    def _values(self, weights: np.ndarray, state: AgentState, plan: TieMap) -> np.ndarray:
        """Worth of each action, the layers before as they are and the layers after as planned."""
        planner = self._planner(weights, state.ties)
        return planner.action_values(planner.completed(state.ties, state.layer, plan), state.layer)

    def contributions(self, state: AgentState) -> dict[str, list[float]]:
        """What each group of features gives to the value of each action, which is their sum.

        Returns:
            Group of `MapFeatures`, and "changing a tie" -> one number per action 0 .. layer, in units of reward; 0 for
            the present source.
        """
        check_layers(self.layers, state)
        mean, layer = self._posterior.mean, state.layer
        whole = self._planner(mean, state.ties).completed(state.ties, layer, self._plan)
        costs = mean[self._costs]
        before = self._features.vector(whole)
        found: dict[str, list[float]] = {name: [] for name in [*self._features.groups, "changing a tie"]}
        for action in range(layer + 1):
            moved = self._features.vector(whole.act(layer, action)) - before
            for name, place in self._features.groups.items():
                found[name].append(float(mean[place] @ moved[place]))
            kinds = np.array([1.0, state.present == layer, action == layer]) * (action != state.present)
            found["changing a tie"].append(float(costs @ kinds))
        return found

    def _starts(self, ties: TieMap, first: int) -> list[TieMap]:
        head = ties.sources[:first]
        return [ties, TieMap((*head, *self._plan.sources[first:])), TieMap((*head, *(0,) * (self.layers - first)))]

    def _planner(self, weights: np.ndarray, ties: TieMap) -> Planner:
        return Planner(self._features, weights[: self._features.size], ties, weights[self._costs])

    def state(self) -> Saved:
        """The posterior, this sweep's draw and plan, and the decisions of this sweep so far."""
        tensors, values = self._posterior.state()
        size = self._posterior.size
        tensors |= {
            "weights": torch.from_numpy(self._weights.copy()),
            "trace": torch.from_numpy(self._trace.copy()),
            "rows": torch.from_numpy(np.array(self._rows).reshape(-1, size)),
        }
        values |= {
            "policy": "linear",
            "layers": self.layers,
            "plan": list(self._plan),
            "traced": self._traced,
            "observed": list(self._observed),
            "changes": self._changes.state(),
        }
        return tensors, values

    def load(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth or by another policy.
        """
        check_saved("linear", self.layers, values)
        self._posterior.load(tensors, values)
        self._weights = tensors["weights"].numpy().copy()
        self._trace = tensors["trace"].numpy().copy()
        self._rows = [row.copy() for row in tensors["rows"].numpy()]
        self._plan = TieMap(tuple(values["plan"]))
        self._traced, self._observed = values["traced"], list(values["observed"])
        self._changes.load(values["changes"])
