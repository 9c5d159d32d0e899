"""The median of a few numbers by their signs alone: exact for every continuous distribution, however skewed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import betaln


def sign_p_value(fewer: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
    """(...) two-sided p-value of the sign test that the median is 0: `min(1, 2 P(B <= fewer))`, B binomial(n, 1/2).

    Source: Conover (1999), "Practical nonparametric statistics", section 3.4. It assumes no symmetry, as sign flips do.

    Args:
        fewer: (...) numbers on the rarer side of 0; one that is 0 counts to it.
        count: (...) n.
    """
    return np.minimum(1.0, 2 * stats.binom.cdf(fewer, count, 0.5))


def sign_rank(count: ArrayLike, alpha: ArrayLike) -> NDArray[np.int64]:
    """(...) how many of the ordered numbers an interval for the median leaves out at each end; -1 where there is none.

    From the (k + 1)-th smallest number to the (k + 1)-th largest it covers the median with at least 1 - alpha: k is the
    largest with `sign_p_value(k, n) <= alpha`. scipy's `quantile_test` gives the same interval, one sample at a time.

    Args:
        count: (...) n.
        alpha: (...) 1 - level.
    """
    count, half = np.asarray(count), np.asarray(alpha, dtype=np.float64) / 2
    found = stats.binom.ppf(half, count, 0.5).astype(np.int64)  # the first whose tail reaches half
    return np.where(stats.binom.cdf(found, count, 0.5) <= half, found, found - 1)


def sign_martingale(fewer: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
    """(...) log of the test martingale that the median is 0, in the signs seen so far.

    The mixture of binomial likelihoods over Jeffreys' prior Beta(1/2, 1/2) against the one of 1/2,
    `2^n B(k + 1/2, n - k + 1/2) / B(1/2, 1/2)`: by Ville's inequality it ever reaches 1 / alpha with probability at
    most alpha. After Robbins (1970), "Statistical methods related to the law of the iterated logarithm"; as confidence
    sequences of a quantile in Howard and Ramdas (2022), "Sequential estimation of quantiles", Bernoulli 28.

    Args:
        fewer: (...) numbers on the rarer side of 0, k; at n / 2 and beyond it is at its least.
        count: (...) n.
    """
    count = np.asarray(count, dtype=np.float64)
    below = np.minimum(np.asarray(fewer, dtype=np.float64), count / 2)
    return count * np.log(2) + betaln(below + 0.5, count - below + 0.5) - betaln(0.5, 0.5)
