"""The aggregates of a sweep as the words of a table, for a terminal and for a report."""

from __future__ import annotations

from typing import Any

import polars as pl
from rich.table import Table


def cells(row: dict[str, Any]) -> list[str]:
    """A row of aggregates as the words of a table; the columns are `heads`."""

    def span(name: str) -> str:
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        if low is None:
            return ""
        return f"{low:,}" if low == high else f"{low:,} to {high:,}"

    def estimate(name: str, form: str) -> str:
        if row[name] is None:
            return ""
        if row[f"{name}_low"] is None:
            return f"{row[name]:{form}}"
        low, high = (format(row[f"{name}_{end}"], form) for end in ("low", "high"))
        return f"{row[name]:{form}} [{low}, {high}]"

    return [
        row["setting"],
        row["policy"],
        str(row["seeds"]),
        estimate("iqm", ".4f"),
        estimate("difference", "+.4f"),
        estimate("improvement", ".2f"),
        span("owners"),
        span("blocks"),
        span("parameters"),
    ]


def heads(reference: str) -> list[str]:
    """The columns of `cells`."""
    return [
        "setting",
        "policy",
        "seeds",
        "validation loss, IQM",
        f"minus {reference}",
        f"P(better than {reference})",
        "owners",
        "distinct blocks",
        "trainable parameters",
    ]


def printed(aggregates: pl.DataFrame) -> Table:
    """Aggregates as a table for a terminal."""
    rows = [cells(row) for row in aggregates.to_dicts()]
    skip = 0 if any(row[0] for row in rows) else 1
    short = ["setting", "policy", "seeds", "IQM", "minus\nreference", "P(better)", "owners", "blocks", "parameters"]
    table = Table(*short[skip:], box=None, padding=(0, 1, 0, 0))
    table.columns[1 - skip].no_wrap = True
    for row in rows:
        # The interval under its estimate, so that the table fits a terminal.
        table.add_row(*(word.replace(" [", "\n[").replace(" to ", " to\n") for word in row[skip:]))
    return table
