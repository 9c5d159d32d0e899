"""What a training run would have gained anyway: a robust fit to its own recent improvements."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

# Improvements looked back on.
_MEMORY = 1024


class Trend:
    """The improvement to expect from the next decision, from those so far.

    A line in log time through i x (improvement at decision i), the natural scale of a loss that falls like a power of
    time: expected(i) = (a + b ln(i / t)) / i. Fitted to the decisions i < t by least squares with weights
    i^2 x 2^(-(t - i) / h), h = half of the decisions so far (8 to 256), and with Huber's weights against single jumps
    (such as the ones that good and bad actions make). What it expects at t is a / t. On a plain training curve what is
    left averages to a few percent of the improvements.
    """

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_MEMORY)
        self._done = 0

    def add(self, gained: float) -> None:
        """Take note of a decision's improvement."""
        self._recent.append(gained)
        self._done += 1

    def expected(self) -> float | None:
        """What the next decision would gain anyway; None before the first."""
        if not self._recent:
            return None
        gained = np.asarray(self._recent)
        now = self._done + 1
        at = np.arange(now - len(gained), now)
        half_life = min(max(8.0, self._done / 2), _MEMORY / 4)
        # Scaled to `now` rather than to 1, so that the residuals are in the units of the present.
        scaled = gained * at / now
        basis = np.ones((len(gained), 1))
        if len(gained) >= 6:
            basis = np.stack([basis[:, 0], np.log(at / now)], axis=1)
        weights = 0.5 ** ((now - at) / half_life)
        robust = weights
        fit = np.zeros(basis.shape[1])
        for _ in range(3):
            normal = basis.T @ (basis * robust[:, None])
            normal += np.eye(len(normal)) * 1e-9 * np.trace(normal)
            fit = np.linalg.solve(normal, basis.T @ (robust * scaled))
            residual = np.abs(scaled - basis @ fit)
            spread = 1.4826 * float(np.median(residual)) + 1e-12
            robust = weights / np.maximum(1.0, residual / (2 * spread))
        return float(fit[0])

    def state(self) -> dict[str, Any]:
        """The recent improvements."""
        return {"recent": list(self._recent), "done": self._done}

    def load(self, values: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._recent.clear()
        self._recent.extend(values["recent"])
        self._done = values["done"]
