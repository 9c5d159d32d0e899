"""Frames as rows of a chart: scales that end at round numbers."""

from __future__ import annotations

import polars as pl
import pytest

from layertie_lab.charts.frames import extent


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.0], 1.0), ([], 1.0), ([None], 1.0), ([0.105, -0.02], 0.2), ([-0.105], 0.2), ([0.2], 0.2),
        ([0.21], 0.5), ([0.6], 1.0), ([7.0], 10.0), ([1.0], 1.0), ([3e-5], 5e-5), ([450.0, -20.0], 500.0),
    ],
)  # fmt: skip
def test_a_scale_ends_at_the_next_of_1_2_5_10(values: list[float | None], expected: float) -> None:
    assert extent(pl.Series(values, dtype=pl.Float64)) == expected
