"""Rewards as changes: what a decision did, whatever kind of reward the run has."""

from __future__ import annotations

from typing import Any

from .trend import Trend


class Changes:
    """Turns rewards into the change of worth that each decision brought.

    Args:
        level: Whether rewards say how good things are (negative perplexity), so that their differences are wanted.
            The first decision then counts as no change.
        detrend: Whether to subtract what the run's recent trend would have given anyway.
    """

    def __init__(self, *, level: bool, detrend: bool) -> None:
        self._level = level
        self._trend = Trend() if detrend else None
        self._last: float | None = None

    def of(self, reward: float) -> float:
        """The change that a decision's reward stands for. Call once per decision, in order."""
        change = reward
        if self._level:
            change = 0.0 if self._last is None else reward - self._last
            self._last = reward
        if self._trend is None:
            return change
        expected = self._trend.expected()
        self._trend.add(change)
        return 0.0 if expected is None else change - expected

    def state(self) -> dict[str, Any]:
        """The last reward and the trend."""
        return {"last": self._last, "trend": None if self._trend is None else self._trend.state()}

    def load(self, values: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._last = values["last"]
        if self._trend is not None:
            self._trend.load(values["trend"])
