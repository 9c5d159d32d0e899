"""Rows of a frame as a table that a person can sort by each column."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import anywidget
import traitlets

from .assets import module, style
from .live.row_store import short


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Args:
        name: Of the rows' entry.
        head: Over the column.
        title: What it means, with its unit; shown under the pointer.
        number: Whether it is shown as a number, to the right, and sorted from the largest at the first press.
        digits: After the decimal point; None = as many as the number's size asks for.
    """

    name: str
    head: str
    title: str
    number: bool = False
    digits: int | None = None


class RowsTable(anywidget.AnyWidget):
    """A sortable table. All methods are thread-safe.

    Args:
        columns: From left to right.
        by: The column sorted by at first, ascending.

    Attributes:
        sentence: Above the table.
    """

    _esm = module("shared.js", "rows_table.js")
    _css = style("shared.css", "decision_table.css")

    columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    rows = traitlets.List().tag(sync=True)
    by = traitlets.Unicode("").tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)

    def __init__(self, columns: Sequence[Column], *, by: str = "") -> None:
        self._lock = threading.RLock()
        super().__init__(columns=[asdict(column) for column in columns], by=by)

    def set(self, rows: Iterable[Mapping[str, Any]], sentence: str = "") -> None:
        """Show these rows, in place of any others."""
        names = [column["name"] for column in self.columns]
        values = [[short(row.get(name)) for name in names] for row in rows]
        with self._lock, self.hold_sync():
            self.rows, self.sentence = values, sentence
