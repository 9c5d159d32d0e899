"""The rows behind a live chart: bounded in number, thinned where they are old, sent in columns."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...charts.run.live import HOVER_DATA, REFERENCE_DATA
from ...core.tables import COLUMNS, STUDY_COLUMNS
from .thinning import Row, share_out, thin_changes, thin_marked, thin_series, thin_units

KEPT_ROWS = 16_000
"""Rows of one table held in Python; beyond that, all but the newest quarter are thinned to half of this."""

_NAMES = {
    **{name: list(columns) for name, columns in COLUMNS.items()}, REFERENCE_DATA: ["name", "loss"], **STUDY_COLUMNS
}  # fmt: skip
_ALWAYS = ("step", "decision")

Columns = dict[str, list[Any]]


def wanted_columns(spec: Mapping[str, Any]) -> dict[str, set[str]]:
    """Table -> columns of it that a Vega-Lite spec reads, found by name anywhere in the spec."""
    text = json.dumps(spec)
    words = set(re.findall(r"\w+", text))
    tables = [name for name in _NAMES if f'"name": "{name}"' in text or name in spec.get("datasets", {})]
    return {name: {column for column in _NAMES[name] if column in words or column in _ALWAYS} for name in tables}


def names_of_data(spec: Mapping[str, Any]) -> list[str]:
    """The data sets of a spec that a live chart fills: tables of a run, `reference` and `hover_row`."""
    text = json.dumps(spec)
    return [*wanted_columns(spec), *([HOVER_DATA] if HOVER_DATA in text else [])]


def short(value: Any) -> Any:
    """A value for a message: seven significant digits are more than a pixel shows; JSON knows no infinity.

    With fewer, a number that is rounded once more where it is read would differ from the same one rounded elsewhere.
    """
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value


class RowStore:
    """Rows by table, as far as anybody looks at them.

    Args:
        wanted: Table -> columns to keep (see `wanted_columns`); rows of other tables are dropped.
    """

    def __init__(self, wanted: Mapping[str, Iterable[str]]) -> None:
        self.wanted: dict[str, list[str]] = {}
        self._rows: dict[str, list[Row]] = {}
        self.want(wanted)
        self._holds: dict[Any, tuple[Any, ...]] = {}

    def want(self, wanted: Mapping[str, Iterable[str]]) -> None:
        """Change which tables and columns are kept. Rows from before have None in a new column."""
        self.wanted = {table: [name for name in _NAMES[table] if name in set(names)] for table, names in wanted.items()}
        self._rows = {table: self._rows.get(table, []) for table in self.wanted}

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def add(self, table: str, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """Keep rows. Returns those that are news to a chart, with the wanted columns only."""
        if table not in self.wanted:
            return []
        names = self.wanted[table]
        fresh = [{name: row.get(name) for name in names} for row in rows]
        if table == "ties":
            fresh = [row for row in fresh if self._is_change(row)]
        held = self._rows[table]
        held += fresh
        if len(held) > KEPT_ROWS:
            newest = held[-KEPT_ROWS // 4 :]
            held[:] = self._thinned(table, held[: -KEPT_ROWS // 4], KEPT_ROWS // 4) + newest
        return fresh

    def latest(self, column: str) -> int | None:
        """The largest value of a column that counts, over all tables; None where there is none."""
        lasts = [rows[-1][column] for rows in self._rows.values() if rows and rows[-1].get(column) is not None]
        return max(lasts, default=None)

    def clear(self) -> None:
        """Forget all rows."""
        self._holds.clear()
        for rows in self._rows.values():
            rows.clear()

    def thinned(self, budget: int) -> dict[str, Columns]:
        """All tables in columns, `budget` rows in all, extremes kept."""
        shares = share_out({table: len(rows) for table, rows in self._rows.items()}, budget)
        return {
            table: self.columns(table, self._thinned(table, rows, max(2, shares[table])))
            for table, rows in self._rows.items()
            if rows
        }

    def columns(self, table: str, rows: Sequence[Row]) -> Columns:
        """Rows in columns, numbers shortened: half the size of rows as objects."""
        return {name: [short(row.get(name)) for row in rows] for name in self.wanted[table]}

    def _is_change(self, row: Row) -> bool:
        """A row of `ties` that repeats its layer's previous one adds nothing to a chart."""
        holds = tuple(row.get(name) for name in ("source", "owner", "block"))
        layer = row.get("layer")
        changed = self._holds.get(layer) != holds
        self._holds[layer] = holds
        return changed

    def _thinned(self, table: str, rows: list[Row], budget: int) -> list[Row]:
        if table in STUDY_COLUMNS:
            return rows  # a study has hundreds of them at most
        kinds = COLUMNS.get(table, {})
        numbers = [name for name in self.wanted[table] if name not in _ALWAYS and kinds.get(name, (str,))[0] is float]
        if table == "decisions":
            counts = [name for name in ("owners", "blocks", "trainable_parameters") if name in self.wanted[table]]
            return thin_marked(rows, budget, numbers + counts, lambda row: bool(row.get("overridden")))
        if table == "memory":
            return thin_units(rows, budget, "decision", "bytes")
        if table == "q_values":
            return thin_units(rows, budget, "decision", "q_value")
        if table == "ties":
            return thin_changes(rows, budget, "layer", "decision")
        if table == "evaluations":
            return thin_series(rows, budget, [name for name in ("loss",) if name in numbers], by="split")
        by = "layer" if "layer" in self.wanted[table] else None
        # perplexity is exp(loss): its extremes are the same rows.
        return thin_series(rows, budget, [name for name in numbers if name != "perplexity"][:2], by=by)
