"""Whether a few numbers look as if drawn from a normal distribution."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ...core.errors import AnalysisError

LEAST = 5
"""Numbers below which the test's p-value is not known."""


def shapiro_francia(samples: ArrayLike) -> NDArray[np.float64]:
    """(...) p-value of the Shapiro-Francia test of normality, for many samples at once.

    W' is the squared correlation of the ordered sample with the normal scores at `(i - 3/8) / (n + 1/4)` (Shapiro and
    Francia 1972, "An approximate analysis of variance test for normality"); `log(1 - W')` is about normal, with mean
    and standard deviation by n from Royston (1993), "A toolkit for testing for non-normality in complete and censored
    samples". It sees skewness and heavy tails alike. scipy's `shapiro` goes through samples one by one.

    Args:
        samples: (..., n) finite numbers, n from 5 to 5,000. A sample without spread has p = 0.

    Raises:
        AnalysisError: Fewer than 5 numbers.
    """
    ordered = np.sort(np.asarray(samples, dtype=np.float64), axis=-1)
    count = ordered.shape[-1]
    if count < LEAST:
        raise AnalysisError(
            f"Expected at least {LEAST} numbers for a test of normality, but got {count}.", "Wait for more replicates."
        )
    ordered = ordered - ordered.mean(axis=-1, keepdims=True)
    scores, total = _scores(count), np.square(ordered).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where(total > 0, np.square(ordered @ scores) / total, 0.0)
    log = np.log(count)
    center = -1.2725 + 1.0521 * (np.log(log) - log)
    spread = 1.0308 - 0.26758 * (np.log(log) + 2 / log)
    # W' is 1 for perfect scores, up to rounding.
    left = np.log(np.maximum(1 - correlation, np.finfo(np.float64).tiny))
    return np.where(total > 0, stats.norm.sf((left - center) / spread), 0.0)


@lru_cache(maxsize=128)
def _scores(count: int) -> NDArray[np.float64]:
    """(n,) normal scores of length 1."""
    scores = stats.norm.ppf((np.arange(1, count + 1) - 0.375) / (count + 0.25))
    scores /= np.sqrt(np.square(scores).sum())
    scores.flags.writeable = False
    return scores
