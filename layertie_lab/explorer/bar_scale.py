"""The scale of the bars at the actions: one for a sweep over the layers, the same in every page that shows the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

TENTH = 1.2816
"""Standard deviations that a normal value is above its mean in one case of ten: half an interval of 80 %."""


class BarScale:
    """The longest bar of a sweep so far. Bars of two decisions of one sweep can be compared by eye."""

    def __init__(self) -> None:
        self._episode, self._most = 0, 0.0

    def take(self, hand: Mapping[str, Any]) -> float:
        """Let a decision's values count.

        Args:
            hand: Its `episode`, `legal`, `q_values`, `q_deviations` and `present`, as a `SteerPanel` shows them.

        Returns:
            The largest distance of a value, with its 80 % interval, from that of the present tie; 0.0 before there is
            one.
        """
        if hand["episode"] != self._episode:
            self._episode, self._most = hand["episode"], 0.0
        self._most = max(self._most, _longest(hand["legal"], hand["q_values"], hand["q_deviations"], hand["present"]))
        return self._most


def _longest(legal: list[int], values: list[float], deviations: list[float], present: int | None) -> float:
    if not legal or len(values) != len(legal) or not all(map(math.isfinite, values)):
        return 0.0
    kept = legal.index(present) if present in legal else None
    base = 0.0 if kept is None else values[kept]
    # A deviation is that of the bar only where the present tie's own value is certain.
    sure = kept is not None and len(deviations) == len(legal) and deviations[kept] == 0
    reaches = [TENTH * each for each in deviations] if sure else [0.0] * len(legal)
    return max(abs(value - base) + reach for value, reach in zip(values, reaches, strict=True))
