"""What one interim analysis sees: which interval it goes by, and what speaks against either hypothesis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis.statistics.normality import shapiro_francia
from .interim import NORMAL_FROM, SHAPE_FROM, Plan


@dataclass(frozen=True)
class Look:
    """What an interim analysis sees of the differences up to it; arrays (...) for as many samples.

    Args:
        by_t: Whether it goes by Student's t; else by the sign test.
        value: The estimate: their mean with t, else their median.
        low: Lower end of the interval at the plan's level, minus infinity where there is none.
        high: Upper end.
        p_difference: Against no difference, scaled to the plan (`Plan.p_value`).
        p_equivalence: Against a difference that matters, scaled to the plan (two one-sided tests, doubled, for the band
            is held against the whole interval).
        normality: p-value of the Shapiro-Francia test; 1 where the shape is not asked for.
    """

    by_t: NDArray[np.bool_]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p_difference: NDArray[np.float64]
    p_equivalence: NDArray[np.float64]
    normality: NDArray[np.float64]


def look(differences: ArrayLike, plan: Plan, smallest_difference: float) -> Look:
    """An interim analysis of differences that are not all the same number.

    Args:
        differences: (..., R) finite numbers, R >= 2.
        plan: Of which this is one of the analyses.
        smallest_difference: Half the width of the band, 0 for none.
    """
    found = np.sort(np.asarray(differences, dtype=np.float64), axis=-1)
    count = found.shape[-1]
    mean, spread = found.mean(axis=-1), found.std(axis=-1, ddof=1)
    half, error = plan.margin(spread, count), spread / np.sqrt(count)
    with np.errstate(divide="ignore", invalid="ignore"):
        differs = plan.p_value(np.abs(mean) / error, count)
        same = plan.p_value((smallest_difference - np.abs(mean)) / error, count)
    if plan.rule == "t" or count < SHAPE_FROM:
        everywhere = np.ones(mean.shape)
        return Look(everywhere > 0, mean, mean - half, mean + half, differs, same, everywhere)
    normality, rank = shapiro_francia(found), int(plan.sign_rank(count))
    by_t, nowhere = normality >= NORMAL_FROM, np.full(mean.shape, np.inf)
    ends = (found[..., rank], found[..., count - 1 - rank]) if rank >= 0 else (-nowhere, nowhere)
    beside = np.minimum((found <= 0).sum(axis=-1), (found >= 0).sum(axis=-1))
    outside = np.maximum((found <= -smallest_difference).sum(axis=-1), (found >= smallest_difference).sum(axis=-1))
    return Look(
        by_t,
        np.where(by_t, mean, np.median(found, axis=-1)),
        np.where(by_t, mean - half, ends[0]),
        np.where(by_t, mean + half, ends[1]),
        np.where(by_t, differs, plan.sign_p_value(beside, count)),
        np.where(by_t, same, plan.sign_p_value(outside, count)),
        normality,
    )
