"""Many runs as a few numbers, each with its interval: what a sweep says about policies.

The aggregates are those of Agarwal et al. (2021, "Deep reinforcement learning at the edge of the statistical
precipice", arXiv 2108.13264): interquartile mean, performance profile, probability of improvement, with stratified
bootstrap intervals. A stratum is one setting (the paper's task), its units are runs with different seeds.

Bootstrap intervals from few runs are too narrow. Measured on normal draws, 4,000 sets each, 2,000 resamples: nominal
95 % intervals of the interquartile mean cover .75 with 3 runs, .87 with 4, .90 with 5, .94 with 8 to 20. So differences
between policies are taken within each seed, where runs share their batches, with Student's t interval over seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ...core.errors import AnalysisError
from ...records.directory import ENDED_BY_ERROR
from .intervals import LEVEL, Estimate, paired_interval

ALL = "all settings"
"""What the column `setting` says in rows that take all settings together."""
LEAST = 3
"""Seeds from which on there are bootstrap intervals at all; with two they only repeat the two numbers."""
FEW = 10
"""Up to so many seeds, bootstrap intervals are called too narrow."""
RESAMPLES = 2_000
"""Bootstrap resamples unless another number is asked for."""

AGGREGATES: dict[str, tuple[Any, str]] = {
    "setting": (pl.String, 'the varied settings; "" where none was; "all settings" where they are taken together'),
    "policy": (pl.String, "who decided"),
    "seeds": (pl.Int64, "seeds with a finished run"),
    "unfinished": (pl.Int64, "planned runs that are not in the numbers, for they are not finished"),
    "failed": (pl.Int64, "of these, those that an error ended, such as a loss that is not finite"),
    "iqm": (
        pl.Float64,
        "interquartile mean of the metric over runs, 3 or more; null for all settings, whose scales differ",
    ),
    "iqm_low": (pl.Float64, "lower end of its bootstrap interval"),
    "iqm_high": (pl.Float64, "upper end"),
    "difference": (pl.Float64, "mean of the metric minus the reference policy's at the same seed and setting"),
    "difference_low": (pl.Float64, "lower end of its t interval over seeds"),
    "difference_high": (pl.Float64, "upper end"),
    "pairs": (pl.Int64, "seeds that both have finished: those behind the difference"),
    "improvement": (pl.Float64, "probability that a run is better (lower) than one of the reference, seeds apart"),
    "improvement_low": (
        pl.Float64,
        "lower end of its stratified bootstrap interval; null where all runs of one side are better than all of the "
        "other, which leaves the bootstrap nothing to vary",
    ),
    "improvement_high": (pl.Float64, "upper end"),
    "owners_low": (pl.Int64, "fewest independent layers at the end of a run"),
    "owners_high": (pl.Int64, "most"),
    "blocks_low": (pl.Int64, "fewest distinct blocks, by storage"),
    "blocks_high": (pl.Int64, "most"),
    "parameters_low": (pl.Int64, "fewest trainable parameters, counted once per storage"),
    "parameters_high": (pl.Int64, "most"),
}
"""Column -> (polars type, meaning) of `aggregate`. The metric's unit is that of its column in the results."""

PROFILE: dict[str, tuple[Any, str]] = {
    "policy": (pl.String, "who decided"),
    "threshold": (pl.Float64, "the metric; with several settings its excess over the reference's mean in the setting"),
    "share": (pl.Float64, "share of runs at or below the threshold, 0 to 1, mean over settings"),
    "low": (pl.Float64, "lower end of its stratified bootstrap interval, pointwise"),
    "high": (pl.Float64, "upper end"),
    "runs": (pl.Int64, "runs behind it"),
}
"""Column -> (polars type, meaning) of `profiles`."""


def interquartile_mean(strata: Sequence[ArrayLike], level: float = LEVEL, resamples: int = RESAMPLES) -> Estimate:
    """Mean of the middle half of all runs, with a stratified bootstrap interval.

    Args:
        strata: One array of finite numbers per setting, (runs,), two runs or more each.
        level: Coverage, 0 to 1.
        resamples: Bootstrap resamples.

    Raises:
        AnalysisError: A stratum with fewer than two runs, or a number that is not finite.
    """

    def middle(*samples: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        return stats.trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis)

    return _bootstrap(strata, middle, level, resamples)


def probability_of_improvement(
    ours: Sequence[ArrayLike], theirs: Sequence[ArrayLike], level: float = LEVEL, resamples: int = RESAMPLES
) -> Estimate:
    """Probability that a run of ours is lower than one of theirs (a tie counts half), mean over settings.

    Args:
        ours: One array of finite numbers per setting, (runs,), two runs or more each.
        theirs: The same settings in the same order; the runs need not be as many.
        level: Coverage, 0 to 1.
        resamples: Bootstrap resamples.

    Raises:
        AnalysisError: Different settings, one with fewer than two runs, or a number that is not finite.
    """
    count = len(ours)
    if count != len(theirs):
        raise AnalysisError(
            f"Expected the same settings on both sides, but got {count} and {len(theirs)}.",
            "Leave out settings that only one side was run with.",
        )

    def lower(*samples: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        shares = []
        for first, second in zip(samples[:count], samples[count:], strict=True):
            a, b = first[..., :, None], second[..., None, :]
            shares.append(((a < b) + 0.5 * (a == b)).mean(axis=(-2, -1)))
        return np.mean(shares, axis=0)

    return _bootstrap([*ours, *theirs], lower, level, resamples)


def performance_profile(
    strata: Sequence[ArrayLike], thresholds: ArrayLike, level: float = LEVEL, resamples: int = RESAMPLES
) -> Estimate:
    """Share of runs at or below each threshold, mean over settings, with pointwise stratified bootstrap intervals.

    Args:
        strata: One array of finite numbers per setting, (runs,), two runs or more each.
        thresholds: (thresholds,)
        level: Coverage, 0 to 1.
        resamples: Bootstrap resamples.

    Returns:
        Arrays of shape (thresholds,).

    Raises:
        AnalysisError: A stratum with fewer than two runs, or a number that is not finite.
    """
    edges = np.asarray(thresholds, dtype=np.float64)
    below = [(_checked(runs)[None, :] <= edges[:, None]).astype(np.float64) for runs in strata]

    def share(*samples: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        return np.mean([sample.mean(axis=axis) for sample in samples], axis=0)

    return _bootstrap(below, share, level, resamples)


def aggregate(
    results: pl.DataFrame, *, metric: str = "validation_loss", reference: str = "independent", level: float = LEVEL
) -> pl.DataFrame:
    """One row per planned setting and policy, best first, and where settings vary one more per policy for all together.

    Args:
        results: Columns of `records.sweeps.RESULTS`; rows that are not finished are counted and left out.
        metric: A column of which less is better.
        reference: The policy that differences and improvements are against.
        level: Coverage of all intervals, 0 to 1.

    Returns:
        Columns of `AGGREGATES`. Where there are too few runs for an interval the estimate is null too.

    Raises:
        AnalysisError: No finished run, or a column is missing.
    """
    done = finished(results, metric)
    settings = list(dict.fromkeys(results["setting"]))
    rows = [
        _row(results, done, setting, policy, metric, reference, level)
        for setting in settings + ([ALL] if len(settings) > 1 else [])
        for policy in dict.fromkeys(results["policy"])
        if setting == ALL or results.filter(setting=setting, policy=policy).height
    ]
    frame = pl.DataFrame(rows, schema={column: kind for column, (kind, _) in AGGREGATES.items()})
    order = pl.col("setting").replace_strict({name: place for place, name in enumerate([*settings, ALL])})
    return frame.sort(order, pl.coalesce("iqm", "difference"), "policy", nulls_last=True)


def profiles(
    results: pl.DataFrame,
    *,
    metric: str = "validation_loss",
    reference: str = "independent",
    points: int = 60,
    level: float = LEVEL,
) -> pl.DataFrame:
    """The performance profile of each policy with at least two finished runs in every setting it was run with.

    Args:
        results: Columns of `records.sweeps.RESULTS`.
        metric: A column of which less is better.
        reference: With several settings, thresholds are above this policy's mean in the setting.
        points: Number of thresholds, evenly spread over all runs.
        level: Coverage of the intervals, 0 to 1.

    Returns:
        Columns of `PROFILE`, by policy and threshold.

    Raises:
        AnalysisError: No finished run, a column is missing, or several settings without the reference.
    """
    done = finished(results, metric)
    if done["setting"].n_unique() > 1:
        means = done.filter(policy=reference).group_by("setting").agg(pl.col(metric).mean().alias("_mean"))
        done = done.join(means, on="setting", how="left").with_columns(pl.col(metric) - pl.col("_mean"))
        if done["_mean"].null_count():
            raise AnalysisError(
                f"Expected runs of {reference} in every setting, to compare across settings, but some have none.",
                "Choose a setting first, or another reference.",
            )
    values = done[metric].to_numpy()
    lowest, highest = float(values.min()), float(values.max())
    margin = 0.05 * ((highest - lowest) or 1.0)
    thresholds = np.linspace(lowest - margin, highest + margin, points)
    rows: list[dict[str, Any]] = []
    for policy in dict.fromkeys(done["policy"]):
        strata = _strata(done.filter(policy=policy), metric)
        if min(map(len, strata.values())) < 2:
            continue
        found = performance_profile(list(strata.values()), thresholds, level)
        rows += [
            {"policy": policy, "threshold": edge, "share": share, "low": low, "high": high, "runs": found.count}
            for edge, share, low, high in zip(thresholds, found.value, found.low, found.high, strict=True)
        ]
    return pl.DataFrame(rows, schema={column: kind for column, (kind, _) in PROFILE.items()})


def caution(aggregates: pl.DataFrame) -> str:
    """What a reader must know about the intervals of `aggregate`; always says how many seeds there are."""
    fewest, most = (int(value) for value in aggregates.select(low=pl.min("seeds"), high=pl.max("seeds")).row(0))
    seeds = f"{fewest} seed{'s' if fewest != 1 else ''}" if fewest == most else f"{fewest} to {most} seeds"
    words = [f"Intervals are {LEVEL:.0%}, each by itself; {seeds} finished per policy."]
    if fewest < LEAST:
        words.append(
            f"Fewer than two finished seeds give no interval, and so no estimate; fewer than {LEAST} give a paired "
            "difference (Student's t) alone."
        )
    elif fewest <= FEW:
        words.append(
            "With so few, the bootstrap intervals (interquartile mean, profile, probability) are too narrow; those of "
            "the paired differences (Student's t) hold."
        )
    if aggregates.filter(pl.col("improvement").is_not_null(), pl.col("improvement_low").is_null()).height:
        words.append("A probability without an interval: all runs of one side were better than all of the other.")
    if left := int(aggregates.filter(pl.col("setting") != ALL)["unfinished"].sum()):
        words.append(f"{left} planned runs are not finished and left out.")
    failed = aggregates.filter(pl.col("setting") != ALL).group_by("policy", maintain_order=True).agg(pl.sum("failed"))
    if counts := [f"{policy} {count}" for policy, count in failed.rows() if count]:
        words.append(
            f"Of these, an error ended some, such as a loss that is not finite: {', '.join(counts)}; the numbers are "
            "of the runs that got through."
        )
    return " ".join(words)


def finished(results: pl.DataFrame, metric: str = "validation_loss") -> pl.DataFrame:
    """The rows of runs that are finished and have the metric.

    Raises:
        AnalysisError: There are none, or a column is missing.
    """
    if missing := {"run", "status", "policy", "setting", "seed", metric} - set(results.columns):
        raise AnalysisError(
            f"Expected a sweep's results, but the columns {', '.join(sorted(missing))} are missing.",
            "Take the frame from workers.sweep.sweep or records.sweeps.SweepDirectory.results.",
        )
    done = results.filter(pl.col("status") == "finished", pl.col(metric).is_finite())
    if done.is_empty():
        raise AnalysisError("Expected at least one finished run, but there is none.", "Go on with the sweep first.")
    return done


def _row(
    results: pl.DataFrame, done: pl.DataFrame, setting: str, policy: str, metric: str, reference: str, level: float
) -> dict[str, Any]:
    if setting != ALL:
        results, done = results.filter(setting=setting), done.filter(setting=setting)
    ours, theirs = done.filter(policy=policy), done.filter(policy=reference)
    row: dict[str, Any] = {
        "setting": setting,
        "policy": policy,
        "seeds": ours["seed"].n_unique(),
        "unfinished": results.filter(policy=policy).height - ours.height,
        "failed": results.filter(pl.col("policy") == policy, pl.col("status").is_in(ENDED_BY_ERROR)).height,
    }
    for name, column in (("owners", "owners"), ("blocks", "blocks"), ("parameters", "trainable_parameters")):
        row |= {f"{name}_low": ours[column].min(), f"{name}_high": ours[column].max()}
    strata = _strata(ours, metric)
    enough = min(map(len, strata.values()), default=0) >= LEAST
    if setting != ALL and enough:
        row |= _spread("iqm", interquartile_mean(list(strata.values()), level))
    if policy == reference:
        return row
    keys = ["setting", "seed", "replicate"]
    pairs = ours.join(theirs, on=keys, suffix="_reference", how="inner")
    # One unit per seed: what one seed did in several settings is not independent.
    units = pairs.group_by("seed").agg(pl.col(metric, f"{metric}_reference").mean()).sort("seed")
    row["pairs"] = units.height
    if units.height > 1:
        row |= _spread("difference", paired_interval(units[metric], units[f"{metric}_reference"], level))
    other = _strata(theirs, metric)
    common = [name for name in strata if name in other]
    if common and all(len(side[name]) >= LEAST for side in (strata, other) for name in common):
        found = probability_of_improvement([strata[n] for n in common], [other[n] for n in common], level)
        row |= _spread("improvement", found)
        if found.low == found.high:
            row |= {"improvement_low": None, "improvement_high": None}
    return row


def _spread(name: str, found: Estimate) -> dict[str, float]:
    return {name: float(found.value), f"{name}_low": float(found.low), f"{name}_high": float(found.high)}


def _strata(frame: pl.DataFrame, metric: str) -> dict[str, NDArray[np.float64]]:
    return {name: frame.filter(setting=name)[metric].to_numpy() for name in dict.fromkeys(frame["setting"])}


def _bootstrap(
    strata: Sequence[ArrayLike], statistic: Callable[..., NDArray[np.float64]], level: float, resamples: int
) -> Estimate:
    samples = tuple(_checked(sample) for sample in strata)
    # scipy resamples each of several samples by itself, which is what stratified means.
    found = stats.bootstrap(
        samples,
        statistic,
        n_resamples=resamples,
        vectorized=True,
        axis=-1,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    low, high = found.confidence_interval
    value = np.asarray(statistic(*samples, axis=-1))
    count = sum(sample.shape[-1] for sample in samples)
    return Estimate(value, np.asarray(low), np.asarray(high), count=count, level=level)


def _checked(sample: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(sample, dtype=np.float64)
    if sample.ndim == 0 or sample.shape[-1] < 2:
        raise AnalysisError(
            f"Expected at least 2 runs in every setting for an interval, but got {sample.size}.", "Run more seeds."
        )
    if not np.isfinite(sample).all():
        raise AnalysisError(
            "Expected finite numbers, but some are infinite or not a number.", "Leave out runs that diverged."
        )
    return sample
