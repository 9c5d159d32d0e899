"""Polars frames that grow: rows come in one by one, and only new ones are converted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...core.errors import RecordError
from ...core.tables import COLUMNS

TELEMETRY: dict[str, dict[str, tuple[type, str]]] = {
    "timings": {
        "decision": (int, "the decision, counted from 1"),
        "step": (int, "optimizer steps done after it"),
        "seconds": (float, "wall-clock seconds since the decision before it"),
        "training_seconds": (float, "of these, seconds inside optimizer steps"),
        "evaluation_seconds": (float, "of these, seconds inside evaluations"),
        "resident_bytes": (int, "resident memory of the training process, bytes"),
        "device_peak_bytes": (int, "largest memory the CUDA allocator held so far, bytes; 0 elsewhere"),
        "time": (float, "when it was recorded, seconds since 1970-01-01 UTC"),
    },
    "process": {
        "time": (float, "when the process took the run up, seconds since 1970-01-01 UTC"),
        "step": (int, "optimizer steps done then"),
        "decision": (int, "decisions begun then"),
        "resumed": (bool, "whether it went on with an earlier process's run"),
        "pid": (int, "its process number"),
        "device": (str, "what it trains on"),
        "threads": (int, "CPU threads of torch"),
        "python": (str, "version of Python"),
        "torch": (str, "version of torch"),
        "system": (str, "operating system and machine"),
    },
}
"""Tables made from `telemetry.jsonl` (times and machine), as `core.tables.COLUMNS` are from `events.jsonl`."""

ALL_COLUMNS: dict[str, dict[str, tuple[type, str]]] = COLUMNS | TELEMETRY
"""Every table of a run: table -> column -> (type, meaning with unit)."""

_TYPES = {int: pl.Int64, float: pl.Float64, str: pl.String, bool: pl.Boolean}
_CHUNKS = 64


def schema(table: str) -> dict[str, Any]:
    """Column -> polars type of a table."""
    return {column: _TYPES[kind] for column, (kind, _) in ALL_COLUMNS[table].items()}


def documentation() -> pl.DataFrame:
    """Every column of every table: table, column, type, meaning (with its unit)."""
    rows = [
        (table, column, kind.__name__, meaning)
        for table, columns in ALL_COLUMNS.items()
        for column, (kind, meaning) in columns.items()
    ]
    return pl.DataFrame(
        rows, schema={"table": pl.String, "column": pl.String, "type": pl.String, "meaning": pl.String}, orient="row"
    )


class GrowingFrame:
    """A table of a run.

    Args:
        table: Its name in `ALL_COLUMNS`.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._schema = schema(table)
        self._new: dict[str, list[Any]] = {column: [] for column in self._schema}
        self._some = next(iter(self._new.values()))
        self._frame = pl.DataFrame(schema=self._schema)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row; missing values are null, values under other names are left out."""
        for column, values in self._new.items():
            values.append(row.get(column))

    @property
    def frame(self) -> pl.DataFrame:
        """All rows so far. Only those appended since the last call are converted.

        Raises:
            RecordError: A value is not of its column's type.
        """
        if self._some:
            fresh = pl.DataFrame([self._series(column) for column in self._schema])
            grown = pl.concat([self._frame, fresh], how="vertical", rechunk=False)
            self._frame = grown.rechunk() if grown.n_chunks() > _CHUNKS else grown
            for values in self._new.values():
                values.clear()
        return self._frame

    def _series(self, column: str) -> pl.Series:
        try:
            return pl.Series(column, self._new[column], dtype=self._schema[column])
        except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
            kind, meaning = ALL_COLUMNS[self._table][column]
            raise RecordError(
                f"Expected {kind.__name__} values in column {column} of {self._table} ({meaning}), but the log holds "
                f"something else ({error}).",
                "The log is damaged or was written by another version.",
            ) from None
