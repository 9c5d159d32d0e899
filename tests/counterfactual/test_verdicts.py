from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layertie_lab.analysis.statistics.paired import paired_difference
from layertie_lab.core.errors import AnalysisError
from layertie_lab.counterfactual.interim import GroupSequential, OpenEnded
from layertie_lab.counterfactual.verdict import OUTCOMES, Hypothesis, classify, correct, further_replicates, judge
from layertie_lab.counterfactual.wording import sentence_of

STATED = Hypothesis("middle layers can share", horizon=100, steps_per_decision=4)
NOISE = np.random.default_rng(3).standard_normal(16)
NOISE = (NOISE - NOISE.mean()) / NOISE.std(ddof=1)

FOUR = 0.75**0.5 * np.array([-1.0, 1.0, -1.0, 1.0])
"""Mean 0 and standard deviation 1, as `NOISE`."""


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
    assert early == late


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
        "99 % interval from -0.0",
        "R = 4",
        "horizon 100 steps",
        "batches",
        "dropout masks",
        "continue, layer locked",
        "As chosen minus as proposed",
    ):
        assert part in said, part
    assert sentence_of(judge(0.02 + 0.001 * NOISE, STATED)).count("Verdict: worse, where better was expected.") == 1


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
    ends = np.array([16 + further - 1, 16 + further])
    assert classify(difference.value, plan.margin(difference.spread, ends), 0.003).tolist() == [0, 2]
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
    assert (found.outcome, found.cross_check.p_value) == ("worse", 2 / 2**6)
    assert "cross-check is less sure" in sentence_of(found)


def test_the_open_ended_mode_stops_where_its_sequence_decides() -> None:
    found = judge(-0.006 + 0.002 * NOISE, dataclasses.replace(STATED, plan=OpenEnded()))
    assert found.outcome == "better"
    assert 4 <= found.replicates <= 16
    assert "95 % confidence sequence" in sentence_of(found)
    assert found.p_difference <= 0.05
    early = judge(-0.006 + 0.002 * NOISE[:2], dataclasses.replace(STATED, plan=OpenEnded()))
    assert "still unbounded" in sentence_of(early)


def test_holm_takes_back_what_does_not_survive_it() -> None:
    weak = judge(-0.003 + 0.0045 * NOISE, dataclasses.replace(STATED, smallest_difference=0.0005))
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
    assert "Corrected for 4 hypotheses in this run (Holm)." in sentence_of(found[0])
    assert found[4] == aside
    assert correct([aside]) == (aside,)


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
