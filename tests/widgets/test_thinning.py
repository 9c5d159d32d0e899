"""Thinned rows show the same picture."""

from __future__ import annotations

import random

import pytest

from layertie_lab.widgets.live.thinning import extremes, share_out, thin_changes, thin_marked, thin_series, thin_units


def noisy(count: int) -> list[float | None]:
    draw = random.Random(1)
    values: list[float | None] = [draw.gauss(0, 1) for _ in range(count)]
    values[count // 3], values[count // 2] = 9.0, -9.0
    return values


@pytest.mark.parametrize("budget", [2, 10, 101, 999])
def test_extremes_keep_the_smallest_and_largest_within_the_budget(budget: int) -> None:
    values = noisy(3000)
    kept = extremes([values], budget)
    assert kept == sorted(set(kept))
    assert len(kept) <= budget
    assert {1000, 1500} <= set(kept)


def test_extremes_of_every_stretch_stay() -> None:
    values = noisy(1000)
    kept = set(extremes([values], 202))
    for start in range(0, 1000, 100):
        stretch = range(start, start + 100)
        assert max(stretch, key=lambda at: values[at]) in kept
        assert min(stretch, key=lambda at: values[at]) in kept


def test_extremes_of_two_measures_with_gaps() -> None:
    other: list[float | None] = [None] * 500
    other[77], other[400] = 1.0, 2.0
    assert {77, 400} <= set(extremes([noisy(500), other], 60))


def test_few_points_all_stay() -> None:
    assert extremes([[3.0, 1.0, 2.0]], 5) == [0, 1, 2]
    assert extremes([], 5) == []


def test_series_are_thinned_apart() -> None:
    rows = [{"split": ("validation", "test")[at % 10 == 0], "loss": float(at % 7), "at": at} for at in range(1000)]
    thin = thin_series(rows, 100, ["loss"], by="split")
    assert len(thin) <= 101
    assert [row["at"] for row in thin] == sorted(row["at"] for row in thin)
    assert sum(row["split"] == "test" for row in thin) >= 40


def test_marked_rows_stay() -> None:
    rows = [{"at": at, "loss": float(at % 11), "marked": at in (3, 500, 702)} for at in range(1000)]
    thin = thin_marked(rows, 50, ["loss"], lambda row: row["marked"])
    assert len(thin) <= 50
    assert {3, 500, 702} <= {row["at"] for row in thin}


def test_units_stay_whole() -> None:
    rows = [{"decision": at // 4, "bytes": float(at == 801)} for at in range(2000)]
    thin = thin_units(rows, 100, "decision", "bytes")
    assert len(thin) <= 100
    counts = {row["decision"]: sum(other["decision"] == row["decision"] for other in thin) for row in thin}
    assert set(counts.values()) == {4}
    assert 200 in counts


def test_changes_keep_the_start_and_the_present_of_every_group() -> None:
    rows = [{"decision": at, "layer": at % 5, "owner": at} for at in range(4000)]
    thin = thin_changes(rows, 300, "layer", "decision")
    assert len(thin) <= 300
    assert thin[:5] == rows[:5]
    assert thin[-5:] == rows[-5:]


def test_shares_go_where_they_are_needed() -> None:
    assert share_out({"a": 10, "b": 1000, "c": 1000}, 210) == {"a": 10, "b": 100, "c": 100}
    assert sum(share_out({"a": 500, "b": 500, "c": 1}, 100).values()) <= 100
    assert share_out({}, 10) == {}
