"""Rows of a frame as a table that a person can sort by each column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import traitlets

from ..core.columns import Column
from .live.row_store import short
from .panel import Panel


class RowsTable(Panel, files=("rows_table.js", "decision_table.css")):
    """A sortable table.

    Args:
        columns: From left to right.
        by: The column sorted by at first, ascending.

    Attributes:
        sentence: Above the table.
    """

    columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    rows = traitlets.List().tag(sync=True)
    by = traitlets.Unicode("").tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)

    def __init__(self, columns: Sequence[Column], *, by: str = "") -> None:
        super().__init__(columns=[asdict(column) for column in columns], by=by)

    def set(self, rows: Iterable[Mapping[str, Any]], sentence: str = "") -> None:
        """Show these rows, in place of any others."""
        names = [column["name"] for column in self.columns]
        values = [[short(row.get(name)) for name in names] for row in rows]
        self.show(rows=values, sentence=sentence)
