"""When replicates that are still coming in are analysed, and how wide the interval is then.

An analysis after every replicate that stops when a 95 % interval excludes zero is wrong in about a fifth of null cases
(data/verdicts). So either the interim analyses and their levels are fixed before (`GroupSequential`), or there is one
after every replicate, with a confidence sequence in place of the interval (`OpenEnded`).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import ConfigError

# What computes intervals (scipy) is imported where it is needed: a plan alone is read for --help and for lists.

FARTHEST = 10_000
"""Replicates beyond which nobody is told that more of them would decide."""


@dataclass(frozen=True)
class GroupSequential:
    """Interim analyses at stated numbers of replicates, each with its own share of the error; no verdict between them.

    Group-sequential testing in the manner of Pocock (1977, "Group sequential methods in the design and analysis of
    clinical trials"), with unequal levels that save the most for the last one. With the default a true zero is ever
    excluded in 4.9 % of normal paths (data/verdicts); `total`, the sum of the alphas, bounds it (Bonferroni).
    """

    replicates: tuple[int, ...] = (4, 8, 16)
    """Numbers of replicates at which an interim analysis is made, rising."""
    alphas: tuple[float, ...] = (0.01, 0.015, 0.03)
    """Of each: 1 minus the level of its interval."""

    def __post_init__(self) -> None:
        counts, alphas = tuple(self.replicates), tuple(self.alphas)
        object.__setattr__(self, "replicates", counts)
        object.__setattr__(self, "alphas", alphas)
        if not counts or len(counts) != len(alphas):
            raise ConfigError(
                f"Expected one alpha per interim analysis, but got {len(counts)} analyses and {len(alphas)} alphas.",
                "Give as many alphas, for example .01, .015, .03 for analyses at 4, 8 and 16 replicates.",
            )
        if counts[0] < 2 or any(later <= earlier for earlier, later in itertools.pairwise(counts)):
            raise ConfigError(
                f"Expected rising numbers of replicates, the first at least 2, but got {counts}.",
                "One replicate has no interval: make the first analysis at 4.",
            )
        if not all(0 < alpha < 1 for alpha in alphas) or sum(alphas) > 0.5:
            raise ConfigError(
                f"Expected alphas above 0 that add up to at most .5, but got {alphas}.", "Use .01, .015, .03."
            )

    @property
    def rule(self) -> str:
        """What its ends are called."""
        return "interval"

    @property
    def first(self) -> int:
        """Replicates before which there is no interim analysis."""
        return self.replicates[0]

    @property
    def last(self) -> int:
        """Replicates after which there is no further one."""
        return self.replicates[-1]

    @property
    def total(self) -> float:
        """Sum of the alphas: the most that the chance of a false better or worse can be."""
        return float(sum(self.alphas))

    def reached(self, replicates: int) -> tuple[int, ...]:
        """The interim analyses that so many replicates have reached, first one first."""
        return tuple(count for count in self.replicates if count <= replicates)

    def alpha_at(self, count: ArrayLike) -> NDArray[np.float64]:
        """(...) 1 - level of the analysis at `count`; of the next one in between, of the last one beyond."""
        place = np.searchsorted(self.replicates, np.asarray(count))
        return np.asarray(self.alphas)[np.minimum(place, len(self.alphas) - 1)]

    def margin(self, spread: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
        """(...) half the width of the t interval at an analysis: `t(1 - alpha/2; R - 1) s / sqrt(R)`.

        Args:
            spread: (...) standard deviation of the differences.
            count: (...) replicates, 2 or more.
        """
        from ..analysis.statistics.intervals import margin

        count = np.asarray(count)
        return margin(np.asarray(spread) / np.sqrt(count), count, 1 - self.alpha_at(count))

    def p_value(self, statistic: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
        """(...) an analysis' two-sided t p-value, scaled by `total / alpha`: at most `total` if the analysis rejects.

        The smallest over the analyses is a p-value of the whole plan, for the scaled ones add up by Bonferroni:
        P(any p_j total / alpha_j <= x) <= sum x alpha_j / total = x.

        Args:
            statistic: (...) t statistic; below 0 nothing speaks against the null.
            count: (...) replicates at the analysis.
        """
        from scipy import stats

        statistic, count = np.asarray(statistic, dtype=np.float64), np.asarray(count)
        tail = 2 * stats.t.sf(np.maximum(statistic, 0.0), count - 1)
        return np.minimum(1.0, tail * self.total / self.alpha_at(count))

    def ahead(self, replicates: int) -> NDArray[np.int64]:
        """Numbers of replicates where a verdict could still come: later analyses, then (another plan's) any number."""
        later = [count for count in self.replicates if count > replicates]
        return np.array([*later, *range(max(replicates, self.last) + 1, FARTHEST + 1)], dtype=np.int64)


@dataclass(frozen=True)
class OpenEnded:
    """An analysis after every replicate: a t confidence sequence is the only rule.

    With X normal of unknown variance, a normal mixture N(0, g) over the effect size mean / s.d. and the right Haar
    mixture over the s.d. give the test martingale

        E_n(m) = (1 + n g)^(-1/2) [(1 + u) / (1 + u / (1 + n g))]^(n/2),   u = t_n(m)^2 / (n - 1),

    t_n(m) the t statistic of the hypothesis that the mean is m. By Ville's inequality it ever reaches 1 / alpha with
    probability at most alpha if m is true. Solved for m:

        mean +- s / sqrt(n) sqrt((n - 1) (K - 1) / (1 - K / (1 + n g))),   K = ((1 + n g) / alpha^2)^(1/n),

    and everything where K >= 1 + n g. Source: Wang and Ramdas (2025), "Anytime-valid t-tests and confidence sequences
    for Gaussian means with unknown variance", Sequential Analysis 44(1), arXiv 2310.03722, theorem 4.9 with their
    c^2 = 1 / g; after Lai (1976), "On confidence sequences". The same E_n is the Bayes factor of Gonen et al. (2005).
    """

    alpha: float = 0.05
    """Chance that the sequence ever leaves out the true difference, at most."""
    effect_variance: float = 8.0
    """g. 8 is within 1 % of the narrowest at 4 and 5 replicates, 10 % at 16, 16 % at 64 (computed)."""
    at_most: int = 64
    """Replicates after which one gives up undecided. Validity does not need it; a power forecast does."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or not self.effect_variance > 0 or not 2 <= self.at_most <= FARTHEST:
            raise ConfigError(
                f"Expected an alpha between 0 and 1, an effect variance above 0 and 2 to {FARTHEST} replicates at "
                f"most, but got {self.alpha}, {self.effect_variance} and {self.at_most}.",
                "Use the defaults: .05, 8 and 64.",
            )

    @property
    def rule(self) -> str:
        """What its ends are called."""
        return "confidence sequence"

    @property
    def first(self) -> int:
        """Replicates before which there is no interim analysis."""
        return 2

    @property
    def last(self) -> int:
        """Replicates after which there is no further one."""
        return self.at_most

    @property
    def total(self) -> float:
        """The most that the chance of a false better or worse can be."""
        return self.alpha

    def reached(self, replicates: int) -> tuple[int, ...]:
        """Every number of replicates from 2 on."""
        return tuple(range(2, min(replicates, self.at_most) + 1))

    def alpha_at(self, count: ArrayLike) -> NDArray[np.float64]:
        """(...) 1 - level of the whole sequence, the same at every count."""
        return np.full(np.shape(count), self.alpha)

    def margin(self, spread: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
        """(...) half the width of the confidence sequence; infinite while the replicates are too few.

        Args:
            spread: (...) standard deviation of the differences.
            count: (...) replicates, 2 or more.
        """
        n = np.asarray(count, dtype=np.float64)
        inflated = 1 + n * self.effect_variance
        bound = (inflated / self.alpha**2) ** (1 / n)
        room = 1 - bound / inflated
        with np.errstate(divide="ignore", invalid="ignore"):
            width = np.where(room > 0, np.sqrt((n - 1) * (bound - 1) / room / n), np.inf)
        return np.asarray(spread) * width

    def p_value(self, statistic: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
        """(...) `1 / E_n`, at most 1; the smallest over all counts so far is an anytime-valid p-value.

        Args:
            statistic: (...) t statistic; below 0 nothing speaks against the null.
            count: (...) replicates.
        """
        n = np.asarray(count, dtype=np.float64)
        inflated = 1 + n * self.effect_variance
        u = np.square(np.maximum(np.asarray(statistic, dtype=np.float64), 0.0)) / (n - 1)
        log_e = -0.5 * np.log(inflated) + n / 2 * (np.log1p(u) - np.log1p(u / inflated))
        return np.exp(-np.maximum(log_e, 0.0))

    def ahead(self, replicates: int) -> NDArray[np.int64]:
        """Numbers of replicates at which a verdict could still come."""
        return np.arange(max(replicates + 1, 2), FARTHEST + 1, dtype=np.int64)


Plan = GroupSequential | OpenEnded
"""When interim analyses are made and by which rule."""


def plan_at(analyses: tuple[int, ...] | None = None, *, open_ended: bool = False) -> Plan:
    """The plan that a person names by its interim analyses.

    Args:
        analyses: Numbers of replicates; None for the default plan. Another one than that shares .05 equally.
        open_ended: A confidence sequence after every replicate, in place of those.

    Raises:
        ConfigError: None at all, or fewer than two replicates at the first.
    """
    if open_ended:
        return OpenEnded()
    counts, default = tuple(analyses or ()), GroupSequential()
    if analyses is None or counts == default.replicates:
        return default
    return GroupSequential(counts, (0.05 / max(1, len(counts)),) * len(counts))


def plan_from(values: Mapping[str, Any]) -> Plan:
    """The plan that `dataclasses.asdict` made these values of, also by way of JSON.

    Raises:
        ConfigError: Values that are neither plan's.
    """
    for kind in (GroupSequential, OpenEnded):
        if set(values) == {entry.name for entry in dataclasses.fields(kind)}:
            return kind(**values)
    raise ConfigError(
        f"Expected the settings of a plan of interim analyses or of an open-ended one, but got {sorted(values)}.",
        "Read them as they were written.",
    )
