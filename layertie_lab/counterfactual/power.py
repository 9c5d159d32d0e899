"""Before the effort: what so many replicates would see, and how long they take."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..analysis.statistics.intervals import LEVEL, Estimate
from ..core.errors import AnalysisError
from .interim import Plan
from .verdict import classify

PATHS = 20_000
"""Simulated paths behind a probability: its simulation error is at most .0036."""
POWER = 0.8
"""Probability with which a detectable difference is detected."""


@dataclass(frozen=True)
class Chances:
    """Where a plan ends, by its last look, if a difference and a spread are true.

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


@dataclass(frozen=True)
class Forecast:
    """What a hypothesis form says before the replicates run.

    Args:
        replicates: R at the last look.
        power: Probability with which the detectable difference is detected.
        detectable: That difference at the pilot's spread; the interval is that of the spread carried over.
        chances: If `difference` is true and the pilot's spread is.
        chances_between: The same at the lower and the upper end of the spread's interval.
        difference: The true difference that `chances` is about.
        seconds: For all R replicates.
        seconds_expected: Until the look where the plan ends on average.
        unit: Of the differences.
    """

    replicates: int
    power: float
    detectable: Estimate
    chances: Chances
    chances_between: tuple[Chances, Chances]
    difference: float
    seconds: float
    seconds_expected: float
    unit: str = "nats"

    @property
    def sentence(self) -> str:
        """The forecast in words."""
        found = self.detectable
        seen = (
            f"With {self.replicates} replicates a difference of {float(found.value):.2g} {self.unit} would be seen "
            f"with probability {self.power:g} ({float(found.low):.2g} to {float(found.high):.2g}, for the spread "
            f"comes from a pilot of {found.count})."
        )
        least, most = sorted(found.decided for found in self.chances_between)
        ends = (
            f"A true difference of {self.difference:.2g} {self.unit} leads to a verdict with probability "
            f"{self.chances.decided:.2f} ({least:.2f} to {most:.2f}), in its direction with probability "
            f"{self.chances.right:.2f}."
        )
        takes = (
            f"All replicates take about {self.seconds:.0f} s here; the plan ends after {self.chances.replicates:.1f} "
            f"of them on average, about {self.seconds_expected:.0f} s."
        )
        return f"{seen} {ends} {takes}"


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
    """Probabilities of each verdict by the plan's last look, over 20,000 seeded paths of normal differences.

    Simulated, for the t statistics of nested looks have no joint distribution in closed form. With a single look and no
    band `right` is the noncentral t power, `P(T' > t(1 - alpha/2))` with noncentrality `sqrt(R) d / s`.

    Args:
        difference: True difference.
        spread: True standard deviation of a replicate's difference, above 0.
        plan: Looks and rule.
        smallest_difference: Half the width of the band, 0 for none.
        replicates: Looks up to so many; None for all.
        seed: Of the paths.

    Raises:
        AnalysisError: No spread, or no look with so many replicates.
    """
    looks = _looks(plan, replicates)
    spread_interval(spread, 2)
    means, spreads = _paths(looks, seed)
    counts = np.array(looks)
    size = abs(difference)
    codes = classify(size + spread * means, plan.margin(spread * spreads, counts), smallest_difference)
    ended = (codes != 0).any(axis=1)
    end = np.where(ended, (codes != 0).argmax(axis=1), len(looks) - 1)
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
        plan: Looks and rule.
        smallest_difference: Half the width of the band, 0 for none.
        power: 0 to 1.
        replicates: Looks up to so many; None for all.
        seed: Of the paths.

    Raises:
        AnalysisError: No spread, no look with so many replicates, a power outside 0 to 1, or a plan whose rule cannot
            reject with so few.
    """
    if not 0 < power < 1:
        raise AnalysisError(f"Expected a power between 0 and 1, but got {power}.", "Use .8.")
    looks = _looks(plan, replicates)
    if not np.isfinite(plan.margin(1.0, looks[-1])):
        raise AnalysisError(
            f"Expected enough replicates for an interval, but with {looks[-1]} it is unbounded.", "Use 4 or more."
        )

    def reached(difference: float) -> bool:
        return chances(difference, spread, plan, smallest_difference, looks[-1], seed).right >= power

    low, high = 0.0, spread + smallest_difference
    while not reached(high):
        low, high = high, 2 * high
    while high - low > spread / 1000:
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def forecast(
    spread: float,
    pilot: int,
    plan: Plan,
    smallest_difference: float,
    seconds_per_pair: float,
    *,
    difference: float | None = None,
    replicates: int | None = None,
    power: float = POWER,
    unit: str = "nats",
) -> Forecast:
    """Detectable difference, chances and time, from a pilot's spread.

    Args:
        spread: The pilot's standard deviation, above 0.
        pilot: Replicates it comes from, 2 or more.
        plan: Looks and rule.
        smallest_difference: Half the width of the band.
        seconds_per_pair: Measured seconds for both branches of one replicate, divided by the workers in parallel.
        difference: The true difference that the chances are about; None for the smallest that matters.
        replicates: Looks up to so many; None for all.
        power: Probability of detection.
        unit: Of the differences.

    Raises:
        AnalysisError: As `detectable` and `spread_interval`, or seconds that are not positive.
    """
    if not (np.isfinite(seconds_per_pair) and seconds_per_pair > 0):
        raise AnalysisError(
            f"Expected measured seconds per pair above 0, but got {seconds_per_pair}.", "Time one pair first."
        )
    last = _looks(plan, replicates)[-1]
    true = smallest_difference if difference is None else difference
    ends = spread_interval(spread, pilot)
    found = [
        np.asarray(detectable(float(end), plan, smallest_difference, power, last))
        for end in (ends.value, ends.low, ends.high)
    ]
    expected, narrow, wide = (
        chances(true, float(end), plan, smallest_difference, last) for end in (ends.value, ends.low, ends.high)
    )
    return Forecast(
        last,
        power,
        Estimate(found[0], found[1], found[2], count=pilot, level=ends.level),
        expected,
        (narrow, wide),
        true,
        last * seconds_per_pair,
        expected.replicates * seconds_per_pair,
        unit,
    )


def _looks(plan: Plan, replicates: int | None) -> tuple[int, ...]:
    looks = plan.reached(plan.last if replicates is None else replicates)
    if not looks:
        raise AnalysisError(
            f"Expected at least {plan.first} replicates, the plan's first look, but got {replicates}.",
            f"Plan for {plan.first} or more.",
        )
    return looks


@lru_cache(maxsize=8)
def _paths(looks: tuple[int, ...], seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means and standard deviations at the looks, (paths, looks) each, of standard normal draws; shared, so frozen."""
    counts = np.array(looks)
    draws = np.random.default_rng(seed).standard_normal((PATHS, looks[-1]))
    means = draws.cumsum(axis=1)[:, counts - 1] / counts
    squares = np.square(draws).cumsum(axis=1)[:, counts - 1]
    spreads = np.sqrt((squares - counts * means**2) / (counts - 1))
    means.flags.writeable = spreads.flags.writeable = False
    return means, spreads
