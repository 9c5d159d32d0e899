"""Before the effort: what a study would see and how long it takes, from a pilot's spread and times."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from ..analysis.statistics.intervals import Estimate
from ..analysis.statistics.paired import paired_difference
from ..core.durations import in_time
from ..core.errors import AnalysisError
from .interim import Plan
from .judging import Replicates, differences
from .power import POWER, Chances, analyses_within, chances, detectable, spread_interval
from .spec import METRICS, StudySpec
from .verdict import Verdict


@dataclass(frozen=True)
class Forecast:
    """What a hypothesis form says before the replicates run.

    Args:
        replicates: R at the last interim analysis.
        power: Probability with which the detectable difference is detected.
        detectable: That difference at the pilot's spread; the interval is that of the spread carried over.
        chances: If `difference` is true and the pilot's spread is.
        chances_between: The same at the lower and the upper end of the spread's interval.
        difference: The true difference that `chances` is about.
        seconds: For all R replicates.
        seconds_expected: Until the analysis where the plan ends on average.
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
            f"All replicates take about {in_time(self.seconds)} here; the plan ends after "
            f"{self.chances.replicates:.1f} of them on average, about {in_time(self.seconds_expected)}."
        )
        return f"{seen} {ends} {takes}"


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
        plan: Interim analyses and rule.
        smallest_difference: Half the width of the band.
        seconds_per_pair: Measured seconds for both branches of one replicate, divided by the workers in parallel.
        difference: The true difference that the chances are about; None for the smallest that matters.
        replicates: Interim analyses up to so many; None for all.
        power: Probability of detection.
        unit: Of the differences.

    Raises:
        AnalysisError: As `detectable` and `spread_interval`, or seconds that are not positive.
    """
    if not (np.isfinite(seconds_per_pair) and seconds_per_pair > 0):
        raise AnalysisError(
            f"Expected measured seconds per pair above 0, but got {seconds_per_pair}.", "Time one pair first."
        )
    last = analyses_within(plan, replicates)[-1]
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


def forecast_of(spec: StudySpec, replicates: Replicates, plan: Plan) -> Forecast | None:
    """What a study with a plan would see and take, from a pilot's spread and times; None where its replicates agree.

    Args:
        spec: The pilot's.
        replicates: The pilot's.
        plan: Of the study to come.

    Raises:
        AnalysisError: Fewer than two replicates, or one that diverged.
    """
    found = paired_difference(differences(spec, replicates))
    if found.constant:
        return None
    seconds = sum(values["seconds"] for values in replicates) / len(replicates)
    # Every process has a replicate of its own.
    at_a_time = min(os.cpu_count() or 1, plan.last)
    return forecast(
        found.spread,
        found.replicates,
        plan,
        spec.smallest_difference,
        seconds / at_a_time,
        unit=METRICS[spec.metric].unit,
    )


def likely_to_decide(verdict: Verdict, plan: Plan) -> Chances:
    """Where another study by a plan would end, if the difference and the spread that were seen are the true ones.

    Args:
        verdict: Of the study that saw them, with a spread.
        plan: Of the study to come.

    Raises:
        AnalysisError: There was no spread.
    """
    smallest = verdict.hypothesis.smallest_difference
    return chances(verdict.estimate, verdict.difference.spread, plan, smallest)
