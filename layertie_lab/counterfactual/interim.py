"""When replicates that are still coming in are analysed, and how wide the interval is then.

An analysis after every replicate that stops when a 95 % interval excludes zero is wrong in about a fifth of null cases
(data/verdicts). So either the interim analyses and their levels are fixed before (`GroupSequential`), or there is one
after every replicate, with a confidence sequence in place of the interval (`OpenEnded`).

A plan also says by which rule an analysis decides, see `Rule`; how often each is wrong was simulated (data/verdicts).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import ConfigError

# What computes intervals (scipy) is imported where it is needed: a plan alone is read for --help and for lists.

Rule = Literal["t", "t-or-sign"]
"""t: always Student's t, about the mean. It keeps its level where the differences are about normal or symmetric, not
where they are skewed: 22 % false verdicts for lognormal ones. Studies that name no rule were made under it.

t-or-sign: about the typical difference, the median. Where the differences look normal (`NORMAL_FROM`), mean and median
are one, and Student's t interval is the best for it; else the interval of the sign test, which assumes nothing of the
distribution. From fewer than `SHAPE_FROM` replicates nobody can tell, so that they decide by t at a level of its own
(`plan_at`), or not at all. No rule for the mean is possible here: what is normal but for a rare large difference looks
normal as long as that has not come (Bahadur and Savage 1956).

A rule's name stands for its constants too: whoever changes one makes another rule."""
SHAPE_FROM = 8
"""Replicates below which their shape is not asked for."""
NORMAL_FROM = 0.25
"""p-value of the Shapiro-Francia test from which differences count as normal. High, for a few seldom show what they
are; a quarter of normal ones then go to the sign test, which costs 4 points of power at most."""
FAMILY_ERROR = 0.055
"""The most that the chance of a false verdict came to, over the distributions that were simulated."""

FARTHEST = 10_000
"""Replicates beyond which nobody is told that more of them would decide."""


@dataclass(frozen=True)
class GroupSequential:
    """Interim analyses at stated numbers of replicates, each with its own share of the error; no verdict between them.

    Group-sequential testing in the manner of Pocock (1977, "Group sequential methods in the design and analysis of
    clinical trials"), with unequal levels that save the most for the last one.
    """

    replicates: tuple[int, ...] = (4, 8, 16)
    """Numbers of replicates at which an interim analysis is made, rising."""
    alphas: tuple[float, ...] = (0.0005, 0.008, 0.036)
    """Of each: 1 minus the level of its interval."""
    rule: Rule = "t-or-sign"
    """By which an analysis decides."""

    def __post_init__(self) -> None:
        _check_rule(self.rule)
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
    def ends(self) -> str:
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
        """The most that the chance of a false better or worse is.

        With t the sum of the alphas, a bound for normal differences (Bonferroni). With t-or-sign simulated for the
        default plan, and in the same ratio to the sum for others: an analysis can err by either of two intervals.
        """
        return float(sum(self.alphas)) * (1 if self.rule == "t" else FAMILY_ERROR / ALPHAS)

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

    def sign_rank(self, count: ArrayLike) -> NDArray[np.int64]:
        """(...) how many ordered differences the sign test's interval leaves out at each end; -1 where there is none.

        Args:
            count: (...) replicates at the analysis.
        """
        from ..analysis.statistics.median import sign_rank

        return sign_rank(count, self.alpha_at(count))

    def sign_p_value(self, fewer: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
        """(...) an analysis' two-sided p-value of the sign test, scaled as `p_value` is.

        Args:
            fewer: (...) differences on the rarer side of the null.
            count: (...) replicates at the analysis.
        """
        from ..analysis.statistics.median import sign_p_value

        return np.minimum(1.0, sign_p_value(fewer, count) * self.total / self.alpha_at(count))

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

    With the rule t-or-sign it begins at `SHAPE_FROM` replicates, and where the differences do not look normal the
    martingale of their signs takes its place (`statistics.median.sign_martingale`).
    """

    alpha: float = 0.08
    """Chance that either sequence alone ever leaves out the truth, at most. Both together have left it out within 64
    replicates in 3 to 5 % of the paths that were simulated, since they begin late and end early."""
    effect_variance: float = 8.0
    """g. 8 is within 1 % of the narrowest at 4 and 5 replicates, 10 % at 16, 16 % at 64 (computed)."""
    at_most: int = 64
    """Replicates after which one gives up undecided."""
    rule: Rule = "t-or-sign"
    """By which an analysis decides."""

    def __post_init__(self) -> None:
        _check_rule(self.rule)
        if not 0 < self.alpha < 1 or not self.effect_variance > 0 or not 2 <= self.at_most <= FARTHEST:
            raise ConfigError(
                f"Expected an alpha between 0 and 1, an effect variance above 0 and 2 to {FARTHEST} replicates at "
                f"most, but got {self.alpha}, {self.effect_variance} and {self.at_most}.",
                "Use the defaults: .08, 8 and 64.",
            )

    @property
    def ends(self) -> str:
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
        """The most that the chance of a false better or worse is: alpha with t, simulated with t-or-sign."""
        return self.alpha * (1 if self.rule == "t" else FAMILY_ERROR / OPEN_ALPHA)

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
            width = np.where((room > 0) & self._begun(n), np.sqrt((n - 1) * (bound - 1) / room / n), np.inf)
        return np.asarray(spread) * width

    def p_value(self, statistic: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
        """(...) `1 / E_n` in units of `total / alpha`, at most 1; the smallest over all counts so far is anytime-valid.

        Args:
            statistic: (...) t statistic; below 0 nothing speaks against the null.
            count: (...) replicates.
        """
        n = np.asarray(count, dtype=np.float64)
        inflated = 1 + n * self.effect_variance
        u = np.square(np.maximum(np.asarray(statistic, dtype=np.float64), 0.0)) / (n - 1)
        log_e = -0.5 * np.log(inflated) + n / 2 * (np.log1p(u) - np.log1p(u / inflated))
        return self._p_of(log_e, n)

    def sign_rank(self, count: ArrayLike) -> NDArray[np.int64]:
        """(...) how many ordered differences the signs' sequence leaves out at each end; -1 where there is none.

        Args:
            count: (...) replicates.
        """
        from ..analysis.statistics.median import sign_martingale

        count = np.asarray(count)
        # By bisection, since the martingale falls from k = 0 to n / 2: `low` reaches 1 / alpha, `high` does not.
        low, high = np.full(count.shape, -1), (count + 1) // 2
        while (high - low > 1).any():
            middle = (low + high) // 2
            reached = sign_martingale(np.maximum(middle, 0), count) >= -np.log(self.alpha)
            low, high = np.where(reached & (middle > low), middle, low), np.where(reached, high, middle)
        return np.where(self._begun(count), low, -1)

    def sign_p_value(self, fewer: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
        """(...) the same as `p_value`, of the signs.

        Args:
            fewer: (...) differences on the rarer side of the null.
            count: (...) replicates.
        """
        from ..analysis.statistics.median import sign_martingale

        return self._p_of(sign_martingale(fewer, count), np.asarray(count))

    def _p_of(self, log_e: NDArray[np.float64], count: NDArray[Any]) -> NDArray[np.float64]:
        speaks = self._begun(count) & (log_e > 0)
        return np.where(speaks, np.minimum(1.0, np.exp(-np.maximum(log_e, 0.0)) * self.total / self.alpha), 1.0)

    def _begun(self, count: NDArray[Any]) -> NDArray[np.bool_]:
        return np.asarray(count >= (2 if self.rule == "t" else SHAPE_FROM))

    def ahead(self, replicates: int) -> NDArray[np.int64]:
        """Numbers of replicates at which a verdict could still come."""
        return np.arange(max(replicates + 1, 2), FARTHEST + 1, dtype=np.int64)


Plan = GroupSequential | OpenEnded
"""When interim analyses are made and by which rule."""
ALPHAS = sum(GroupSequential.alphas)
"""Of the default plan, together: what other plans share out as well."""
OPEN_ALPHA = OpenEnded.alpha


def _check_rule(rule: str) -> None:
    if rule not in get_args(Rule):
        raise ConfigError(
            f"Expected a rule out of {', '.join(get_args(Rule))}, but got {rule!r}.",
            "It may come from a newer version: update layertie_lab.",
        )


def plan_at(analyses: tuple[int, ...] | None = None, *, open_ended: bool = False) -> Plan:
    """The plan that a person names by its interim analyses.

    Args:
        analyses: Numbers of replicates; None for the default plan. In another one those below `SHAPE_FROM` get .0005
            each, as there, and the others share the rest equally, .036 each at most.
        open_ended: A confidence sequence after every replicate, in place of those.

    Raises:
        ConfigError: None at all, or fewer than two replicates at the first.
    """
    if open_ended:
        return OpenEnded()
    counts, default = tuple(analyses or ()), GroupSequential()
    if analyses is None or counts == default.replicates:
        return default
    early, most = default.alphas[0], default.alphas[-1]
    few = sum(count < SHAPE_FROM for count in counts)
    share = min(most, max(early, (ALPHAS - early * few) / max(1, len(counts) - few)))
    return GroupSequential(counts, tuple(early if count < SHAPE_FROM else share for count in counts))


def plan_values(plan: Plan) -> dict[str, Any]:
    """A plan as plain values; one of the rule t names no rule, as when there was no other."""
    values = dataclasses.asdict(plan)
    if plan.rule == "t":
        del values["rule"]
    return values


def plan_from(values: Mapping[str, Any]) -> Plan:
    """The plan that `plan_values` made these values of, also by way of JSON.

    Raises:
        ConfigError: Values that are neither plan's.
    """
    for kind in (GroupSequential, OpenEnded):
        if {*values, "rule"} == {entry.name for entry in dataclasses.fields(kind)}:
            return kind(**{"rule": "t", **values})
    raise ConfigError(
        f"Expected the settings of a plan of interim analyses or of an open-ended one, but got {sorted(values)}.",
        "Read them as they were written.",
    )
