"""Fewer rows, same picture: the smallest and largest value of each stretch of the run stay.

tsdownsample does the same for one array at a time and faster (16,000 rows of two measures to 2,500: 2 ms, here 25), but
a full table is thinned once per 12,000 rows or when a page is opened, and here several measures share one budget,
gaps, ends and marked rows are kept, and no compiled package of 10 MB is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

Row = dict[str, Any]


def extremes(values: Sequence[Sequence[float | None]], budget: int) -> list[int]:
    """Which of a series of points to keep, ascending.

    Args:
        values: One inner sequence per measure, all of the same length, in order of time. None: no value there.
        budget: Most points to keep, 2 or more.

    The points are cut into stretches of equal length; from each stretch the positions of the smallest and the largest
    value of every measure stay, and so do the first and the last point. Whatever the budget, the extremes of the whole
    series stay if there is room for two points per measure.
    """
    count = len(values[0]) if values else 0
    if count <= budget:
        return list(range(count))
    overall = _at_ends(values, 0, count)
    stretches = max(1, (budget - 2) // 2)
    while True:
        kept = {0, count - 1}
        for stretch in range(stretches):
            kept |= _at_ends(values, count * stretch // stretches, count * (stretch + 1) // stretches)
        if len(kept) <= budget:
            return sorted(kept)
        if stretches == 1:
            return sorted(sorted(kept, key=lambda at: at not in overall)[:budget])
        stretches = max(1, min(stretches - 1, int(stretches * budget / len(kept))))


def _at_ends(measures: Sequence[Sequence[float | None]], start: int, end: int) -> set[int]:
    found: set[int] = set()
    for measure in measures:
        present = [(value, at) for at in range(start, end) if (value := measure[at]) is not None]
        if present:
            found.add(min(present)[1])
            found.add(max(present, key=lambda pair: pair[0])[1])
    return found


def thin_series(rows: Sequence[Row], budget: int, measures: Sequence[str], *, by: str | None = None) -> list[Row]:
    """Rows of one or several interleaved series, thinned by `extremes`, in their order.

    Args:
        rows: In order of time.
        budget: Most rows to keep.
        measures: Columns whose extremes matter.
        by: Column that tells the series apart; each gets its share of the budget.
    """
    if len(rows) <= budget:
        return list(rows)
    series: dict[Any, list[int]] = {}
    for at, row in enumerate(rows):
        series.setdefault(row[by] if by else None, []).append(at)
    shares = share_out({name: len(places) for name, places in series.items()}, budget)
    kept: list[int] = []
    for name, places in series.items():
        values = [[rows[at].get(measure) for at in places] for measure in measures] or [list(range(len(places)))]
        kept += [places[at] for at in extremes(values, max(2, shares[name]))]
    return [rows[at] for at in sorted(kept)]


def thin_marked(rows: Sequence[Row], budget: int, measures: Sequence[str], marked: Callable[[Row], bool]) -> list[Row]:
    """As `thin_series`, but marked rows stay, up to half the budget (the latest ones)."""
    if len(rows) <= budget:
        return list(rows)
    places = [at for at, row in enumerate(rows) if marked(row)][-(budget // 2) :]
    chosen = set(places)
    rest = [at for at in range(len(rows)) if at not in chosen]
    values = [[rows[at].get(measure) for at in rest] for measure in measures] or [list(range(len(rest)))]
    chosen |= {rest[at] for at in extremes(values, max(2, budget - len(places)))}
    return [rows[at] for at in sorted(chosen)]


def thin_units(rows: Sequence[Row], budget: int, unit: str, measure: str) -> list[Row]:
    """Whole units (all rows that share a value of `unit`, next to each other), chosen by the extremes of a sum.

    Args:
        rows: In order of time.
        budget: Most rows to keep.
        unit: The column that holds a unit together, such as decision.
        measure: The column whose sum over a unit is looked at.
    """
    if len(rows) <= budget:
        return list(rows)
    units = [list(members) for _, members in groupby(rows, key=lambda row: row[unit])]
    largest = max(len(members) for members in units)
    sums: list[float | None] = [sum(row.get(measure) or 0.0 for row in members) for members in units]
    return [row for at in extremes([sums], max(2, budget // largest)) for row in units[at]]


def thin_changes(rows: Sequence[Row], budget: int, group: str, time: str) -> list[Row]:
    """Rows that each say what holds from now on, per group: of each stretch of time the last one stays.

    The first row of each group stays too, so that a picture of what held begins at the start.
    """
    if len(rows) <= budget:
        return list(rows)
    first = {row[group]: at for at, row in reversed(list(enumerate(rows)))}
    begin, end = rows[0][time], rows[-1][time]
    stretches = len(rows)
    while True:
        stretches = max(1, stretches // 2)
        last = {
            (row[group], int((row[time] - begin) * stretches / (end - begin + 1))): at for at, row in enumerate(rows)
        }
        kept = {*first.values(), *last.values()}
        if len(kept) <= budget or stretches == 1:
            return [rows[at] for at in sorted(kept)]


def share_out(wants: dict[Any, int], budget: int) -> dict[Any, int]:
    """A budget shared evenly, where what one does not need goes to the others."""
    shares: dict[Any, int] = {}
    left = budget
    for done, (name, want) in enumerate(sorted(wants.items(), key=lambda item: item[1])):
        shares[name] = min(want, left // (len(wants) - done))
        left -= shares[name]
    return shares
