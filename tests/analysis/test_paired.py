from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from layertie_lab.analysis.statistics.paired import EXACT_UP_TO, group_difference, holm, paired_difference, sign_flip
from layertie_lab.core.errors import AnalysisError

DRAWS = np.random.default_rng(0).normal(0.4, 1.0, 24)


@pytest.mark.parametrize(("replicates", "alpha"), [(2, 0.05), (4, 0.01), (8, 0.015), (16, 0.03)])
def test_the_interval_is_students(replicates: int, alpha: float) -> None:
    found, reference = paired_difference(DRAWS[:replicates]), stats.ttest_1samp(DRAWS[:replicates], 0.0)
    interval, expected = found.interval(alpha), reference.confidence_interval(1 - alpha)
    assert interval is not None
    np.testing.assert_allclose([interval.low, interval.high], [expected.low, expected.high])
    assert (interval.count, interval.level, found.replicates) == (replicates, 1 - alpha, replicates)
    assert found.p_value() == pytest.approx(reference.pvalue)
    assert found.error == pytest.approx(found.spread / replicates**0.5)


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ([0.1], "at least 2 replicates, but got 1"),
        ([], "but got 0"),
        ([[0.1, 0.2]], "shape (1, 2)"),
        ([0.1, np.nan, np.inf], "2 of 3 are not"),
    ],
)
def test_refusals_name_a_remedy(differences: list, said: str) -> None:
    with pytest.raises(AnalysisError) as refused:
        paired_difference(differences)
    assert said in refused.value.message
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("value", "identical", "p_value"), [(0.0, True, 1.0), (-0.0, True, 1.0), (0.1, False, 0.0), (1 / 3, False, 0.0)]
)
def test_no_spread_is_exact_and_has_no_interval(value: float, identical: bool, p_value: float) -> None:
    found = paired_difference([value] * 7)
    assert (found.value, found.spread, found.constant, found.identical) == (value, 0.0, True, identical)
    assert found.interval(0.05) is None
    assert found.p_value() == p_value


@pytest.mark.parametrize("replicates", [6, 9, 13])
def test_sign_flips_agree_with_scipys_permutation_test(replicates: int) -> None:
    differences = DRAWS[:replicates]
    found = sign_flip(differences)
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", vectorized=True, n_resamples=2**replicates
    )
    assert found is not None
    assert (found.exact, found.flips) == (True, 2**replicates)
    assert found.p_value == pytest.approx(expected.pvalue)


def test_sign_flips_below_six_are_refused_and_beyond_the_limit_are_drawn() -> None:
    assert sign_flip(DRAWS[:5]) is None
    most, drawn = sign_flip(DRAWS[:EXACT_UP_TO]), sign_flip(DRAWS, seed=3)
    assert most is not None
    assert drawn is not None
    assert (most.exact, drawn.exact) == (True, False)
    assert drawn == sign_flip(DRAWS, seed=3)
    assert drawn.p_value == pytest.approx(paired_difference(DRAWS).p_value(), abs=0.02)


def test_the_extremest_sign_flip_is_two_in_two_to_the_r() -> None:
    """Equal numbers in another order of summation must count as equal."""
    extreme, none = sign_flip([0.7, 0.6, 0.2, 0.2, 0.6, 1.0, 0.3]), sign_flip([0.0] * 8)
    assert extreme is not None
    assert none is not None
    assert extreme.p_value == 2 / 2**7
    assert none.p_value == 1.0


def test_groups_without_matching_seeds_get_welchs_interval() -> None:
    first, second = DRAWS[:5], 3 * DRAWS[5:14] + 1
    found, expected = group_difference(first, second), stats.ttest_ind(first, second, equal_var=False)
    interval = found.interval(0.02)
    assert interval is not None
    np.testing.assert_allclose(found.value / found.error, expected.statistic)
    np.testing.assert_allclose([interval.low, interval.high], expected.confidence_interval(0.98))
    assert interval.count == 14
    assert float(interval.low) < found.value < float(interval.high)


def test_groups_without_spread_have_no_interval_and_one_run_is_refused() -> None:
    same, apart = group_difference([2, 2], [2, 2, 2]), group_difference([2, 2], [3, 3])
    assert (same.identical, apart.identical, apart.constant, apart.value) == (True, False, True, -1.0)
    assert apart.interval(0.05) is None
    assert group_difference([2, 2], [3, 4]).interval(0.05) is not None
    with pytest.raises(AnalysisError, match="at least 2"):
        group_difference([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01], [0.01]),
        ([], []),
        # Holm (1979): .01 x 4, .03 x 2 after .02 x 3, capped by order.
        ([0.03, 0.01, 0.02, 0.9], [0.06, 0.04, 0.06, 0.9]),
        ([0.5, 0.5, 0.5], [1.0, 1.0, 1.0]),
        ([0.02, 0.019], [0.038, 0.038]),
    ],
)
def test_holm(p_values: list[float], adjusted: list[float]) -> None:
    np.testing.assert_allclose(holm(p_values), adjusted)


def test_holm_refuses_what_is_no_probability() -> None:
    with pytest.raises(AnalysisError, match="between 0 and 1"):
        holm([0.5, 1.5])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_uncorrected_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    found, given_ = holm(p_values), np.array(p_values)
    assert (found >= given_).all()
    assert (found <= np.minimum(1, len(p_values) * given_) + 1e-12).all()
    assert (np.diff(found[np.argsort(given_, kind="stable")]) >= 0).all()


def test_drawn_sign_flips_count_the_observed_in() -> None:
    """No draw of 20,000 reaches 40 equal signs, and yet p is not 0 (Phipson and Smyth 2010)."""
    found = sign_flip(1 + 0.01 * np.arange(40))
    assert found is not None
    assert found.p_value == 1 / (found.flips + 1)
