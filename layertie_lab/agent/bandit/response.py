"""How rewards answer to maps: at once or late, and what a change of the map costs for a while."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .features import MapFeatures
from .regression import FadingRegression

# Initial prior variances of the weights, relative to the mean square of the observations: an action moves worth by
# little of what rewards scatter; the owners' number and places span the whole map (times L). What owning is worth has a
# variance apart from that of naming another layer: most sources may be alike while owners differ.
_SCALES = {"own": 0.02, "table": 0.02, "count": 0.2, "position": 0.02, "jumps": 0.02, "pooled": 0.02}
_WHOLE_MAP = ("count", "position", "pooled")
# Decisions (time constants) in which what a change costs comes back; three kinds of change.
_RECOVERIES = (3.0, 12.0)
_KINDS = 3


class Response:
    """One account of the rewards: worth comes to be seen with a given delay.

    Regressors of a decision's reward: how the map's features, smoothed exponentially over `delay` decisions, change
    (`MapFeatures`); how what changes have cost and what is not back yet changes (any change, an owner's own weights
    given up, a new owner; two time constants of coming back); what training gains by itself (a constant and a fading
    part). Rows are sums of these, older ones with weights that fall by `keep` a decision: they compare the present with
    the recent past (the innovations form of an ARIMA(0,1,1) process).

    Args:
        features: Of maps.
        delay: Decisions (a time constant); 0 = at once.
        keep: Weight of the sum so far, with every decision.
        drift: Whether rewards hold what training gains by itself.
    """

    def __init__(self, features: MapFeatures, delay: float, keep: float, *, drift: bool) -> None:
        self._layers = layers = features.layers
        end = features.size + _KINDS * len(_RECOVERIES)
        groups = {name: np.arange(place.start, place.stop) for name, place in features.groups.items()}
        groups["own"] = features.starts[1:] + np.arange(1, layers)
        groups["table"] = np.setdiff1d(groups["table"], groups["own"])
        groups["costs"] = np.arange(features.size, end)
        scales = {name: scale * (layers if name in _WHOLE_MAP else 1) for name, scale in _SCALES.items()}
        scales["costs"] = 1.0
        if drift:
            groups["drift"], scales["drift"] = np.arange(end, end + 2), 1.0
        self.regression = FadingRegression(groups, scales)
        """Posterior of the weights: those of `MapFeatures` first."""
        self.rows: list[np.ndarray] = []
        """Rows that were not taken in yet."""
        self._drift = drift
        self._keep = keep
        self._smooth = math.exp(-1 / delay) if delay else 0.0
        self._fading = np.repeat([math.exp(-1 / recovery) for recovery in _RECOVERIES], _KINDS)
        self._delta = np.zeros(features.size)
        self._lost = np.zeros(_KINDS * len(_RECOVERIES))

    def take(self, moved: np.ndarray, kinds: np.ndarray, decision: int) -> np.ndarray:
        """Take note of a decision; returns the regressors of its reward.

        Args:
            moved: Change of the map's features, [features.size].
            kinds: Whether this was a change, gave up an owner's weights, made an owner; 0 or 1, [3].
            decision: Counted from 1.
        """
        self._delta = self._smooth * self._delta + (1 - self._smooth) * moved
        before = self._lost
        self._lost = self._fading * before + np.tile(kinds, len(_RECOVERIES))
        parts = [self._delta, self._lost - before]
        if self._drift:
            parts.append(np.array([1 / self._layers, 1 / (1 + decision / self._layers)]))
        row = np.concatenate(parts)
        self.rows.append(row + self._keep * self.rows[-1] if self.rows else row)
        return row

    def add(self, observed: np.ndarray, weights: np.ndarray, left: float, restart: np.ndarray, shock: int) -> None:
        """Take in all rows but the last, which begins the next ones.

        Args:
            observed: Sums of rewards, [rows].
            weights: [rows - 1]
            left: Share of the weight of what was seen before that is left.
            restart: How much of row `shock` is taken off each row, [rows].
            shock: A row.
        """
        if left < 1:
            self.regression.fade(left)
        rows = np.array(self.rows)
        rows = rows - np.outer(restart, rows[shock])
        self.regression.add(rows[:-1], observed[:-1], weights)
        self.rows = [rows[-1]]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The posterior, the rows that wait, and what is still to come of past changes."""
        tensors, values = self.regression.state()
        kept = {"rows": np.array(self.rows).reshape(-1, self.regression.size), "delta": self._delta, "lost": self._lost}
        return tensors | {name: torch.from_numpy(array.copy()) for name, array in kept.items()}, values

    def load(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved with another number of coefficients.
        """
        self.regression.load(tensors, values)
        self.rows = [row.copy() for row in tensors["rows"].numpy()]
        self._delta, self._lost = tensors["delta"].numpy().copy(), tensors["lost"].numpy().copy()
