"""Thompson sampling in advantage form, one Gaussian posterior per layer over its sources."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.config import AgentConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ..descriptions import PolicyDescription
from ..protocol import AgentState, Saved, Transition, check_layers, check_reward, check_saved
from ..rewards.signal import Changes
from ..schedule import exploration

# Standard deviation of the noise as a share of the changes' root mean square, at least.
_NOISE_FLOOR = 1e-3


class GaussianThompson:
    """Bayesian contrasts: the change that taking a where p was brings is F(layer, a) - F(layer, p) plus noise.

    So keeping the present tie is worth exactly 0. F has an independent Gaussian prior per (layer, source), as wide as a
    typical change; every decision counts, whoever took it. An action is the best one under a draw from the posterior,
    whose spread shrinks over `explore_share` of the budget.

    Args:
        layers: Depth L.
        config: Exploration.
        level: Whether rewards say how good things are rather than what changed (negative perplexity).
        detrend: Whether rewards still hold what training gains anyway.
    """

    description = PolicyDescription(
        "lab",
        "Lab agent (gaussian)",
        about="Thompson sampling per layer and source.",
        unit="units of reward",
        meaning="the change of reward that the action brings; 0 = keep the present tie",
        reads="the layer and the action alone, not the rest of the map",
        values="changes",
        learning={"prediction_error": "error of its prediction"},
    )

    def __init__(self, layers: int, config: AgentConfig, *, level: bool = False, detrend: bool = True) -> None:
        self.layers = layers
        self._config = config
        self._changes = Changes(level=level, detrend=detrend)
        self._gram = [np.zeros((layer + 1, layer + 1)) for layer in range(layers)]
        self._moment = [np.zeros(layer + 1) for layer in range(layers)]
        self._square, self._noise, self._count = 1.0, 1.0, 0

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The best action under one draw from the layer's posterior; values are its means against the present's."""
        mean, factor, covariance = self._posterior(state)
        z = np.random.default_rng(key.at(state.decision, "agent")).standard_normal(len(mean))
        sample = mean + exploration(state.decision, state.budget, self._config) * (factor @ z)
        choice = state.best(sample)
        own = np.diag(covariance)
        variance = own + own[state.present] - 2 * covariance[state.present]
        return state.proposal(
            choice,
            q_values=mean - mean[state.present],
            q_deviations=np.sqrt(np.maximum(variance, 0.0)),
            explored=choice != state.best(mean),
        )

    def greedy(self, state: AgentState) -> int:
        """The action of highest posterior mean."""
        return state.best(self._posterior(state)[0])

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Add one contrast to the layer's posterior."""
        change = self._changes.of(check_reward(transition))
        state, layer = transition.state, transition.state.layer
        mean, _, covariance = self._posterior(state)
        contrast = np.zeros(layer + 1)
        contrast[transition.choice] += 1
        contrast[state.present] -= 1
        error = change - float(contrast @ mean)
        self._learn_scales(change, error, float(contrast @ covariance @ contrast))
        self._gram[layer] += np.outer(contrast, contrast)
        self._moment[layer] += contrast * change
        return {"prediction_error": error, "noise": math.sqrt(self._noise)}

    def _learn_scales(self, change: float, error: float, leverage: float) -> None:
        """One step of expectation maximisation on the noise, and the running mean square of changes."""
        if self._count == 0:
            self._square = self._noise = max(change * change, 1e-24)
        self._count += 1
        self._square += (change * change - self._square) / self._count
        noise = self._noise
        expected = (error * noise / (noise + leverage)) ** 2 + noise * leverage / (noise + leverage)
        self._noise += (expected - noise) / min(self._count, max(2 * self.layers, 20))
        self._noise = max(self._noise, _NOISE_FLOOR**2 * self._square, 1e-24)

    def _posterior(self, state: AgentState) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean [l+1], a square root of the covariance and the covariance [l+1, l+1]."""
        check_layers(self.layers, state)
        layer = state.layer
        precision = self._gram[layer] / self._noise + np.eye(layer + 1) / max(self._square, 1e-24)
        root = np.linalg.inv(np.linalg.cholesky(precision)).T
        covariance = root @ root.T
        return covariance @ self._moment[layer] / self._noise, root, covariance

    def state(self) -> Saved:
        """Sufficient statistics of all decisions."""
        tensors = {
            "gram": torch.from_numpy(np.concatenate([matrix.ravel() for matrix in self._gram])),
            "moment": torch.from_numpy(np.concatenate(self._moment)),
        }
        values = {
            "policy": "gaussian",
            "layers": self.layers,
            "square": self._square,
            "noise": self._noise,
            "count": self._count,
            "changes": self._changes.state(),
        }
        return tensors, values

    def load(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth or by another policy.
        """
        check_saved("gaussian", self.layers, values)
        sizes = [layer + 1 for layer in range(self.layers)]
        flat, start = tensors["gram"].numpy(), 0
        for layer, size in enumerate(sizes):
            self._gram[layer] = flat[start : start + size * size].reshape(size, size).copy()
            start += size * size
        self._moment = [part.copy() for part in np.split(tensors["moment"].numpy(), np.cumsum(sizes)[:-1])]
        self._square, self._noise, self._count = values["square"], values["noise"], values["count"]
        self._changes.load(values["changes"])
