from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy import integrate, stats

from layertie_lab.core.errors import ConfigError
from layertie_lab.counterfactual.interim import GroupSequential, OpenEnded, plan_at, plan_from


def at(draws: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    means = draws.cumsum(axis=1)[:, counts - 1] / counts
    squares = np.square(draws).cumsum(axis=1)[:, counts - 1]
    return means, np.sqrt((squares - counts * means**2) / (counts - 1))


def test_the_default_plan() -> None:
    plan = GroupSequential()
    assert (plan.first, plan.last, plan.total) == (4, 16, pytest.approx(0.055))
    assert [plan.reached(count) for count in (3, 4, 7, 16, 40)] == [(), (4,), (4,), (4, 8, 16), (4, 8, 16)]
    assert plan.alpha_at([4, 8, 16]).tolist() == [0.01, 0.015, 0.03]
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


@pytest.mark.parametrize("plan", [GroupSequential((5, 9), (0.02, 0.03)), OpenEnded(0.1, at_most=20)])
def test_plans_come_back_from_json(plan: GroupSequential | OpenEnded) -> None:
    assert plan_from(json.loads(json.dumps(dataclasses.asdict(plan)))) == plan


def test_a_plan_by_its_analyses() -> None:
    assert plan_at() == plan_at((4, 8, 16)) == GroupSequential()
    assert plan_at((4, 8)) == GroupSequential((4, 8), (0.025, 0.025))
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


@pytest.mark.parametrize("plan", [GroupSequential(), OpenEnded()])
@pytest.mark.parametrize("count", [4, 8, 16])
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
    found = 1 / float(OpenEnded(effect_variance=variance).p_value(statistic, count))
    assert found == pytest.approx(max(1.0, expected), rel=1e-3)


def test_the_sequence_is_unbounded_at_first_and_wider_than_a_single_interval() -> None:
    plan, counts = OpenEnded(), np.array([2, 3, 4, 8, 16, 64])
    margins = plan.margin(1.0, counts)
    assert np.isinf(margins[0])
    assert (np.diff(margins[1:]) < 0).all()
    assert (margins > GroupSequential((2,), (0.05,)).margin(1.0, counts)).all()
    assert [plan.reached(1), plan.reached(4)] == [(), (2, 3, 4)]
    assert plan.reached(65) == plan.reached(64)


def test_errors_of_plan_peeking_and_sequence_over_null_paths() -> None:
    """A reduced data/verdicts/simulate.py: 6,000 paths, three standard errors of slack."""
    draws = np.random.default_rng(7).standard_normal((6_000, 64))
    looks, every = np.array(GroupSequential().replicates), np.arange(4, 17)
    means, spreads = at(draws, looks)
    plan = (np.abs(means) > GroupSequential().margin(spreads, looks)).any(axis=1).mean()
    means, spreads = at(draws, every)
    peeking = (np.abs(means) > GroupSequential((2,), (0.05,)).margin(spreads, every)).any(axis=1).mean()
    always = np.arange(2, 65)
    means, spreads = at(draws, always)
    sequence = (np.abs(means) > OpenEnded().margin(spreads, always)).any(axis=1).mean()
    assert 0.04 < plan <= 0.055 + 3 * 0.003
    assert peeking > 0.12
    assert 0.015 < sequence <= 0.05


@pytest.mark.parametrize("count", [4, 7, 10])
def test_the_interval_covers(count: int) -> None:
    draws = np.random.default_rng(count).standard_normal((20_000, count))
    means, spreads = at(draws, np.array([count]))
    covered = (np.abs(means) <= GroupSequential((2,), (0.05,)).margin(spreads, count)).mean()
    assert 0.94 <= covered <= 0.96
