"""What so many replicates would see: the chances of each verdict, and the difference that a plan detects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..analysis.statistics.intervals import LEVEL, Estimate
from ..core.errors import AnalysisError
from .interim import Plan
from .looking import look
from .verdict import classify

PATHS = 20_000
"""Simulated paths behind a probability: its simulation error is at most .0036."""
POWER = 0.8
"""Probability with which a detectable difference is detected."""


@dataclass(frozen=True)
class Chances:
    """Where a plan ends, by its last interim analysis, if a difference and a spread are true.

    Args:
        right: Better or worse, in the direction of the difference (upwards, if it is 0).
        wrong: Better or worse in the other direction.
        equivalent: No difference that matters.
        replicates: Mean number of replicates at the end.
    """

    right: float
    wrong: float
    equivalent: float
    replicates: float

    @property
    def decided(self) -> float:
        """Any verdict."""
        return self.right + self.wrong + self.equivalent


def spread_interval(spread: float, count: int, level: float = LEVEL) -> Estimate:
    """Interval of a normal standard deviation: `s sqrt((n - 1) / chi2(1/2 +- level/2; n - 1))`.

    Source: any textbook, for example Casella and Berger (2002), section 9.2. From 4 replicates it spans a factor of
    6.6, from 8 one of 3.1, at 95 %.

    Args:
        spread: The pilot's standard deviation, above 0.
        count: Replicates of the pilot, 2 or more.
        level: Coverage, 0 to 1.

    Raises:
        AnalysisError: No spread, or fewer than two replicates.
    """
    if count < 2 or not (np.isfinite(spread) and spread > 0):
        raise AnalysisError(
            f"Expected a pilot of at least 2 replicates that differ, but got {count} with a spread of {spread:g}.",
            "Run 4 replicates as a pilot; without any spread no forecast is needed.",
        )
    ends = spread * np.sqrt((count - 1) / stats.chi2.ppf([(1 + level) / 2, (1 - level) / 2], count - 1))
    return Estimate(np.asarray(float(spread)), ends[0], ends[1], count=count, level=level)


def chances(
    difference: float,
    spread: float,
    plan: Plan,
    smallest_difference: float,
    replicates: int | None = None,
    seed: int = 0,
) -> Chances:
    """Probabilities of each verdict by the plan's last interim analysis, over 20,000 seeded paths of normal draws.

    Simulated, for the t statistics of nested analyses have no joint distribution in closed form. With a single one, no
    band and the rule t `right` is the noncentral t power, `P(T' > t(1 - alpha/2))` with noncentrality `sqrt(R) d / s`.

    Args:
        difference: True difference.
        spread: True standard deviation of a replicate's difference, above 0.
        plan: Interim analyses and rule.
        smallest_difference: Half the width of the band, 0 for none.
        replicates: Interim analyses up to so many; None for all.
        seed: Of the paths.

    Raises:
        AnalysisError: No spread, or no interim analysis with so many replicates.
    """
    analyses = analyses_within(plan, replicates)
    spread_interval(spread, 2)
    low, high = _paths(plan, analyses, seed)
    counts, size = np.array(analyses), abs(difference)
    codes = classify(size + spread * low, size + spread * high, smallest_difference)
    ended = (codes != 0).any(axis=1)
    end = np.where(ended, (codes != 0).argmax(axis=1), len(analyses) - 1)
    final = codes[np.arange(len(codes)), end]
    right, wrong, equivalent = (float((final == code).mean()) for code in (1, -1, 2))
    return Chances(right, wrong, equivalent, float(counts[end].mean()))


def detectable(
    spread: float,
    plan: Plan,
    smallest_difference: float = 0.0,
    power: float = POWER,
    replicates: int | None = None,
    seed: int = 0,
) -> float:
    """Smallest true difference that the plan calls by its right direction with the given probability.

    Found by bisection on `chances(...).right` over the same paths, to a thousandth of the spread.

    Args:
        spread: True standard deviation of a replicate's difference, above 0.
        plan: Interim analyses and rule.
        smallest_difference: Half the width of the band, 0 for none.
        power: 0 to 1.
        replicates: Interim analyses up to so many; None for all.
        seed: Of the paths.

    Raises:
        AnalysisError: No spread, no interim analysis with so many replicates, a power outside 0 to 1, or a plan whose
            rule cannot reject with so few.
    """
    if not 0 < power < 1:
        raise AnalysisError(f"Expected a power between 0 and 1, but got {power}.", "Use .8.")
    analyses = analyses_within(plan, replicates)
    bounded = np.isfinite(_paths(plan, analyses, seed)[0]).any(axis=1).mean()
    if bounded < power:
        raise AnalysisError(
            f"Expected enough replicates for an interval, but with {analyses[-1]} it is unbounded"
            f"{f' in {1 - bounded:.0%} of cases' if bounded else ''}.",
            "Use 8 or more, and fewer interim analyses.",
        )

    def reached(difference: float) -> bool:
        return chances(difference, spread, plan, smallest_difference, analyses[-1], seed).right >= power

    low, high = 0.0, spread + smallest_difference
    while not reached(high):
        low, high = high, 2 * high
    while high - low > spread / 1000:
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def analyses_within(plan: Plan, replicates: int | None) -> tuple[int, ...]:
    """The plan's interim analyses up to so many replicates; None for all.

    Raises:
        AnalysisError: There is none.
    """
    analyses = plan.reached(plan.last if replicates is None else replicates)
    if not analyses:
        raise AnalysisError(
            f"Expected at least {plan.first} replicates, as the first interim analysis has, but got {replicates}.",
            f"Plan for {plan.first} or more.",
        )
    return analyses


@lru_cache(maxsize=8)
def _paths(plan: Plan, analyses: tuple[int, ...], seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the interval at each analysis of standard normal draws, (paths, analyses) each; shared, so frozen.

    Intervals move and stretch with the differences, so these serve every difference and spread.
    """
    draws = np.random.default_rng(seed).standard_normal((PATHS, analyses[-1]))
    seen = [look(draws[:, :count], plan, 0.0) for count in analyses]
    low, high = np.stack([found.low for found in seen], axis=1), np.stack([found.high for found in seen], axis=1)
    low.flags.writeable = high.flags.writeable = False
    return low, high
