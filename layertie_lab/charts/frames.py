"""Polars frames as rows of a chart: columns checked, long runs thinned without changing the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl

from ..core.errors import AnalysisError
from ..core.tables import COLUMNS

LIMIT = 4_000
"""Most rows of one table in a chart; a browser draws that many without delay."""

Row = dict[str, Any]


def check(frame: pl.DataFrame, columns: Sequence[str], what: str) -> None:
    """Refuse a frame that lacks columns.

    Raises:
        AnalysisError: With the names of the missing columns.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise AnalysisError(
            f"Expected {what} with the columns {', '.join(columns)}, but {', '.join(missing)} are missing.",
            "Take the frames from load_run(...), or rename the columns.",
        )


def of_method(frame: pl.DataFrame, method: str | None, *, column: str = "method") -> tuple[pl.DataFrame, str]:
    """The rows of one method, and its name.

    Args:
        frame: With rows.
        method: Which one; may be left out where there is one.
        column: What tells methods apart.

    Raises:
        AnalysisError: It is unclear which one is meant.
    """
    methods = frame.get_column(column).unique(maintain_order=True).to_list()
    if method is None and len(methods) == 1:
        method = methods[0]
    if method is None or method not in methods:
        raise AnalysisError(
            f"Expected one {column} out of {', '.join(map(str, methods))}, but got {method!r}.",
            f"Name it with {column}=...; a picture shows one.",
        )
    return frame.filter(pl.col(column) == method), method


def rows(frame: pl.DataFrame) -> list[Row]:
    """Rows as plain values; numbers that are not finite become null, as JSON has none."""
    finite = [
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).otherwise(None).alias(name)
        for name, kind in frame.schema.items()
        if kind.is_float()
    ]
    return frame.with_columns(finite).to_dicts()


def largest(values: pl.Series) -> float:
    """The largest of some numbers; 0 where there is none."""
    return _number(values.max())


def _number(found: object) -> float:
    return float(found) if isinstance(found, int | float) else 0.0


def extent(values: pl.Series) -> float:
    """The smallest of 1, 2, 5, 10, ... (and tenths, ...) that no value is beyond, either way; 1 where all are 0.

    Scales that end there stay the same for data that are nearly the same, so that a picture need not be made anew.
    """
    farthest = largest(values.abs())
    if not farthest:
        return 1.0
    power = 10.0 ** math.floor(math.log10(farthest))
    return next(float(f"{step * power:.0e}") for step in (1, 2, 5, 10) if step * power >= farthest * (1 - 1e-9))


def whole_ticks(counts: pl.Series, *, zero: bool = True) -> list[int]:
    """Ticks at whole numbers alone (Vega's `tickMinStep` lets halves through), up to the largest of some counts.

    Args:
        counts: What is counted.
        zero: Whether they begin at 0, or else at the smallest.
    """
    first, last = 0 if zero else int(_number(counts.min())), int(largest(counts))
    return list(range(first, last + 1, 1 + (last - first) // 10))


def table_rows(frame: pl.DataFrame, table: str, columns: Sequence[str]) -> list[Row]:
    """Rows of a run's table with the columns that a chart reads, in order of time, not thinned.

    Raises:
        AnalysisError: Columns are missing.
    """
    check(frame, columns, f"a frame of {table}")
    time = "step" if "step" in columns else "decision"
    return rows(frame.select(columns).sort(time, maintain_order=True))


def with_mean_reward(decisions: pl.DataFrame, window: int = 20) -> pl.DataFrame:
    """Decisions with `mean_reward`, the mean over the last `window` of them, taken before any thinning."""
    ordered = decisions.sort("decision")
    return ordered.with_columns(pl.col("reward").rolling_mean(window, min_samples=1).alias("mean_reward"))


def thin_extremes(frame: pl.DataFrame, value: str, keep: pl.Expr | None = None, limit: int = LIMIT) -> pl.DataFrame:
    """At most about `limit` rows: of each stretch of rows the ones with the smallest and the largest value.

    Args:
        frame: In order of time.
        value: The column whose extremes must stay.
        keep: Rows that must stay, as a condition. They come on top of the limit.
        limit: Most rows; a shorter frame comes back as it is.
    """
    if frame.height <= limit:
        return frame
    stretch = (pl.int_range(pl.len()) * (limit // 2) // frame.height).alias("_stretch")
    least = (pl.col(value) == pl.col(value).min().over("_stretch")).fill_null(False)
    most = (pl.col(value) == pl.col(value).max().over("_stretch")).fill_null(False)
    ends = pl.int_range(pl.len()).is_in([0, frame.height - 1])
    wanted = least.is_first_distinct().over(["_stretch", least]) & least
    wanted |= most.is_first_distinct().over(["_stretch", most]) & most
    if keep is not None:
        wanted |= keep
    return frame.with_columns(stretch).filter(wanted | ends).drop("_stretch")


def thin_decisions(frame: pl.DataFrame, limit: int = LIMIT) -> pl.DataFrame:
    """At most `limit` rows of a table with several rows per decision: whole decisions, evenly spread, the last too."""
    if frame.height <= limit:
        return frame
    numbers = frame.get_column("decision").unique().sort()
    count = max(2, limit * len(numbers) // frame.height)
    places = pl.Series([round(i * (len(numbers) - 1) / (count - 1)) for i in range(count)])
    return frame.filter(pl.col("decision").is_in(numbers.gather(places).implode()))


def thin_ties(ties: pl.DataFrame, limit: int = LIMIT) -> pl.DataFrame:
    """The tie map's changes: rows that repeat the layer's previous row go, and if that is not enough, whole decisions.

    The rows of the last decision stay, so that a history ends where the run does.
    """
    ties = ties.sort("decision", "layer")

    def changes(frame: pl.DataFrame) -> pl.DataFrame:
        same = [pl.col(c) == pl.col(c).shift(1).over("layer") for c in ("source", "owner", "block")]
        repeats = pl.all_horizontal(same).fill_null(False)
        return frame.filter(~repeats | (pl.col("decision") == pl.col("decision").max()))

    short = changes(ties)
    budget = limit
    while short.height > limit and budget > 1:
        budget = budget * 3 // 4
        layers = ties.get_column("layer").n_unique()
        short = changes(thin_decisions(ties, budget * max(1, layers // 2)))
    return short


def fields(table: str, *without: str) -> list[str]:
    """All columns of a table except some."""
    return [column for column in COLUMNS[table] if column not in without]
