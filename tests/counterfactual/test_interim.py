from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy import integrate, stats

from layertie_lab.core.errors import ConfigError
from layertie_lab.counterfactual.interim import GroupSequential, OpenEnded, Rule, plan_at, plan_from, plan_values


def at(draws: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    means = draws.cumsum(axis=1)[:, counts - 1] / counts
    squares = np.square(draws).cumsum(axis=1)[:, counts - 1]
    return means, np.sqrt((squares - counts * means**2) / (counts - 1))


def test_the_default_plan() -> None:
    plan = GroupSequential()
    assert (plan.first, plan.last, plan.total) == (4, 16, pytest.approx(0.055))
    assert [plan.reached(count) for count in (3, 4, 7, 16, 40)] == [(), (4,), (4,), (4, 8, 16), (4, 8, 16)]
    assert plan.alpha_at([4, 8, 16]).tolist() == [0.0005, 0.008, 0.036]
    assert GroupSequential((4, 8), (0.02, 0.03), rule="t").total == pytest.approx(0.05)
    assert (OpenEnded().total, OpenEnded(0.05, rule="t").total) == (pytest.approx(0.055), 0.05)
    assert plan.ahead(8)[:3].tolist() == [16, 17, 18]


@pytest.mark.parametrize(
    ("replicates", "alphas", "said"),
    [
        ((), (), "one alpha per interim analysis"),
        ((4, 8), (0.05,), "2 analyses and 1 alphas"),
        ((1, 8), (0.01, 0.04), "the first at least 2"),
        ((8, 4), (0.01, 0.04), "rising"),
        ((4, 4), (0.01, 0.04), "rising"),
        ((4,), (0.0,), "above 0"),
        ((4, 8), (0.3, 0.3), "at most .5"),
    ],
)
def test_plans_that_cannot_be_kept_are_refused(replicates: tuple, alphas: tuple, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        GroupSequential(replicates, alphas)
    assert refused.value.remedy


@pytest.mark.parametrize("field", [{"alpha": 0.0}, {"effect_variance": 0.0}, {"at_most": 1}])
def test_open_ended_settings_are_checked(field: dict) -> None:
    with pytest.raises(ConfigError, match="at most"):
        OpenEnded(**field)


@pytest.mark.parametrize("rule", ["t", "t-or-sign"])
@pytest.mark.parametrize("plan", [GroupSequential((5, 9), (0.02, 0.03)), OpenEnded(0.1, at_most=20)])
def test_plans_come_back_from_json(plan: GroupSequential | OpenEnded, rule: Rule) -> None:
    plan = dataclasses.replace(plan, rule=rule)
    values = json.loads(json.dumps(plan_values(plan)))
    assert plan_from(values) == plan
    # What names no rule was written when there was one only.
    assert ("rule" in values) == (rule != "t")


def test_a_rule_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="newer version"):
        plan_from({"replicates": [4], "alphas": [0.05], "rule": "bootstrap"})


def test_a_plan_by_its_analyses() -> None:
    assert plan_at() == plan_at((4, 8, 16)) == GroupSequential()
    assert plan_at((4, 8)) == GroupSequential((4, 8), (0.0005, 0.036))
    assert plan_at((8, 16, 32)).alphas == pytest.approx((0.0445 / 3,) * 3)
    assert plan_at((2, 3)).alphas == (0.0005, 0.0005)
    assert plan_at((4, 8), open_ended=True) == OpenEnded()
    for wrong in ((), (1, 8), (8, 4)):
        with pytest.raises(ConfigError, match="Expected"):
            plan_at(wrong)


def test_what_is_no_plan_is_refused() -> None:
    with pytest.raises(ConfigError, match="settings of a plan"):
        plan_from({"alphas": [0.05]})


def test_an_analysis_margin_is_students() -> None:
    plan = GroupSequential()
    expected = [2.0 * stats.t.ppf(1 - a / 2, n - 1) / n**0.5 for n, a in zip(plan.replicates, plan.alphas, strict=True)]
    np.testing.assert_allclose(plan.margin(2.0, np.array(plan.replicates)), expected)


@pytest.mark.parametrize("plan", [GroupSequential(), OpenEnded(), GroupSequential(rule="t"), OpenEnded(0.05, rule="t")])
@pytest.mark.parametrize("count", [8, 16])
def test_the_p_value_is_the_total_where_the_interval_touches(plan: GroupSequential | OpenEnded, count: int) -> None:
    statistic = plan.margin(1.0, count) * count**0.5
    assert float(plan.p_value(statistic, count)) == pytest.approx(plan.total)
    assert float(plan.p_value(-5.0, count)) == 1.0


@pytest.mark.parametrize(("count", "statistic", "variance"), [(3, 2.0, 8.0), (8, 3.1, 8.0), (20, 1.2, 0.5)])
def test_the_martingale_is_the_mixture_of_noncentral_over_central_t(
    count: int, statistic: float, variance: float
) -> None:
    """The right Haar mixture over the s.d. reduces the data to t: E_n is the mean of a ratio of t densities."""
    degrees = count - 1

    def weighed(effect: float) -> float:
        density = stats.nct.pdf(statistic, degrees, effect * count**0.5)
        return float(density * stats.norm.pdf(effect, scale=variance**0.5))

    mixed = integrate.quad(weighed, -8, 8, points=[0, statistic / count**0.5], limit=200)[0]
    expected = mixed / stats.t.pdf(statistic, degrees)
    found = 1 / float(OpenEnded(effect_variance=variance, rule="t").p_value(statistic, count))
    assert found == pytest.approx(max(1.0, expected), rel=1e-3)


@pytest.mark.parametrize("plan", [GroupSequential(), OpenEnded()])
@pytest.mark.parametrize("count", [8, 11, 16, 64])
def test_the_signs_interval_and_their_p_value_tell_one_story(plan: GroupSequential | OpenEnded, count: int) -> None:
    rank = int(plan.sign_rank(count))
    assert rank >= 0
    p_values = plan.sign_p_value(np.arange(count + 1), count)
    assert ((p_values <= plan.total) == (np.arange(count + 1) <= rank)).all()
    assert p_values[(count + 1) // 2] == 1.0
    assert plan.sign_rank(np.array([7, count])).tolist() == [-1, rank]


def test_the_sequence_is_unbounded_at_first_and_wider_than_a_single_interval() -> None:
    assert np.isinf(OpenEnded().margin(1.0, np.arange(2, 8))).all()
    plan, counts = OpenEnded(0.05, rule="t"), np.array([2, 3, 4, 8, 16, 64])
    margins = plan.margin(1.0, counts)
    assert np.isinf(margins[0])
    assert (np.diff(margins[1:]) < 0).all()
    assert (margins > GroupSequential((2,), (0.05,)).margin(1.0, counts)).all()
    assert [plan.reached(1), plan.reached(4)] == [(), (2, 3, 4)]
    assert plan.reached(65) == plan.reached(64)


@pytest.mark.parametrize("count", [4, 7, 10])
def test_the_interval_covers(count: int) -> None:
    draws = np.random.default_rng(count).standard_normal((20_000, count))
    means, spreads = at(draws, np.array([count]))
    covered = (np.abs(means) <= GroupSequential((2,), (0.05,)).margin(spreads, count)).mean()
    assert 0.94 <= covered <= 0.96
