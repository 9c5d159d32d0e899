"""A verdict in words."""

from __future__ import annotations

from collections.abc import Sequence

from .extension import extended
from .interim import SHAPE_FROM, GroupSequential, Plan
from .verdict import Verdict


def outcome_in_words(verdict: Verdict) -> str:
    """The outcome as it is told: "not decided yet" only as long as something can still come.

    Nothing can once a plan that cannot be extended is used up; but what was taken back by the correction for the run's
    other hypotheses comes back when these are decided.
    """
    plan, came = verdict.hypothesis.plan, verdict.replicates + len(verdict.later)
    if verdict.decided or verdict.taken_back or came < plan.last or extended(plan).plan is not None:
        return verdict.outcome
    return "not decided"


def sentence_of(verdict: Verdict) -> str:
    """The verdict with the hypothesis quoted, estimate, interval and its level, R, horizon and what was held common."""
    return " ".join(
        part
        for part in (
            _stated(verdict),
            f"Verdict: {outcome_in_words(verdict)}{_against(verdict)}.",
            _numbers(verdict),
            _shape(verdict),
            _small(verdict),
            _checked(verdict),
            _extended(verdict),
            _held(verdict),
            _outlook(verdict),
            _corrected(verdict),
            *verdict.warnings,
        )
        if part
    )


def headline_of(verdict: Verdict) -> str:
    """What came out, in plain words with its interval and level, and why that is its level where it is not 95 %."""
    return " ".join(part for part in (_found(verdict), _level(verdict)) if part)


def _found(verdict: Verdict) -> str:
    found, stated, interval = verdict.difference, verdict.hypothesis, verdict.interval
    one, other = stated.sides
    when = f"{counted(stated.horizon, 'step')} later"
    typical = " in the median" if verdict.by_sign else ""
    value, unit = f"{abs(verdict.estimate):.3g}", f" {stated.unit}" if stated.unit else ""
    if interval is None:
        size = f"in every one of {counted(found.replicates, 'replicate')}"
    else:
        size = (
            f"{100 * interval.level:g} % {stated.plan.ends} {_ends(verdict)}, {counted(found.replicates, 'replicate')}"
        )
    if found.identical:
        return (
            f"{_upper(one)} is the same as {other}: {when} the {stated.metric} was equal to the last bit, {size}. Both "
            "use the same parameters, or nothing that differs has reached it."
        )
    if verdict.outcome in ("better", "worse"):
        more = "higher" if verdict.estimate > 0 else "lower"
        return (
            f"{_upper(one)} was {verdict.outcome} than {other}: {when} the {stated.metric} was {value}{unit} {more}"
            f"{typical}, {size}."
        )
    signed = f"{verdict.estimate:+.3g}{unit}{typical}"
    if verdict.decided:
        return (
            f"{_upper(one)} made no difference that matters against {other}: {when} the {stated.metric} differed by "
            f"{signed}, {size}, all of it within {stated.smallest_difference:g}."
        )
    why = "so that no difference and one that matters are both possible"
    if verdict.taken_back:
        why = f"which would decide by itself, but not as one of {verdict.family} hypotheses of this run"
    return (
        f"Not decided: {one} against {other}. {_upper(when)} the {stated.metric} differed by {signed}, {size}, {why}."
    )


def _level(verdict: Verdict) -> str:
    """Why the interval's level is not the usual one."""
    plan, interval = verdict.hypothesis.plan, verdict.interval
    if interval is None or abs(interval.level - 0.95) < 1e-9:
        return ""
    return (
        f"{100 * interval.level:g} % rather than 95 %, so that all looks of the plan together err in at most "
        f"{100 * plan.total:.2g} % of cases."
    )


def _ends(verdict: Verdict) -> str:
    """The interval's ends: as sizes where both have one sign and the words say which."""
    assert verdict.interval is not None, "there is one"
    low, high = float(verdict.interval.low), float(verdict.interval.high)
    if high == float("inf"):
        return "still without an end"
    if verdict.outcome in ("better", "worse"):
        low, high = sorted((abs(low), abs(high)))
        return f"{low:.3g} to {high:.3g}"
    return f"{low:+.3g} to {high:+.3g}"


def _upper(words: str) -> str:
    return words[:1].upper() + words[1:]


def counted(count: int, noun: str) -> str:
    """A number of things: "1 replicate", "2 replicates"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def plan_in_words(plan: Plan) -> str:
    """When a plan's analyses are made, at which levels, and how often it errs."""
    if isinstance(plan, GroupSequential):
        levels = [f"{100 * (1 - alpha):g} %" for alpha in plan.alphas]
        many = f"an interim analysis after {_listed(plan.replicates)} replicates, at {_listed(levels)}"
        between = "; no verdict between them" if len(levels) > 1 else ""
        when = f"{many}{between}"
    else:
        level = f"{100 * (1 - plan.alpha):g} %"
        when = f"an analysis after each replicate, up to {plan.last}, by a {level} confidence sequence"
    by = "Student's t" if plan.rule == "t" else "Student's t where the differences look normal, else the sign test"
    return f"{_upper(when)}. By {by}. A false verdict comes in at most {100 * plan.total:.2g} % of cases."


def _listed(words: Sequence[object]) -> str:
    *most, last = map(str, words)
    return f"{', '.join(most)} and {last}" if most else last


def _stated(verdict: Verdict) -> str:
    stated = verdict.hypothesis
    quoted = f'"{stated.statement.strip()}"' if stated.statement.strip() else "no statement"
    opening = f"Hypothesis: {quoted} (expected {stated.expected}; "
    if not stated.primary:
        opening = f"Exploratory, not the primary comparison of a hypothesis: {quoted} ("
    return (
        f"{opening}{stated.metric} at step {stated.horizon}; differences below {stated.smallest_difference:g} "
        f"{stated.unit} do not matter)."
    )


def _against(verdict: Verdict) -> str:
    match verdict.as_expected:
        case None:
            return ""
        case True:
            return ", as expected"
        case _:
            return f", where {verdict.hypothesis.expected} was expected"


def _numbers(verdict: Verdict) -> str:
    found, stated, interval = verdict.difference, verdict.hypothesis, verdict.interval
    value = f"{verdict.estimate:+.4g}" if verdict.estimate else "0"
    size = f"{counted(found.replicates, 'replicate')}, horizon {stated.horizon} steps"
    opening = f"{_upper(stated.compared)}: {value} {stated.unit}".rstrip()
    opening += " in the median" if verdict.by_sign else ""
    if interval is None:
        return f"{opening} in every replicate, exactly; {size}."
    ends = f"from {float(interval.low):+.4g} to {float(interval.high):+.4g}"
    if float(interval.high) == float("inf"):
        ends = "still unbounded"
    return f"{opening}, {100 * interval.level:g} % {stated.plan.ends} {ends}; {size}."


def _shape(verdict: Verdict) -> str:
    """Which of two intervals it goes by, and what it is about; nothing for studies that knew only one."""
    found, seen = verdict.difference, verdict.look
    if seen is None or verdict.hypothesis.plan.rule == "t":
        return ""
    if found.replicates < SHAPE_FROM:
        return (
            f"So few do not show their distribution: before {SHAPE_FROM} replicates only what is far beyond doubt is "
            "decided."
        )
    p = f"Shapiro-Francia p = {float(seen.normality):.2g}"
    if verdict.by_sign:
        return (
            f"The differences do not look normal ({p}), so the sign test decides, about their median; their mean is "
            f"{found.value:+.4g}, of which so few say nothing sure. The interval is from one replicate's value to "
            "another's."
        )
    return (
        f"The differences look normal ({p}), so Student's t decides, about their mean. It is the typical difference "
        f"too, unless a few replicates come out quite differently, so few that among {found.replicates} there was none."
    )


def _small(verdict: Verdict) -> str:
    """A sign can be certain while the size is not: then the sentence says that it may be too small to matter."""
    interval, band = verdict.interval, verdict.hypothesis.smallest_difference
    if verdict.outcome not in ("better", "worse") or interval is None:
        return ""
    nearest = min(abs(float(interval.low)), abs(float(interval.high)))
    if nearest >= band:
        return ""
    return f"The sign is certain at that level, the size is not: it may be below the {band:g} that matter."


def _checked(verdict: Verdict) -> str:
    check = verdict.cross_check
    if check is None or verdict.difference.constant:
        return ""
    return f"Sign-flip test of no difference, as a cross-check: p = {check.p_value:.2g}."


def _extended(verdict: Verdict) -> str:
    """What was stated of the plan, and what was made of it after that."""
    stated = verdict.hypothesis
    if not stated.extended_at:
        return ""
    at = " and ".join(map(str, stated.extended_at))
    return (
        f"The plan was extended: used up without a verdict at {at} replicates, it was made longer, to "
        f"{stated.plan.last}, with a chance of a false verdict of at most {stated.plan.total:.2g} over all of it."
    )


def _held(verdict: Verdict) -> str:
    stated = verdict.hypothesis
    common = ", ".join(stated.common) if stated.common else "nothing"
    return f"Held common within a pair: {common}. After the fork: {stated.afterwards}."


def _outlook(verdict: Verdict) -> str:
    if verdict.decided or verdict.family > 1:
        return ""
    if verdict.further is None:
        return "No number of replicates up to 10,000 would decide if those to come are as those so far."
    many = counted(verdict.further, "more replicate")
    more = f"If those to come are as those so far, {many} would decide"
    return f"{more}." if verdict.within_plan else f"{more}, more than this plan has: that takes another hypothesis."


def _corrected(verdict: Verdict) -> str:
    if verdict.family < 2:
        return ""
    about = f"{verdict.family} hypotheses in this run (Holm, family error {verdict.hypothesis.plan.total:.2g})"
    left = " and ".join(map(str, verdict.analyses_left[:3]))
    left = f"at {left}" if len(verdict.analyses_left) < 4 else "after each further replicate"
    if not verdict.taken_back:
        return f"Corrected for {about}."
    if verdict.analyses_left:
        return (
            f"Decided by itself, but taken back by the correction for {about}; analyses {left} are to come: go on with "
            "the study."
        )
    return f"Decided by itself, but taken back by the correction for {about}; its plan has no analysis left."
