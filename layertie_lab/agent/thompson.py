"""Thompson sampling in advantage form, one Gaussian posterior per layer over its sources."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.decisions import Proposal
from ..core.errors import AgentError
from ..core.keys import RunKey
from .protocol import AgentState, Saved, Transition, check_layers, check_reward


class GaussianThompson:
    """Bayesian contrasts: the reward of answering a where p was is F(layer, a) - F(layer, p) plus noise.

    So keeping the present tie is worth exactly 0 and nothing is learned from it but the noise. F has an independent
    Gaussian prior per (layer, source); every decision counts, whoever took it. An answer is the best one under a draw
    from the posterior.

    Args:
        layers: Depth L.
        name: Under which name it goes.
    """

    def __init__(self, layers: int, name: str = "gaussian") -> None:
        self.name = name
        self.layers = layers
        self._precision = [np.zeros((layer + 1, layer + 1)) for layer in range(layers)]
        self._moment = [np.zeros(layer + 1) for layer in range(layers)]
        self._squares = 0.0
        self._count = 0

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The best answer under one draw from the layer's posterior."""
        mean, factor = self._posterior(state)
        draw = np.random.default_rng(key.at(state.decision, "agent"))
        sample = mean + factor @ draw.standard_normal(len(mean))
        best = int(np.argmax(mean - mean[state.present]))
        choice = int(np.argmax(sample))
        return state.proposal(choice, q_values=mean - mean[state.present], explored=choice != best)

    def greedy(self, state: AgentState) -> int:
        """The answer of highest posterior mean."""
        return int(np.argmax(self._posterior(state)[0]))

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Add one contrast to the layer's posterior."""
        reward = check_reward(transition)
        state = transition.state
        check_layers(self.layers, state)
        mean, _ = self._posterior(state)
        error = reward - float(mean[transition.choice] - mean[state.present])
        contrast = np.zeros(state.layer + 1)
        contrast[transition.choice] += 1
        contrast[state.present] -= 1
        self._precision[state.layer] += np.outer(contrast, contrast)
        self._moment[state.layer] += contrast * reward
        self._squares += error * error
        self._count += 1
        return {"prediction_error": error, "noise": math.sqrt(self._noise())}

    def _noise(self) -> float:
        """Variance of the noise, from errors of prediction; one unit stands in for a first decision."""
        return self._squares / self._count if self._squares > 0 else 1.0

    def _posterior(self, state: AgentState) -> tuple[np.ndarray, np.ndarray]:
        check_layers(self.layers, state)
        noise = self._noise()
        precision = (self._precision[state.layer] + np.eye(state.layer + 1)) / noise
        mean = np.linalg.solve(precision, self._moment[state.layer] / noise)
        return mean, np.linalg.inv(np.linalg.cholesky(precision)).T

    def state(self) -> Saved:
        """Sufficient statistics of all decisions."""
        tensors = {
            "precision": torch.from_numpy(np.concatenate([matrix.ravel() for matrix in self._precision])),
            "moment": torch.from_numpy(np.concatenate(self._moment)),
            "noise": torch.tensor([self._squares, self._count], dtype=torch.float64),
        }
        return tensors, {"policy": "gaussian", "layers": self.layers}

    def load(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth or by another policy.
        """
        sizes = [layer + 1 for layer in range(self.layers)]
        if "precision" not in tensors or tensors["moment"].numel() != sum(sizes):
            raise AgentError(
                f"Expected the statistics of a Gaussian sampler for {self.layers} layers, but got "
                f"{values.get('policy')} for {values.get('layers')}.",
                "The checkpoint belongs to another depth or another policy.",
            )
        flat, start = tensors["precision"].numpy(), 0
        for layer, size in enumerate(sizes):
            self._precision[layer] = flat[start : start + size * size].reshape(size, size).copy()
            start += size * size
        ends = np.cumsum(sizes)[:-1]
        self._moment = [part.copy() for part in np.split(tensors["moment"].numpy(), ends)]
        self._squares, self._count = float(tensors["noise"][0]), int(tensors["noise"][1])
