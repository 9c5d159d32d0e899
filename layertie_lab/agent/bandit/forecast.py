"""What a change of a tie is going to bring, and how sure that is: a Bayesian regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evidence import KINDS, Kind

HORIZON = 50
"""Optimizer steps after which a change is judged."""
SHALLOW, POWER = 6, 3
"""What an untie gains falls with depth, with a power of the layers over those of the shallowest recorded runs. Out of
0 to 4 it is the power that forecasts runs of one depth best from those of the others (`data/prior`)."""


def untie_size(steps: int, layers: int) -> float:
    """Size of an untie: how early it is, and how much one layer of so many can bring; at most 1.

    Args:
        steps: Optimizer steps done.
        layers: Depth of the model.
    """
    return HORIZON / max(HORIZON, steps) * min(1.0, SHALLOW / layers) ** POWER


class Forecast:
    """The gain of a change: the fall of the loss `HORIZON` steps on, against the same steps without it, nats per token.

    For each kind of change a line, gain = a + b x size, with normal errors whose standard deviation is s + t |size|.
    The size of a tie or re-tie is what it costs at once (nats per token; dear ties are judged less exactly), that of an
    untie is `untie_size`. The coefficients of all kinds together have a
    normal posterior, which begins with what recorded runs taught and takes in what comes of a run's own changes
    (conjugate linear regression: Bishop, Pattern Recognition and Machine Learning, section 3.3).

    Args:
        mean: [2 x kinds] a and b of each kind, in the order of `KINDS`.
        covariance: [2 x kinds, 2 x kinds].
        errors: [kinds, 2] s and t of each kind.
    """

    def __init__(self, mean: NDArray[Any], covariance: NDArray[Any], errors: NDArray[Any]) -> None:
        self.mean = np.array(mean, float)
        self.covariance = np.array(covariance, float)
        self.errors = np.array(errors, float)

    @classmethod
    def recorded(cls, values: Mapping[str, Any]) -> Forecast:
        """As fitted on recorded runs (`recorded`)."""
        return cls(np.array(values["mean"]), np.array(values["covariance"]), np.array(values["errors"]))

    def gain(self, kind: Kind, size: float) -> tuple[float, float]:
        """Mean and standard deviation of a change's gain, nats per token."""
        row = self.row(kind, size)
        return float(row @ self.mean), float(np.sqrt(row @ self.covariance @ row + self.error(kind, size) ** 2))

    def parts(self, kind: Kind, size: float) -> tuple[float, float]:
        """The mean gain, split into what any change of the kind brings and what this one's size does."""
        own = self.row(kind, size) * self.mean
        return float(own[::2].sum()), float(own[1::2].sum())

    def row(self, kind: Kind, size: float) -> NDArray[Any]:
        """The regressors of one change. [2 x kinds]"""
        row = np.zeros(2 * len(KINDS))
        at = 2 * KINDS.index(kind)
        row[at : at + 2] = 1.0, size
        return row

    def learn(self, changes: Sequence[tuple[Kind, float]], gained: float, noise: float) -> float:
        """Take in what some changes gained together; returns the error of the prediction, nats per token.

        Args:
            changes: Kind and size of each.
            gained: The fall of the loss beyond the run's own trend.
            noise: Standard deviation of that where nothing is changed.
        """
        row = np.sum([self.row(*change) for change in changes], axis=0)
        variance = noise**2 + sum(self.error(*change) ** 2 for change in changes)
        error = gained - float(row @ self.mean)
        weight = self.covariance @ row / (row @ self.covariance @ row + variance)
        self.mean = self.mean + weight * error
        self.covariance = self.covariance - np.outer(weight, row @ self.covariance)
        return error

    def error(self, kind: Kind, size: float) -> float:
        """Standard deviation of one change's gain about its line, nats per token."""
        floor, slope = self.errors[KINDS.index(kind)]
        return float(floor + slope * abs(size))
