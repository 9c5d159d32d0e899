from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from layertie_lab.core.errors import AnalysisError
from layertie_lab.counterfactual.forecast import forecast
from layertie_lab.counterfactual.interim import GroupSequential, OpenEnded
from layertie_lab.counterfactual.power import chances, detectable, spread_interval
from layertie_lab.counterfactual.verdict import Hypothesis, judge


@pytest.mark.parametrize(("replicates", "effect"), [(4, 1.0), (8, 0.5), (8, 1.0), (16, 0.7)])
def test_one_analysis_has_the_power_of_the_noncentral_t(replicates: int, effect: float) -> None:
    found = chances(2 * effect, 2.0, GroupSequential((replicates,), (0.05,), rule="t"), 0.0)
    bound, noncentral = stats.t.ppf(0.975, replicates - 1), replicates**0.5 * effect
    assert found.right == pytest.approx(stats.nct.sf(bound, replicates - 1, noncentral), abs=0.011)
    assert found.replicates == replicates


@pytest.mark.parametrize("difference", [0.0, 0.002, 0.005])
def test_chances_are_what_judge_then_says(difference: float) -> None:
    draws = np.random.default_rng(11).standard_normal((600, 16))
    stated = Hypothesis("simulated", horizon=100)
    found = [judge(difference + 0.003 * row, stated) for row in draws]
    expected = chances(difference, 0.003, stated.plan, stated.smallest_difference)
    for outcome, share in (("worse", expected.right), ("no difference that matters", expected.equivalent)):
        assert np.mean([verdict.outcome == outcome for verdict in found]) == pytest.approx(share, abs=0.062)
    assert expected.decided == expected.right + expected.wrong + expected.equivalent


def test_the_detectable_difference_is_detected_with_the_power_asked_for() -> None:
    plan = GroupSequential()
    found = detectable(0.003, plan)
    assert chances(found, 0.003, plan, 0.0).right == pytest.approx(0.8, abs=0.002)
    assert detectable(0.006, plan) == pytest.approx(2 * found, rel=0.01)
    assert detectable(0.003, plan, replicates=8) > found
    assert detectable(0.003, plan, power=0.95) > found
    assert detectable(0.003, OpenEnded(), replicates=16) > found


def test_the_spreads_interval_covers() -> None:
    unit = spread_interval(1.0, 4)
    spreads = np.random.default_rng(0).standard_normal((20_000, 4)).std(axis=1, ddof=1)
    assert ((spreads * unit.low <= 1) & (spreads * unit.high >= 1)).mean() == pytest.approx(0.95, abs=0.006)
    assert unit.high / unit.low == pytest.approx(6.58, abs=0.01)


def test_the_forecast_says_difference_chance_and_time() -> None:
    found = forecast(0.003, 4, GroupSequential(), 0.003, 2.0, difference=0.005)
    assert float(found.detectable.low) < float(found.detectable.value) < float(found.detectable.high)
    assert (found.replicates, found.seconds) == (16, 32.0)
    assert found.seconds_expected == pytest.approx(2 * found.chances.replicates)
    least, most = sorted(end.decided for end in found.chances_between)
    assert least <= found.chances.decided <= most
    for part in ("With 16 replicates", "probability 0.8", "pilot of 4", "0.005 nats", "about 32 s"):
        assert part in found.sentence
    shorter = forecast(0.003, 4, GroupSequential(), 0.003, 2.0, replicates=9)
    assert (shorter.replicates, shorter.difference) == (8, 0.003)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: spread_interval(0.0, 4), "replicates that differ"),
        (lambda: spread_interval(1.0, 1), "at least 2"),
        (lambda: detectable(1.0, GroupSequential(), power=1.0), "power between"),
        (lambda: detectable(1.0, GroupSequential(), replicates=3), "first interim analysis"),
        (lambda: detectable(1.0, OpenEnded(), replicates=2), "unbounded"),
        (lambda: chances(1.0, 0.0, GroupSequential(), 0.0), "replicates that differ"),
        (lambda: forecast(1.0, 4, GroupSequential(), 0.1, 0.0), "seconds per pair"),
    ],
)
def test_refusals_name_a_remedy(call, said: str) -> None:
    with pytest.raises(AnalysisError, match=said) as refused:
        call()
    assert refused.value.remedy
