from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from layertie_lab.analysis.statistics.paired import paired_difference
from layertie_lab.core.errors import AnalysisError
from layertie_lab.counterfactual.interim import GroupSequential, OpenEnded, Plan, plan_at
from layertie_lab.counterfactual.verdict import OUTCOMES, Hypothesis, classify, correct, further_replicates, judge
from layertie_lab.counterfactual.wording import headline_of, outcome_in_words, sentence_of

STATED = Hypothesis("middle layers can share", horizon=100, steps_per_decision=4)
OLD = GroupSequential(alphas=(0.01, 0.015, 0.03), rule="t")
"""The plan of studies that name no rule."""
NOISE = np.random.default_rng(22).permutation(stats.norm.ppf((np.arange(16) + 0.625) / 16.25))
NOISE = (NOISE - NOISE.mean()) / NOISE.std(ddof=1)

FOUR = 0.75**0.5 * np.array([-1.0, 1.0, -1.0, 1.0])
"""Mean 0 and standard deviation 1, as `NOISE`, which looks as normal as can be."""
TAIL = np.exp(2 * NOISE)
TAIL = (TAIL - np.median(TAIL)) / TAIL.std(ddof=1)
"""Median 0, standard deviation 1, and a mean of .38: skewed."""


@pytest.mark.parametrize(
    ("differences", "outcome", "replicates"),
    [
        (-0.02 + 0.001 * NOISE, "better", 4),
        (+0.02 + 0.001 * NOISE, "worse", 4),
        (1e-6 * NOISE, "no difference that matters", 4),
        (0.001 + 1e-5 * NOISE, "no difference that matters", 4),
        (0.006 * NOISE, "not decided yet", 16),
        (0.006 * NOISE[:7], "not decided yet", 4),
        (0.006 * NOISE[:8], "not decided yet", 8),
        (np.zeros(5), "identical", 4),
        (np.full(4, -0.5), "better", 4),
        (np.full(4, 0.001), "no difference that matters", 4),
    ],
)
def test_outcomes(differences: np.ndarray, outcome: str, replicates: int) -> None:
    found = judge(differences, STATED)
    assert (found.outcome, found.replicates) == (outcome, replicates)
    assert found.decided == (outcome != "not decided yet")
    assert (found.interval is None) == found.difference.constant
    assert (found.further is not None) == (outcome == "not decided yet")


def test_where_more_is_better_the_sign_turns() -> None:
    stated = dataclasses.replace(STATED, lower_is_better=False, metric="probe accuracy", unit="")
    assert judge(0.02 + 0.001 * NOISE, stated).outcome == "better"


def test_an_interim_analysis_sees_only_the_replicates_up_to_it() -> None:
    early = judge(-0.02 + 0.001 * NOISE[:4], STATED)
    late = judge(np.concatenate([-0.02 + 0.001 * NOISE[:4], np.full(12, 0.5)]), STATED)
    assert early == dataclasses.replace(late, later=())
    assert late.later == (0.5,) * 12


@pytest.mark.parametrize(("count", "said"), [(1, "at least 2 replicates"), (2, "first interim analysis"), (3, "first")])
def test_before_the_first_interim_analysis_there_is_no_verdict(count: int, said: str) -> None:
    with pytest.raises(AnalysisError, match=said) as refused:
        judge(NOISE[:count], STATED)
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"statement": " "}, "a statement"),
        ({"horizon": 0}, "at least 1 step"),
        ({"smallest_difference": -0.1}, "0 or more"),
        ({"smallest_difference": float("nan")}, "0 or more"),
        ({"expected": "nicer"}, "nicer"),
    ],
)
def test_hypotheses_that_cannot_be_tested_are_refused(changes: dict, said: str) -> None:
    with pytest.raises(AnalysisError, match=said) as refused:
        dataclasses.replace(STATED, **changes)
    assert refused.value.remedy


def test_the_sentence_says_all_that_a_reader_needs() -> None:
    said = sentence_of(judge(-0.02 + 0.001 * NOISE, STATED))
    for part in (
        '"middle layers can share"',
        "expected better",
        "held-out loss at step 100",
        "below 0.003 nats",
        "Verdict: better, as expected.",
        "99.95 % interval from -0.0",
        "before 8 replicates only what is far beyond doubt",
        "; 4 replicates, horizon 100 steps",
        "horizon 100 steps",
        "batches",
        "dropout masks",
        "continue, layer locked",
        "As chosen minus as proposed",
    ):
        assert part in said, part
    assert sentence_of(judge(0.02 + 0.001 * NOISE, STATED)).count("Verdict: worse, where better was expected.") == 1


@pytest.mark.parametrize(
    ("plan", "came", "words"),
    [
        (GroupSequential(), 16, "not decided"),
        (GroupSequential(), 8, "not decided yet"),
        (GroupSequential(), 12, "not decided yet"),
        (plan_at((4, 8)), 8, "not decided yet"),  # it can be made longer
        (plan_at((4, 8)), 4, "not decided yet"),
    ],
)
def test_what_is_undecided_is_so_yet_as_long_as_more_can_come(plan: Plan, came: int, words: str) -> None:
    found = judge(0.006 * NOISE[:came], dataclasses.replace(STATED, plan=plan))
    assert not found.decided
    assert outcome_in_words(found) == words
    assert f"Verdict: {words}." in sentence_of(found)
    # The correction for other hypotheses may give it back.
    assert outcome_in_words(dataclasses.replace(found, taken_back=True)) == "not decided yet"


def test_the_headline_says_why_its_level_is_not_the_usual_one() -> None:
    said = headline_of(judge(0.02 + 0.001 * NOISE, STATED))
    assert ", 99.95 % interval " in said
    assert said.endswith(
        " 99.95 % rather than 95 %, so that all looks of the plan together err in at most 5.5 % of cases."
    )
    usual = dataclasses.replace(STATED, plan=GroupSequential((4,), (0.05,)))
    assert "rather than 95 %" not in headline_of(judge(0.02 + 0.001 * NOISE, usual))


def test_undecided_says_how_many_more_would_decide() -> None:
    between = judge(-0.003 + 0.004 * FOUR, STATED)
    assert (between.further, between.within_plan, between.as_expected) == (12, True, None)
    assert "12 more replicates would decide." in sentence_of(between)
    over = judge(0.006 * NOISE, STATED)
    assert over.further is not None
    assert not over.within_plan
    assert "more than this plan has" in sentence_of(over)


def test_the_number_of_further_replicates_decides_and_one_fewer_does_not() -> None:
    difference, plan = paired_difference(0.006 * NOISE), GroupSequential()
    further, _ = further_replicates(difference, 0.003, plan)
    assert further is not None
    half = plan.margin(difference.spread, np.array([16 + further - 1, 16 + further]))
    assert classify(difference.value - half, difference.value + half, 0.003).tolist() == [0, 2]
    on_the_edge = paired_difference([-1.0, 1.0, -1.0, 1.0])
    assert further_replicates(on_the_edge, 0.0, plan) == (None, False)


def test_exploratory_comparisons_are_marked_and_need_no_statement() -> None:
    found = judge(-0.02 + 0.001 * NOISE, Hypothesis("", horizon=10, primary=False))
    assert sentence_of(found).startswith("Exploratory")
    assert found.as_expected is None
    assert "expected" not in sentence_of(found)


@pytest.mark.parametrize(("horizon", "warned"), [(3, True), (4, True), (5, False)])
def test_a_horizon_inside_the_reward_window_is_warned_of(horizon: int, warned: bool) -> None:
    found = judge(-0.02 + 0.001 * NOISE, dataclasses.replace(STATED, horizon=horizon))
    assert any("reward window of 4 steps" in line for line in found.warnings) == warned
    assert ("reward window" in sentence_of(found)) == warned


def test_equal_differences_and_a_disagreeing_cross_check_are_warned_of() -> None:
    assert "keys differ" in sentence_of(judge(np.full(4, -0.5), STATED))
    differences = np.array([0.9, 1.0, 1.1, 1.0, 0.9, 1.1])
    found = judge(differences, dataclasses.replace(STATED, plan=GroupSequential((6,), (0.01,))))
    assert found.cross_check is not None
    assert (found.outcome, found.cross_check.p_value) == ("worse", 2 / 2**6)
    assert "cross-check is less sure" in sentence_of(found)


def test_the_open_ended_mode_stops_where_its_sequence_decides() -> None:
    found = judge(-0.006 + 0.002 * NOISE, dataclasses.replace(STATED, plan=OpenEnded()))
    assert found.outcome == "better"
    assert 8 <= found.replicates <= 16
    assert "92 % confidence sequence" in sentence_of(found)
    assert found.p_difference <= 0.055
    early = judge(-0.006 + 0.002 * NOISE[:2], dataclasses.replace(STATED, plan=OpenEnded()))
    assert "still unbounded" in sentence_of(early)


def test_where_the_differences_are_skewed_the_signs_decide_about_the_median() -> None:
    # Their mean is .38 standard deviations above the median, which t would call worse.
    drawn = judge(0.01 * TAIL, dataclasses.replace(STATED, smallest_difference=0.0, plan=OLD))
    found = judge(0.01 * TAIL, dataclasses.replace(STATED, smallest_difference=0.0))
    assert (drawn.by_sign, found.by_sign, found.replicates) == (False, True, 16)
    assert found.outcome == "not decided yet"
    assert found.estimate == pytest.approx(0.0, abs=1e-12)
    assert found.difference.value > 0.0035
    assert found.interval is not None
    assert [found.interval.low, found.interval.high] == [np.sort(0.01 * TAIL)[3], np.sort(0.01 * TAIL)[12]]
    assert found.cross_check is None
    for part in ("in the median", "do not look normal (Shapiro-Francia p = ", "so the sign test decides"):
        assert part in sentence_of(found)
    beside = judge(0.015 + 0.01 * TAIL, STATED)
    assert (beside.outcome, beside.replicates, beside.by_sign) == ("worse", 8, True)
    assert beside.p_difference == pytest.approx(2 / 2**8 * 0.055 / 0.008)
    band = judge(0.0025 * TAIL[np.abs(TAIL) < 1][:8], STATED)
    assert (band.outcome, band.replicates) == ("no difference that matters", 8)


def test_a_study_of_the_old_rule_is_judged_as_ever() -> None:
    found = judge(-0.02 + 0.001 * NOISE, dataclasses.replace(STATED, plan=OLD))
    assert found.interval is not None
    assert (found.replicates, found.interval.level, found.by_sign) == (4, 0.99, False)
    expected = paired_difference(-0.02 + 0.001 * NOISE[:4]).interval(0.01)
    assert expected is not None
    assert float(found.interval.low) == pytest.approx(float(expected.low))
    assert found.p_difference == pytest.approx(found.difference.p_value() * 0.055 / 0.01)
    skewed = judge(0.01 * TAIL, dataclasses.replace(STATED, plan=OLD))
    assert skewed.cross_check is not None
    assert "look" not in sentence_of(skewed)


def test_few_replicates_decide_only_what_is_far_beyond_doubt() -> None:
    # Three times the margin of the old rule is not enough at 4, and plainly enough at 8.
    differences = -0.02 + 0.004 * NOISE[:8]
    assert judge(differences, dataclasses.replace(STATED, plan=OLD)).replicates == 4
    assert judge(differences[:4], STATED).outcome == "not decided yet"
    assert judge(differences, STATED).outcome == "better"


def test_holm_takes_back_what_does_not_survive_it() -> None:
    weak = judge(-0.0033 + 0.0053 * NOISE, dataclasses.replace(STATED, smallest_difference=0.0005))
    strong, open_ = judge(-0.02 + 0.001 * NOISE, STATED), judge(0.006 * NOISE, STATED)
    aside = judge(-0.02 + 0.001 * NOISE, dataclasses.replace(STATED, primary=False))
    assert weak.outcome == "better"
    assert 0.0183 < weak.p_difference <= 0.055
    assert correct([weak])[0].outcome == "better"
    found = correct([weak, strong, open_, open_, aside])
    assert [verdict.outcome for verdict in found] == [
        "not decided yet",
        "better",
        "not decided yet",
        "not decided yet",
        "better",
    ]
    assert [verdict.family for verdict in found] == [4, 4, 4, 4, 1]
    assert [verdict.taken_back for verdict in found] == [True, False, False, False, False]
    assert "taken back by the correction for 4 hypotheses in this run (Holm, family error 0.055)" in sentence_of(
        found[0]
    )
    assert "its plan has no analysis left" in sentence_of(found[0])
    assert "Corrected for 4 hypotheses" in sentence_of(found[1])
    assert found[4] == aside
    assert correct([aside]) == (aside,)


def test_what_holm_takes_back_has_its_later_analyses_left() -> None:
    stated = dataclasses.replace(STATED, smallest_difference=0.0)
    every = -0.006 + 0.0045 * NOISE
    early = judge(every[:8], stated)
    assert (early.outcome, early.replicates) == ("better", 8)
    (taken, *_) = correct([early], still_open=9)
    assert (taken.outcome, taken.taken_back, taken.analyses_left) == ("not decided yet", True, (16,))
    assert "analyses at 16 are to come: go on with the study" in sentence_of(taken)
    # The replicates that come then count, at the level that is left.
    (later, *_) = correct([judge(every, stated)], still_open=9)
    assert (later.outcome, later.replicates, later.taken_back) == ("better", 16, False)
    assert 10 * later.p_difference <= 0.055
    alone = judge(every, stated)
    assert (alone.replicates, correct([alone])[0].replicates) == (8, 8)


@settings(max_examples=150, deadline=None)
@given(
    mean=st.floats(-0.02, 0.02),
    spread=st.floats(1e-6, 0.02),
    count=st.integers(4, 16),
    open_ended=st.booleans(),
    seed=st.integers(0, 50),
)
def test_p_values_outcome_and_interval_tell_one_story(
    mean: float, spread: float, count: int, open_ended: bool, seed: int
) -> None:
    plan = OpenEnded() if open_ended else GroupSequential()
    found = judge(
        mean + spread * np.random.default_rng(seed).standard_normal(count), dataclasses.replace(STATED, plan=plan)
    )
    assert found.outcome in OUTCOMES
    assert found.interval is not None
    low, high = float(found.interval.low), float(found.interval.high)
    assert (found.outcome == "no difference that matters") == (-0.003 < low <= high < 0.003)
    assert (found.outcome == "better") == (high < 0 and low <= -0.003)
    assert (found.outcome == "worse") == (low > 0 and high >= 0.003)
    if found.outcome in ("better", "worse"):
        assert found.p_difference <= plan.total + 1e-9
    assert (found.p_equivalence <= plan.total + 1e-9) == (found.outcome == "no difference that matters")
    assert correct([found])[0].outcome == found.outcome
