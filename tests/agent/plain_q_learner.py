"""The official code's Q-learner once more, in numpy, from its description alone: nothing of the package is used."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class PlainQLearner:
    """n inputs, 128 ReLU units, n (n + 1) / 2 outputs, of which layer l reads the l + 1 from l (l + 1) / 2 on.

    Args:
        layers: n.
        weights: First layer's weight [128, n] and bias [128], second layer's weight [n (n + 1) / 2, 128] and bias.
    """

    rate, decay, discount, floor = 1e-3, 0.01, 0.99, 0.01

    def __init__(self, layers: int, weights: list[Array]) -> None:
        self.layers = layers
        self.weights = [each.astype(np.float64).copy() for each in weights]
        self.means = [np.zeros_like(each) for each in self.weights]
        self.squares = [np.zeros_like(each) for each in self.weights]
        self.steps = 0

    def slice(self, sources: list[int], layer: int) -> Array:
        """Values of the layer's actions at a map."""
        w1, b1, w2, b2 = self.weights
        hidden = np.maximum(w1 @ np.array(sources, dtype=np.float64) + b1, 0.0)
        begin = layer * (layer + 1) // 2
        return (w2 @ hidden + b2)[begin : begin + layer + 1]

    def act(self, sources: list[int], layer: int, episode: int, draws: random.Random) -> int:
        """Epsilon-greedy: epsilon is 1, times .95 per episode, .01 at least."""
        if draws.random() < max(self.floor, 0.95 ** (episode - 1)):
            return draws.choice(range(layer + 1))
        return int(np.argmax(self.slice(sources, layer)))

    def learn(self, before: list[int], layer: int, action: int, reward: float, after: list[int]) -> tuple[float, float]:
        """One AdamW step on the squared error; (value, target) before it. The target looks at the same slice."""
        target = reward + self.discount * self.slice(after, layer).max()
        value = self.slice(before, layer)[action]
        w1, b1, w2, _ = self.weights
        x = np.array(before, dtype=np.float64)
        raw = w1 @ x + b1
        output = layer * (layer + 1) // 2 + action
        d_value = 2 * (value - target)
        g2, gb2 = np.zeros_like(w2), np.zeros(len(w2))
        g2[output], gb2[output] = d_value * np.maximum(raw, 0.0), d_value
        d_raw = d_value * w2[output] * (raw > 0)
        self._adamw([np.outer(d_raw, x), d_raw, g2, gb2])
        return float(value), float(target)

    def _adamw(self, gradients: list[Array]) -> None:
        self.steps += 1
        for weight, mean, square, gradient in zip(self.weights, self.means, self.squares, gradients, strict=True):
            weight *= 1 - self.rate * self.decay
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient**2 - square)
            unbiased = np.sqrt(square / (1 - 0.999**self.steps)) + 1e-8
            weight -= self.rate * (mean / (1 - 0.9**self.steps)) / unbiased
