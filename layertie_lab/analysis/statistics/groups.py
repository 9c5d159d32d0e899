"""What pictures of groups of runs show: bands over seeds, differences by seed, sizes, the front of some groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from ...records.log.reader import Run
from .compare import Comparison, Member
from .intervals import mean_interval

BANDS = {
    "group": pl.String,
    "at": pl.Float64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "runs": pl.Int64,
}
"""Column -> type of `bands`: the mean of a group's lines, its 95 % t interval over runs at each place by itself."""
SIZES = {"group": pl.String, "run": pl.String, "seed": pl.Int64, "parameters": pl.Float64, "value": pl.Float64}
"""Column -> type of `sizes`: a run's trainable parameters, counted once per storage, and its metric there."""
MEANS = {"group": pl.String, "parameters": pl.Float64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
"""Column -> type of `means`; the interval is null for a single run."""
MAPS = {"run": pl.String, "group": pl.String, "layer": pl.Int64, "owner": pl.Int64, "block": pl.Int64}
"""Column -> type of `last_maps`."""
_PLACES = 200


def bands(curves: pl.DataFrame, *, over: str = "x") -> pl.DataFrame:
    """The mean of each group's straight-lined curves as far as all of them go, with its interval over runs.

    Args:
        curves: Columns of `compare.Compared.curves`.
        over: The column along the axis: x, or step.

    Returns:
        Columns of `BANDS`; nothing of a group with one run, of which there is no interval.
    """
    found = [pl.DataFrame(schema=BANDS)]
    for (group,), members in curves.partition_by("group", as_dict=True, maintain_order=True).items():
        lines = [
            (run[over].cast(pl.Float64).to_numpy(), run["value"].to_numpy())
            for run in members.drop_nans("value").sort(over).partition_by("run", maintain_order=True)
        ]
        first, last = max(float(xs[0]) for xs, _ in lines), min(float(xs[-1]) for xs, _ in lines)
        places = np.unique(np.concatenate([xs for xs, _ in lines]))
        places = places[(places >= first) & (places <= last)]
        if len(lines) < 2 or not len(places):
            continue
        places = places[np.unique(np.linspace(0, len(places) - 1, min(len(places), _PLACES)).astype(int))]
        values = np.stack([np.interp(places, xs, ys) for xs, ys in lines])  # (runs, places)
        if not np.isfinite(values).all():
            continue
        mean = mean_interval(values)
        found.append(
            pl.DataFrame(
                {
                    "group": [group] * len(places),
                    "at": places,
                    "value": mean.value,
                    "low": mean.low,
                    "high": mean.high,
                    "runs": [len(lines)] * len(places),
                },
                schema=BANDS,
            )
        )
    return pl.concat(found)


def by_seed(groups: Mapping[str, Sequence[Member]], comparisons: Iterable[Comparison]) -> pl.DataFrame:
    """Each later group's difference from the first at equal seed and replicate.

    Returns:
        Columns group, seed, replicate, difference; of groups that are paired.
    """
    rows = []
    for found in comparisons:
        if found.pairs == 0:
            continue
        first = {(member.seed, member.replicate): member.value for member in groups[found.first]}
        rows += [
            (found.other, member.seed, member.replicate, member.value - first[member.seed, member.replicate])
            for member in groups[found.other]
            if (member.seed, member.replicate) in first
        ]
    schema = {"group": pl.String, "seed": pl.Int64, "replicate": pl.Int64, "difference": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def differences(comparisons: Iterable[Comparison]) -> pl.DataFrame:
    """Columns group, value, low, high, pairs: the comparisons that have an interval."""
    rows = [
        (found.other, found.difference, float(found.interval.low), float(found.interval.high), found.pairs)
        for found in comparisons
        if found.interval is not None
    ]
    schema = {"group": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "pairs": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def sizes(groups: Mapping[str, Sequence[Run]], members: Mapping[str, Sequence[Member]]) -> pl.DataFrame:
    """The trainable parameters of each run where it is compared.

    Args:
        groups: Label -> runs.
        members: Label -> the same runs, where they are compared.

    Returns:
        Columns of `SIZES`.
    """
    rows = []
    for label, runs in groups.items():
        places = {member.path: member for member in members[label]}
        for run in runs:
            member = places[run.path]
            past = run.decisions.filter(pl.col("step") <= member.step)
            if past.height:
                count = past["trainable_parameters"][-1]
            else:
                count = None if run.opened is None else run.opened.trainable_parameters
            rows.append((label, str(run.path), member.seed, count, member.value))
    return pl.DataFrame(rows, schema=SIZES, orient="row").drop_nulls("parameters")


def means(sized: pl.DataFrame) -> pl.DataFrame:
    """Mean parameters and metric of each group, the metric's with its t interval over runs. Columns of `MEANS`."""
    rows = []
    for (group,), members in sized.partition_by("group", as_dict=True, maintain_order=True).items():
        values = members["value"].to_numpy()
        low = high = None
        if len(values) > 1 and np.isfinite(values).all():
            interval = mean_interval(values)
            low, high = float(interval.low), float(interval.high)
        rows.append((group, members["parameters"].mean(), float(values.mean()), low, high))
    return pl.DataFrame(rows, schema=MEANS, orient="row")


def front(averages: pl.DataFrame, among: Iterable[str]) -> pl.DataFrame:
    """Those of some groups that no other one of them beats in both parameters and metric, by parameters.

    Args:
        averages: Columns of `MEANS`; less is better in both.
        among: The groups that make the front.
    """
    kept = averages.filter(pl.col("group").is_in(list(among))).sort("parameters", "value")
    return kept.filter(pl.col("value") <= pl.col("value").cum_min())


def last_maps(groups: Mapping[str, Sequence[Run]], names: Mapping[str, str]) -> pl.DataFrame:
    """The last tie map of each run.

    Args:
        groups: Label -> runs.
        names: A run's folder, as text -> what it is called.

    Returns:
        Columns of `MAPS`.
    """
    frames = [pl.DataFrame(schema=MAPS)]
    for label, runs in groups.items():
        for run in runs:
            ties = run.ties
            last = ties.filter(pl.col("decision") == pl.col("decision").max()).sort("layer")
            named = last.select(
                pl.lit(names.get(str(run.path), run.name)).alias("run"),
                pl.lit(label).alias("group"),
                *(pl.col(name).cast(pl.Int64) for name in ("layer", "owner", "block")),
            )
            frames.append(named)
    return pl.concat(frames)
