"""A bandit over whole maps that learns from rewards alone, whenever their effects come and as long as they hold."""

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
from ..bandit.regression import FadingRegression
from ..bandit.response import Response
from ..descriptions import PolicyDescription
from ..protocol import AgentState, Saved, Transition, check_layers, check_reward, check_saved
from ..rewards.signal import Changes
from ..schedule import exploration

# Decisions (time constants) in which a map's worth may come to be seen, and nats of evidence for "at once" beforehand.
_RESPONSES = (0.0, 4.0, 12.0)
_AT_ONCE = 10.0
# Standard deviations that an untried source may be better than it looks, and the share of their uncertainty that the
# owners' number and places are drawn with.
_BONUS = 2.0
_SHARED = 1.0
# Degrees of freedom of Student's t: how soon an error is an outlier.
_FREEDOM = 4.0
# The typical squared error over the expected one at which what maps are worth has changed, the median of a squared
# standard normal number, and the share of rewards' mean square that the expected one has at least.
_CHANGED = 36.0
_MEDIAN = 0.455
_SLACK = 0.1


class MapBandit:
    """Learns what a map is worth from the changes of reward that its actions bring.

    Model: `MapFeatures` times weights, as the linear learner has it (`policies.linear`), with rewards and features
    summed over `memory_passes` sweeps in the same way. Four things are new.

    1. Worth may come to be seen late: there is one posterior for each of three time constants (`bandit.response`), and
       the one of highest evidence is believed.
    2. What a change costs and what comes back of it is fitted apart, by costs that fade within 3 and 12 decisions. It
       is no part of the values.
    3. Noise and prior variances are fitted to all that was seen (`bandit.regression`).
    4. Errors are looked at before rows are taken in. An outlier that the next decision takes back is noise in one
       measurement and weighs less (Student's t: Lange, Little & Taylor 1989). Errors of a whole sweep that are far
       larger than expected mean that worths have changed: what was seen before loses weight as far as it was wrong.

    Acting: once per sweep, the best whole map under the posterior's mean plus a bonus for each source of a layer (upper
    confidence bounds: Auer et al. 2002), which the sweep then applies, layer by layer. The bonus is `_BONUS` standard
    deviations s of its difference to the present source, times what a measurement in each sweep that is left would
    take off: s / sqrt(s^2 + noise / sweeps). So where noise is small, what was never tried comes first, and where
    nothing can be learned any more, nothing is explored. The weights that layers share (number and places of owners,
    jumps) are drawn instead (Thompson sampling), with a spread that shrinks over `explore_share` of the budget. Until
    the first reward that is not 0 all weights are drawn.

    Rewards may be told with a forecast taken off: what is learned then is what the forecast lacks.

    Args:
        layers: Depth L.
        config: Exploration and memory.
        key: Of the run.
        level: Whether rewards say how good things are rather than what changed (negative perplexity).
        detrend: Whether rewards still hold what training gains anyway, which is then fitted along.
    """

    description = PolicyDescription(
        "map-bandit",
        "Map bandit",
        about="A bandit over whole maps: tries what may be best as far as that can still be learned, and forgets what "
        "no longer holds.",
        unit="units of reward",
        meaning="the lasting change of reward that the action brings; 0 = keep the present tie",
        reads="a linear model of the whole map that the present sweep is planned to end in",
        values="changes",
        learning={"prediction_error": "error of its prediction", "noise": "scatter of a decision's reward"},
    )

    def __init__(
        self, layers: int, config: AgentConfig, key: RunKey, *, level: bool = False, detrend: bool = True
    ) -> None:
        self.layers = layers
        self._config = config
        self._changes = Changes(level=level, detrend=False)
        self._features = features = MapFeatures(layers)
        self._keep = max(0.0, 1 - 1 / (config.memory_passes * (layers - 1)))
        self._responses = [Response(features, delay, self._keep, drift=detrend) for delay in _RESPONSES]
        self._believed = 0
        self._observed: list[float] = []
        self._weights = np.zeros(features.size)
        self._plan = TieMap.all_tied(layers)
        self._look_ahead(self._plan, 1, 1, key.at(0, "learn"))

    @property
    def noise(self) -> float:
        """Standard deviation of a decision's reward around what is expected of it; 0 before the first rewards."""
        # A reward is this decision's error minus the share of the last one's that is still in the sum of rewards.
        return math.sqrt(self._regression.noise * (1 + self._keep**2))

    @property
    def response(self) -> float:
        """Decisions (a time constant) in which worth is believed to come to be seen; 0 = at once."""
        return _RESPONSES[self._believed]

    def beliefs(self, state: AgentState) -> tuple[np.ndarray, np.ndarray]:
        """What each action would change of the map as it stands, for good, and how sure that is.

        Returns:
            (mean, standard deviation): one number per action 0 .. layer each, in units of reward, whether the action
            is legal or not; 0 and 0 for the present source.
        """
        check_layers(self.layers, state)
        regression, features = self._regression, self._features
        before = features.vector(state.ties)
        moved = np.zeros((state.layer + 1, features.size))
        for action in range(state.layer + 1):
            if action != state.present:
                moved[action] = features.vector(state.ties.act(state.layer, action)) - before
        touched = np.flatnonzero(moved.any(axis=0))
        moved = moved[:, touched]
        variances = np.sum((moved @ regression.covariance[np.ix_(touched, touched)]) * moved, axis=1)
        return moved @ regression.mean[touched], np.sqrt(np.maximum(variances, 0.0))

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The best action under this sweep's weights; values are posterior means, keeping the present tie being 0."""
        check_layers(self.layers, state)
        values = self._values(self._weights, state, self._plan)
        means = self._values(self._mean, state, self._plan)
        choice, mean = state.best(values, keep=True), state.best(means, keep=True)
        return state.proposal(choice, q_values=(means - means[state.present]).tolist(), explored=choice != mean)

    def greedy(self, state: AgentState) -> int:
        """The layer's action in the best map that this sweep can still reach, under the posterior's mean."""
        check_layers(self.layers, state)
        plan = self._planner(self._mean, state.ties).best(self._starts(state.ties, state.layer), first=state.layer)
        return state.best(self._values(self._mean, state, plan), keep=True)

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Take in what a decision changed; at the end of a sweep, update the posteriors and plan the next one.

        The sweep's last decision waits for the next one, which says whether it was an outlier.
        """
        change = self._changes.of(check_reward(transition))
        state, following = transition.state, transition.next_state
        check_layers(self.layers, state)
        layer, now = state.layer, following.ties[state.layer]
        moved, kinds = np.zeros(self._features.size), np.zeros(3)
        if now != state.present:
            moved = self._features.vector(following.ties) - self._features.vector(state.ties)
            kinds = np.array([1.0, state.present == layer, now == layer])
        error = 0.0
        for index, response in enumerate(self._responses):
            row = response.take(moved, kinds, state.decision)
            if index == self._believed:
                error = change - float(row @ response.regression.mean)
        self._observed.append(change + self._keep * (self._observed[-1] if self._observed else 0.0))
        changed = False
        if len(self._observed) > 1 and (following.episode != state.episode or len(self._observed) >= self.layers):
            changed = self._take_in()
            self._look_ahead(following.ties, following.decision, state.budget, key.at(state.decision, "learn"))
        return {"prediction_error": error, "noise": self.noise, "response": self.response, "changed": float(changed)}

    def _take_in(self) -> bool:
        observed, ready = np.array(self._observed), len(self._observed) - 1
        weights, left, shock = np.ones(ready), 1.0, 0
        if self._regression.noise:
            rows = np.array(self._responses[self._believed].rows)
            errors, expected = self._regression.surprise(rows, observed, _SLACK)
            for now in range(ready):
                if errors[now] * errors[now + 1] < 0.4 * errors[now] ** 2:
                    # Taken back: what this measurement was off by is kept out of the sums that follow.
                    odd = errors[now] ** 2 / expected[now]
                    weights[now] = min(1.0, (_FREEDOM + 1) / (_FREEDOM + odd))
                    fading = self._keep ** np.arange(ready - now)
                    back = (1 - self._keep) * (1 - weights[now]) * errors[now] * fading
                    observed[now + 1 :] += back
                    errors[now + 1 :] += back
            odds = errors[:-1] ** 2 / expected[:-1]
            typical = float(np.median(odds)) / _MEDIAN
            if typical > _CHANGED:
                left, shock = 1 / typical, int(np.argmax(odds > _CHANGED))
                weights[: shock + 1] = 0.0
        changed = left < 1
        # After a change of worths sums begin anew behind the decision at which it shows.
        restart = np.zeros(ready + 1)
        if changed:
            restart[shock:] = self._keep ** np.arange(ready + 1 - shock)
        observed = observed - restart * observed[shock]
        for response in self._responses:
            response.add(observed, weights, left, restart, shock)
        self._observed = [float(observed[-1])]
        evidence = [response.regression.evidence for response in self._responses]
        evidence[0] += _AT_ONCE
        self._believed = int(np.argmax(evidence))
        return changed

    def _look_ahead(self, ties: TieMap, decision: int, budget: int, seed: int) -> None:
        regression, features, config = self._regression, self._features, self._config
        weights, draw = self._mean.copy(), np.random.default_rng(seed)
        table = features.groups["table"]
        if regression.noise:
            sweeps = max(0.0, budget - decision) / (self.layers - 1)
            for layer in range(1, self.layers):
                first, present = features.starts[layer], features.starts[layer] + ties[layer]
                block = regression.covariance[first : first + layer + 1, first : first + layer + 1]
                with_present = regression.covariance[first : first + layer + 1, present]
                spread = np.diag(block) + regression.covariance[present, present] - 2 * with_present
                spread = np.maximum(spread, 0.0)
                learned = spread * sweeps / (spread * sweeps + regression.noise)
                weights[first : first + layer + 1] += _BONUS * config.epsilon_start * np.sqrt(spread * learned)
        else:
            weights[table] += draw.standard_normal(table.stop)
        shared = regression.covariance[table.stop : features.size, table.stop : features.size]
        scale = np.sqrt(np.diag(shared))
        factor = np.linalg.cholesky(shared / np.outer(scale, scale) + 1e-9 * np.eye(len(scale)))
        spread = _SHARED * exploration(decision, budget, config)
        weights[table.stop :] += spread * scale * (factor @ draw.standard_normal(len(scale)))
        self._weights = weights
        self._plan = self._planner(weights, ties).best(self._starts(ties, 1))

    @property
    def _regression(self) -> FadingRegression:
        return self._responses[self._believed].regression

    @property
    def _mean(self) -> np.ndarray:
        return self._regression.mean[: self._features.size]

    def _values(self, weights: np.ndarray, state: AgentState, plan: TieMap) -> np.ndarray:
        """Worth of each action, the layers before as they are and the layers after as planned."""
        planner = self._planner(weights, state.ties)
        return planner.action_values(planner.completed(state.ties, state.layer, plan), state.layer)

    def contributions(self, state: AgentState) -> dict[str, list[float]]:
        """What each group of features gives to the value of each action, which is their sum.

        Returns:
            Group of `MapFeatures` -> one number per action 0 .. layer, in units of reward; 0 for the present source.
        """
        check_layers(self.layers, state)
        mean, layer = self._mean, state.layer
        whole = self._planner(mean, state.ties).completed(state.ties, layer, self._plan)
        before = self._features.vector(whole)
        found: dict[str, list[float]] = {name: [] for name in self._features.groups}
        for action in range(layer + 1):
            moved = self._features.vector(whole.act(layer, action)) - before
            for name, place in self._features.groups.items():
                found[name].append(float(mean[place] @ moved[place]))
        return found

    def _starts(self, ties: TieMap, first: int) -> list[TieMap]:
        head = ties.sources[:first]
        return [ties, TieMap((*head, *self._plan.sources[first:])), TieMap((*head, *(0,) * (self.layers - first)))]

    def _planner(self, weights: np.ndarray, ties: TieMap) -> Planner:
        return Planner(self._features, weights, ties)

    def state(self) -> Saved:
        """The posteriors with what each still expects, this sweep's weights and plan, and the rewards that wait."""
        tensors = {"weights": torch.from_numpy(self._weights.copy())}
        values: dict[str, Any] = {"policy": "map-bandit", "layers": self.layers, "plan": list(self._plan)}
        values |= {"observed": list(self._observed), "believed": self._believed, "changes": self._changes.state()}
        for index, response in enumerate(self._responses):
            own, numbers = response.state()
            tensors |= {f"{index}.{name}": tensor for name, tensor in own.items()}
            values[f"{index}"] = numbers
        return tensors, values

    def load(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth or by another policy.
        """
        check_saved("map-bandit", self.layers, values)
        for index, response in enumerate(self._responses):
            own = {name.partition(".")[2]: tensor for name, tensor in tensors.items() if name.startswith(f"{index}.")}
            response.load(own, values[f"{index}"])
        self._weights = tensors["weights"].numpy().copy()
        self._plan = TieMap(tuple(values["plan"]))
        self._observed, self._believed = list(values["observed"]), values["believed"]
        self._changes.load(values["changes"])
