"""Rows of one run that several charts bring along, each with the columns that it draws, as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...charts.run.live import REFERENCE_DATA
from ...core.errors import AnalysisError
from .thinning import Row

KEYS: dict[str, tuple[str, ...]] = {
    "steps": ("step",),
    "decisions": ("decision",),
    "q_values": ("decision", "answer"),
    "evaluations": ("step", "split"),
    "ties": ("decision", "layer"),
    "memory": ("decision", "component"),
    "samples": ("step",),
    REFERENCE_DATA: ("name",),
    "twin_curves": ("replicate", "steps", "branch"),
    "twin_differences": ("replicate", "steps"),
    "twin_curve": ("steps",),
    "twin_values": ("replicate",),
    "twin_looks": ("order",),
}
"""Table -> the columns that tell its rows apart, the one that counts time first where it has one."""


def joined(charts: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> dict[str, list[Row]]:
    """The rows of several charts by table, each once, with all columns that any of them has.

    Args:
        charts: Title -> table -> rows.

    Raises:
        AnalysisError: Two charts say different things of one row, so that they are not of one run.
    """
    tables: dict[str, dict[tuple[Any, ...], Row]] = {}
    brought: dict[str, int] = {}
    for title, rows_of in charts.items():
        for table, rows in rows_of.items():
            held = tables.setdefault(table, {})
            brought[table] = brought.get(table, 0) + bool(rows)
            for row in rows:
                key = tuple(row.get(name) for name in KEYS[table])
                _join(held.setdefault(key, {}), row, f"{title} of {table}, {_named(table, key)}")
    return {
        # Charts leave out what they do not need, each its own rows: two of them together are not in order.
        table: [rows[key] for key in sorted(rows)] if brought[table] > 1 else list(rows.values())
        for table, rows in tables.items()
    }


def _join(row: Row, other: Mapping[str, Any], where: str) -> None:
    for name, value in other.items():
        if row.get(name) is None:
            row[name] = value
        elif value is not None and value != row[name]:
            raise AnalysisError(
                f"Expected charts of one run, but one says {name}={row[name]!r} and the chart {where}, {value!r}.",
                "Make a LiveChart for each run, or compare runs with compared_curves.",
            )


def _named(table: str, key: tuple[Any, ...]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(KEYS[table], key, strict=True))
