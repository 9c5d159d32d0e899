"""Ratios of two things timed in turn, so that a drift of the machine's speed falls on both."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Args:
        name: What is compared with what.
        ratio: The figure: a ratio, or a share where the name says so. Median over the rounds.
        low: Lower end of the median's 95 % confidence interval over rounds (sign-test order statistics).
        high: Its upper end.
        target: What it should reach, as text ("at least 1.1").
        holds: Whether the median does.
        rounds: Rounds measured.
        detail: Further figures behind it, with units in their names.
    """

    name: str
    ratio: float
    low: float
    high: float
    target: str
    holds: bool
    rounds: int
    detail: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def seconds(work: Callable[[], object]) -> float:
    """Wall time of a call, with garbage collection held back so that neither side pays for the other's."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    finally:
        gc.enable()


def interleaved(first: Callable[[], object], second: Callable[[], object], rounds: int) -> np.ndarray:
    """Seconds of both, [rounds, 2], in turn and in alternating order; one unmeasured round comes first."""
    first()
    second()
    measured = np.empty((rounds, 2))
    for number in range(rounds):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        for side in order:
            measured[number, side] = seconds((first, second)[side])
    return measured


def row(
    name: str,
    ratios: Iterable[float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    holds: bool | None = None,
    target: str = "",
    **detail: float,
) -> Row:
    """A row from one figure per round.

    Args:
        name: What was compared.
        ratios: One figure per round.
        at_least: The target from below.
        at_most: The target from above.
        holds: Overrules the comparison with the target, for targets with an alternative (say so in `target`).
        target: The target in words; default from `at_least` or `at_most`.
        **detail: Further figures.
    """
    values = np.sort(np.asarray(list(ratios), dtype=float))
    middle = float(np.median(values))
    low, high = _median_interval(values)
    if at_least is not None:
        words, reached = f"at least {at_least:g}", middle >= at_least
    else:
        assert at_most is not None, "a row needs a target"
        words, reached = f"at most {at_most:g}", middle <= at_most
    return Row(
        name,
        middle,
        low,
        high,
        target or words,
        bool(reached if holds is None else holds),
        len(values),
        {key: float(value) for key, value in detail.items()},
    )


def _median_interval(ordered: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    # Order statistics around the median cover it with the binomial's probability, whatever the distribution.
    count = len(ordered)
    below = int(stats.binom.ppf((1 - level) / 2, count, 0.5))
    below = max(0, below - 1) if stats.binom.cdf(below, count, 0.5) > (1 - level) / 2 else below
    return float(ordered[below]), float(ordered[count - 1 - below])
