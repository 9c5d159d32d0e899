"""Estimates that never leave without their interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ...core.errors import AnalysisError

LEVEL = 0.95
"""Coverage of all intervals unless another is asked for."""


@dataclass(frozen=True)
class Estimate:
    """A point estimate and its confidence interval; arrays of one shape, so that a matrix is one estimate too.

    Args:
        value: The estimate.
        low: Lower end of the interval.
        high: Upper end of the interval.
        count: Independent units (probe sequences, runs) behind it.
        level: Coverage the interval is built for, 0 to 1.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    count: int
    level: float = LEVEL

    @classmethod
    def exact(cls, value: ArrayLike) -> Estimate:
        """A quantity that is computed, not sampled: the interval is the value, and `count` is 0."""
        exact = np.asarray(value, dtype=np.float64)
        return cls(exact, exact, exact, count=0)


def mean_interval(samples: ArrayLike, level: float = LEVEL) -> Estimate:
    """Mean over independent units with Student's t interval.

    Args:
        samples: (units, ...) finite numbers.
        level: Coverage, 0 to 1.

    Raises:
        AnalysisError: Fewer than two units, or a number that is not finite.
    """
    samples = _checked(samples)
    count = len(samples)
    return _around(samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(count), count, level)


def paired_interval(after: ArrayLike, before: ArrayLike, level: float = LEVEL) -> Estimate:
    """Mean difference `after - before` over units measured twice, with Student's t interval of the differences.

    Args:
        after: (units, ...) finite numbers.
        before: The same units, in the same order.
        level: Coverage, 0 to 1.

    Raises:
        AnalysisError: Different units, fewer than two of them, or a number that is not finite.
    """
    after, before = np.asarray(after, dtype=np.float64), np.asarray(before, dtype=np.float64)
    if len(after) != len(before):
        raise AnalysisError(
            f"Expected the same units on both sides of a paired difference, but got {len(after)} and {len(before)}.",
            "Measure both sides on the same sequences.",
        )
    return mean_interval(after - before, level)


def jackknife_interval(
    value: ArrayLike,
    left_out: ArrayLike,
    level: float = LEVEL,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """A statistic of several units with its delete-one jackknife interval, on Student's t.

    Args:
        value: (...) the statistic of all units.
        left_out: (units, ...) the statistic without one of the units each.
        level: Coverage, 0 to 1.
        bounds: The statistic's own range; the interval is cut to it.

    Raises:
        AnalysisError: Fewer than two units, or a number that is not finite.

    Chosen over the bootstrap because probe sets are small. Measured for CKA as a ratio of sums over sequences, 300
    probe sets each at true CKA .11, .75 and 1.00: with 4 sequences this covers .92 to .96 and a percentile bootstrap
    .75 to .78; with 8, .92 to .96 against .85 to .87. It also draws no random numbers. Where the scale of sequences
    varies by a factor of two or more (so their kernels by sixteen), both come down: .73 to .83 and .40 to .66 at 8.
    """
    value, left_out = np.asarray(value, dtype=np.float64), _checked(left_out)
    count = len(left_out)
    spread = ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    estimate = _around(value, np.sqrt(spread * (count - 1) / count), count, level)
    return Estimate(
        estimate.value, np.clip(estimate.low, *bounds), np.clip(estimate.high, *bounds), count=count, level=level
    )


def margin(error: ArrayLike, count: ArrayLike, level: ArrayLike = LEVEL) -> NDArray[np.float64]:
    """Half the width of Student's t interval: `t(1/2 + level/2; count - 1) * error` (Student 1908).

    Args:
        error: (...) standard error of the mean.
        count: (...) independent units, 2 or more.
        level: (...) coverage, 0 to 1.
    """
    return stats.t.ppf((1 + np.asarray(level)) / 2, np.asarray(count) - 1) * np.asarray(error, dtype=np.float64)


def _around(value: NDArray[np.float64], error: NDArray[np.float64], count: int, level: float) -> Estimate:
    half = margin(error, count, level)
    return Estimate(np.asarray(value), np.asarray(value - half), np.asarray(value + half), count=count, level=level)


def _checked(samples: ArrayLike) -> NDArray[np.float64]:
    samples = np.asarray(samples, dtype=np.float64)
    count = len(samples) if samples.ndim else 1
    if count < 2:
        raise AnalysisError(
            f"Expected at least 2 independent units for an interval, but got {count}.",
            "Use more probe sequences or runs.",
        )
    if not np.isfinite(samples).all():
        raise AnalysisError(
            "Expected finite numbers, but some are infinite or not a number.", "The model may have diverged."
        )
    return samples
