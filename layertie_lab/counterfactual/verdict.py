"""A hypothesis stated before, the differences that came, and the verdict between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis.statistics.intervals import Estimate
from ..analysis.statistics.paired import PairedDifference, SignFlip, holm, paired_difference, sign_flip
from ..core.errors import AnalysisError
from .interim import GroupSequential, Plan
from .looking import Look, look
from .spec import Expected

Outcome = Literal["better", "worse", "no difference that matters", "not decided yet", "identical"]
OUTCOMES: tuple[Outcome, ...] = ("better", "worse", "no difference that matters", "not decided yet", "identical")
COMMON = ("batches", "dropout masks", "evaluation windows", "the agent's draws")
"""What both branches of a pair share unless it is said otherwise."""


@dataclass(frozen=True)
class Hypothesis:
    """What `judge` decides about; that of a study is derived from its spec (`judging.hypothesis_of`)."""

    statement: str
    """In the person's words; the verdict quotes it. "" is for exploratory comparisons only."""
    horizon: int
    """Optimizer steps after the fork at which the metric is compared, 1 or more."""
    expected: Expected = "better"
    """What the branch with the other action is expected to be, against the proposed one."""
    metric: str = "held-out loss"
    unit: str = "nats"
    lower_is_better: bool = True
    smallest_difference: float = 0.003
    """Half the equivalence band, in the metric's unit: smaller differences do not matter. The default is for losses."""
    primary: bool = True
    """False for a comparison that was not stated before, or at another horizon: exploratory, and labelled so."""
    plan: Plan = field(default_factory=GroupSequential)
    steps_per_decision: int = 0
    """k, the steps in the agent's own reward window; 0 where there is no agent."""
    common: tuple[str, ...] = COMMON
    """What was held common within a pair."""
    afterwards: str = "continue, layer locked"
    """What happens after the fork."""
    compared: str = "as chosen minus as proposed"
    sides: tuple[str, str] = ("as chosen", "as proposed")
    """What is held against what, each in words that can stand in a sentence."""
    extended_at: tuple[int, ...] = ()
    """Numbers of replicates at which the plan had been used up without a verdict, and was made longer."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "common", tuple(self.common))
        if self.primary and not self.statement.strip():
            raise AnalysisError(
                "Expected a statement, but got none.",
                "Say in a sentence what you expect, or make the comparison an exploratory one.",
            )
        if self.horizon < 1:
            raise AnalysisError(
                f"Expected a horizon of at least 1 step, but got {self.horizon}.",
                "At horizon 0 both branches are the same model: choose 50 or 100 steps.",
            )
        if not (np.isfinite(self.smallest_difference) and self.smallest_difference >= 0):
            raise AnalysisError(
                f"Expected a smallest difference that matters of 0 or more, but got {self.smallest_difference}.",
                "Use .003 for a loss in nats.",
            )
        if self.expected not in OUTCOMES[:3]:
            raise AnalysisError(
                f"Expected one of {', '.join(OUTCOMES[:3])}, but got {self.expected!r}.", "Choose one of them."
            )


@dataclass(frozen=True)
class Verdict:
    """What the differences say about a hypothesis; in words by `wording.sentence_of`.

    Args:
        hypothesis: As stated.
        outcome: One of `OUTCOMES`.
        difference: The differences up to the interim analysis that decided, or the last one reached.
        interval: At that analysis' level, with the estimate that it is about; None without spread.
        look: What that analysis saw; None without spread.
        further: More replicates that would decide if those to come are as those so far; None if decided, or beyond
            10,000.
        within_plan: Whether the plan still has an analysis where that would happen.
        p_difference: Of the whole plan, against no difference; at most the plan's `total` where the rule rejects.
        p_equivalence: Of the whole plan, against a difference that matters (two one-sided tests, doubled, for the
            band is held against the whole interval).
        cross_check: Sign-flip test at the analysis, from R = 6; None where the differences do not look symmetric, which
            it assumes.
        warnings: Sentences a reader has to know.
        family: Hypotheses it was corrected for; 1 if not.
        later: Differences that have come since that analysis, not used.
        taken_back: Whether it was decided, until it was corrected for the family.
    """

    hypothesis: Hypothesis
    outcome: Outcome
    difference: PairedDifference
    interval: Estimate | None
    look: Look | None
    further: int | None
    within_plan: bool
    p_difference: float
    p_equivalence: float
    cross_check: SignFlip | None
    warnings: tuple[str, ...]
    family: int = 1
    later: tuple[float, ...] = ()
    taken_back: bool = False

    @property
    def estimate(self) -> float:
        """The typical difference: the mean, or the median where the sign test decides."""
        return self.difference.value if self.interval is None else float(self.interval.value)

    @property
    def by_sign(self) -> bool:
        """Whether the sign test decides, about the median."""
        return self.look is not None and not self.look.by_t

    @property
    def analyses_left(self) -> tuple[int, ...]:
        """Later analyses of the plan, as numbers of replicates."""
        plan = self.hypothesis.plan
        return tuple(count for count in plan.reached(plan.last) if count > self.replicates)

    @property
    def replicates(self) -> int:
        """R at the analysis."""
        return self.difference.replicates

    @property
    def decided(self) -> bool:
        """Whether the replicates may stop."""
        return self.outcome != "not decided yet"

    @property
    def as_expected(self) -> bool | None:
        """Whether it is what the hypothesis expected; None while undecided and for exploratory comparisons."""
        if not self.decided or not self.hypothesis.primary:
            return None
        found = "no difference that matters" if self.outcome == "identical" else self.outcome
        return found == self.hypothesis.expected


def classify(low: ArrayLike, high: ArrayLike, smallest_difference: float) -> NDArray[np.int8]:
    """The rule, element by element: 2 if the interval lies inside the band, else 1 or -1 if it lies above or below 0,
    else 0 for undecided.

    Equivalence by an interval inside the band (Schuirmann 1987), at the interval's full level, goes before: a
    difference can be certain and still too small to matter.

    Args:
        low: (...) lower ends of intervals.
        high: (...) upper ends.
        smallest_difference: Half the width of the band, 0 for none.
    """
    low, high = np.asarray(low), np.asarray(high)
    sign = (low > 0).astype(np.int8) - (high < 0)
    inside = (low > -smallest_difference) & (high < smallest_difference)
    return np.where(inside, 2, sign).astype(np.int8)


def outcome_of(code: int, lower_is_better: bool) -> Outcome:
    """The outcome for one code of `classify`."""
    if code in (0, 2):
        return "no difference that matters" if code else "not decided yet"
    return "better" if (code < 0) == lower_is_better else "worse"


def further_replicates(
    difference: PairedDifference, smallest_difference: float, plan: Plan, *, by_sign: bool = False
) -> tuple[int | None, bool]:
    """How many more replicates would decide if those to come are as those so far, and whether the plan has them.

    The first R' > R among the plan's later analyses, and beyond the last one among all numbers at its level, where the
    interval decides: around the same mean with the same spread, or by the sign test between the same quantiles; (None,
    False) if none up to 10,000 does.
    """
    ahead = plan.ahead(difference.replicates)
    if by_sign:
        rank, ordered = _ranks_ahead(plan, difference.replicates), np.sort(difference.differences)
        # The (k + 1)-th smallest of R' is about the quantile (k + 1) / R'.
        place = np.clip(np.ceil((rank + 1) * len(ordered) / ahead).astype(np.int64) - 1, 0, len(ordered) - 1)
        low, high = ordered[place], ordered[::-1][place]
        low, high = np.where(rank >= 0, low, -np.inf), np.where(rank >= 0, high, np.inf)
    else:
        half = difference.spread * _margins_ahead(plan, difference.replicates)
        low, high = difference.value - half, difference.value + half
    decides = classify(low, high, smallest_difference) != 0
    if not decides.any():
        return None, False
    found = int(ahead[decides.argmax()])
    return found - difference.replicates, found <= plan.last


@lru_cache(maxsize=64)
def _margins_ahead(plan: Plan, replicates: int) -> NDArray[np.float64]:
    return plan.margin(1.0, plan.ahead(replicates))


@lru_cache(maxsize=64)
def _ranks_ahead(plan: Plan, replicates: int) -> NDArray[np.int64]:
    return plan.sign_rank(plan.ahead(replicates))


def judge(differences: ArrayLike, hypothesis: Hypothesis, seed: int = 0, factor: float = 1.0) -> Verdict:
    """The verdict after the interim analyses that so many replicates reach: the first that decides, else the last.

    Each sees the first replicates up to its number, in order; those that came since are not used, for there is no
    verdict between analyses.

    Args:
        differences: (R,) finite numbers, in the order of the replicates, answered minus proposed.
        hypothesis: As stated.
        seed: Of the sign flips, where they are drawn.
        factor: What p-values are multiplied by before they are held against the plan's level: Holm's, in a family.

    Raises:
        AnalysisError: One replicate, fewer than the plan's first interim analysis has, or a number that is not finite.
    """
    every = paired_difference(differences).differences
    plan, smallest = hypothesis.plan, hypothesis.smallest_difference
    analyses = plan.reached(len(every))
    if not analyses:
        raise AnalysisError(
            f"Expected {plan.first} replicates, as the plan's first interim analysis has, but got {len(every)}.",
            f"Run {plan.first - len(every)} more: there is no verdict between interim analyses.",
        )
    outcome: Outcome = "not decided yet"
    found, seen, p_difference, p_equivalence = paired_difference(every[: analyses[0]]), None, 1.0, 1.0
    for count in analyses:
        found = paired_difference(every[:count])
        if found.constant:
            outcome, seen = _constant(found, hypothesis), None
            p_difference, p_equivalence = found.p_value(), 0.0 if abs(found.value) < smallest else 1.0
            break
        seen = look(found.differences, plan, smallest)
        p_difference = min(p_difference, float(seen.p_difference))
        p_equivalence = min(p_equivalence, float(seen.p_equivalence))
        code = int(classify(seen.low, seen.high, smallest))
        p_value = float(seen.p_equivalence if code == 2 else seen.p_difference)
        if code and (factor == 1 or factor * p_value <= plan.total):
            outcome = outcome_of(code, hypothesis.lower_is_better)
            break
    further, within, interval = None, False, None
    if seen is not None:
        level = 1 - float(plan.alpha_at(found.replicates))
        interval = Estimate(seen.value, seen.low, seen.high, count=found.replicates, level=level)
        if outcome == "not decided yet":
            further, within = further_replicates(found, smallest, plan, by_sign=not seen.by_t)
    check = sign_flip(found.differences, seed) if seen is None or seen.by_t else None
    return Verdict(
        hypothesis,
        outcome,
        found,
        interval,
        seen,
        further,
        within,
        p_difference,
        p_equivalence,
        check,
        _warnings(hypothesis, outcome, found, check),
        later=every[found.replicates :],
    )


def correct(verdicts: Sequence[Verdict], still_open: int = 0) -> tuple[Verdict, ...]:
    """Holm's correction over several primary hypotheses of one run: what does not survive it is not decided.

    Claims of a difference are one family, claims of equivalence another, each kept at the smallest `total` of the
    plans (Holm 1979), .055 as a rule. An open hypothesis counts in both. Exploratory verdicts are neither counted nor
    changed, and what is identical stays so: it is no inference.

    What is taken back has its plan's later analyses left, held against the level that Holm leaves it: replicates that
    came since the one that had decided are used for them.

    Args:
        verdicts: In any order.
        still_open: Primary hypotheses that were stated besides and have no verdict yet; they count, as p = 1.

    Returns:
        The same verdicts in the same order, `family` set.
    """
    places = [place for place, verdict in enumerate(verdicts) if verdict.hypothesis.primary]
    corrected = list(verdicts)
    if not places:
        return tuple(corrected)
    level = min(verdicts[place].hypothesis.plan.total for place in places)
    family = len(places) + still_open
    while True:
        p_values = {
            "difference": np.array([*(corrected[place].p_difference for place in places), *[1.0] * still_open]),
            "equivalence": np.array([*(corrected[place].p_equivalence for place in places), *[1.0] * still_open]),
        }
        adjusted = {claim: holm(found) for claim, found in p_values.items()}
        fallen = []
        for index, place in enumerate(places):
            claim = _CLAIMS.get(corrected[place].outcome)
            if claim is not None and adjusted[claim][index] > level:
                fallen.append((place, int((p_values[claim] >= p_values[claim][index]).sum())))
        for place, factor in fallen:
            corrected[place] = _taken_back(corrected[place], factor, level)
        if not fallen:
            counted = (replace(corrected[place], family=family) for place in places)
            for place, verdict in zip(places, counted, strict=True):
                corrected[place] = verdict
            return tuple(corrected)


_CLAIMS: dict[Outcome, str] = {
    "better": "difference",
    "worse": "difference",
    "no difference that matters": "equivalence",
}


def _taken_back(verdict: Verdict, factor: int, level: float) -> Verdict:
    """A verdict that does not survive Holm's factor: that of a later analysis which does, else none yet."""
    stated = verdict.hypothesis
    every = (*verdict.difference.differences, *verdict.later)
    again = judge(every, stated, factor=factor * stated.plan.total / level)
    if again.decided and again.replicates > verdict.replicates:
        return again
    # The order of p-values can take back what survives its own factor.
    return replace(verdict if again.decided else again, outcome="not decided yet", taken_back=True)


def _constant(found: PairedDifference, hypothesis: Hypothesis) -> Outcome:
    if found.identical:
        return "identical"
    code = int(classify(found.value, found.value, hypothesis.smallest_difference))
    return outcome_of(code, hypothesis.lower_is_better)


def _warnings(
    hypothesis: Hypothesis, outcome: Outcome, found: PairedDifference, check: SignFlip | None
) -> tuple[str, ...]:
    warnings = []
    if hypothesis.horizon <= hypothesis.steps_per_decision:
        warnings.append(
            f"The horizon of {hypothesis.horizon} steps lies inside the agent's own reward window of "
            f"{hypothesis.steps_per_decision} steps, where the sign can differ from that at longer horizons: "
            "see the difference over the horizon."
        )
    if found.constant and not found.identical:
        warnings.append(
            "All replicates gave exactly the same difference, so there is no interval. That is right for a count of "
            "parameters or bytes; for a metric that training moves, check that the replicates' keys differ."
        )
    alpha = float(hypothesis.plan.alpha_at(found.replicates))
    if check and outcome in ("better", "worse") and not found.constant and check.p_value > alpha:
        warnings.append(
            f"The sign-flip cross-check is less sure: p = {check.p_value:.2g} against the analysis' alpha of {alpha:g}."
        )
    return tuple(warnings)
