from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from layertie_lab.analysis.statistics.intervals import Estimate, jackknife_interval, mean_interval, paired_interval
from layertie_lab.core.errors import AnalysisError


@pytest.fixture
def samples() -> np.ndarray:
    return np.random.default_rng(0).normal(3.0, 2.0, size=(9, 2))


def test_mean_interval_is_students(samples: np.ndarray) -> None:
    found = mean_interval(samples, level=0.9)
    expected = stats.ttest_1samp(samples, 0.0).confidence_interval(0.9)
    np.testing.assert_allclose(found.value, samples.mean(0))
    np.testing.assert_allclose([found.low, found.high], [expected.low, expected.high])
    assert (found.count, found.level) == (9, 0.9)


def test_paired_interval_is_that_of_the_differences(samples: np.ndarray) -> None:
    found = paired_interval(samples[:, 0], samples[:, 1])
    expected = stats.ttest_rel(samples[:, 0], samples[:, 1]).confidence_interval()
    np.testing.assert_allclose([found.low, found.high], [expected.low, expected.high])


def test_jackknife_of_a_mean_is_students_interval(samples: np.ndarray) -> None:
    left_out = np.stack([np.delete(samples, unit, axis=0).mean(0) for unit in range(len(samples))])
    found, expected = jackknife_interval(samples.mean(0), left_out), mean_interval(samples)
    np.testing.assert_allclose(found.low, expected.low)
    np.testing.assert_allclose(found.high, expected.high)
    cut = jackknife_interval(samples.mean(0), left_out, bounds=(2.9, 3.1))
    assert (cut.low >= 2.9).all()
    assert (cut.high <= 3.1).all()


def test_jackknife_covers_a_ratio_where_the_percentile_bootstrap_does_not() -> None:
    """The reason for the choice, at the size of a small probe set: a ratio of sums over 5 units, true value 1."""
    generator = np.random.default_rng(0)
    inside, inside_bootstrap = [], []
    for _ in range(400):
        top, bottom = generator.gamma(4.0, size=(2, 5))
        value = top.sum() / bottom.sum()
        found = jackknife_interval(value, (top.sum() - top) / (bottom.sum() - bottom))
        inside.append(found.low <= 1.0 <= found.high)
        drawn = generator.integers(5, size=(400, 5))
        low, high = np.quantile(top[drawn].sum(1) / bottom[drawn].sum(1), [0.025, 0.975])
        inside_bootstrap.append(low <= 1.0 <= high)
    assert np.mean(inside) > 0.9
    assert np.mean(inside_bootstrap) < 0.88


def test_what_is_computed_has_no_spread() -> None:
    found = Estimate.exact([[1.0, 0.5]])
    assert found.count == 0
    np.testing.assert_array_equal(found.low, found.high)


@pytest.mark.parametrize("bad", [1.0, [1.0], [1.0, np.nan], [1.0, np.inf]])
def test_no_estimate_without_an_interval(bad: object) -> None:
    with pytest.raises(AnalysisError, match="Expected"):
        mean_interval(bad)


def test_pairs_must_match() -> None:
    with pytest.raises(AnalysisError, match="3 and 2"):
        paired_interval([1.0, 2.0, 3.0], [1.0, 2.0])
