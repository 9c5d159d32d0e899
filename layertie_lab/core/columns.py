"""A column of a table that is shown to somebody, on a page or in a terminal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column.

    Args:
        name: Of the rows' entry.
        head: Over the column.
        title: What it means, with its unit; shown under the pointer.
        number: Whether it is shown as a number, to the right, and sorted from the largest at the first press.
        digits: After the decimal point; None = as many as the number's size asks for.
    """

    name: str
    head: str
    title: str = ""
    number: bool = False
    digits: int | None = None
