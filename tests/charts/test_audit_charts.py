"""The audit's charts: valid, in words where there is nothing, thinned where a run is long."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest
import vl_convert

from layertie_lab import charts
from layertie_lab.charts import frames, palette
from layertie_lab.core.errors import AnalysisError

LAYERS = 4


def audit(decisions: int, peak: int | None = None) -> pl.DataFrame:
    draw = random.Random(1)
    rows: list[dict[str, Any]] = [
        {
            "decision": number,
            "claimed_independent": draw.randint(1, LAYERS),
            "true_blocks": 1,
            "claimed_parameters": 5_000,
            "true_parameters": 2_000,
            "claimed_bytes": 20_000,
            "true_bytes": 90_000 if number else None,
            "device_peak_bytes": peak,
            "gradient": [draw.choice(["owner", "summed", "none"]) for _ in range(LAYERS)],
        }
        for number in range(decisions + 1)
    ]
    return pl.DataFrame(rows, schema_overrides={"device_peak_bytes": pl.Int64, "true_bytes": pl.Int64})


def picture(chart: Any) -> str:
    return vl_convert.vegalite_to_svg(chart.to_dict())


@pytest.mark.parametrize("what", ["layers", "parameters", "memory"])
def test_claimed_and_true_have_their_colours(what: Any) -> None:
    drawn = picture(charts.claimed_and_true(audit(9, peak=80_000), what))
    assert palette.CLAIMED_COUNT in drawn
    assert palette.TRUE_COUNT in drawn
    assert ("measured" in drawn) == (what == "memory")
    assert "measured" not in picture(charts.claimed_and_true(audit(9), what, dark=True))


def test_what_is_claimed_is_drawn_above_what_is_true() -> None:
    """Where both are the same, a dashed line under a solid one would not be seen."""
    drawn = picture(charts.claimed_and_true(audit(9)))
    lines = drawn[drawn.index("mark-line") :]
    assert lines.index(palette.TRUE_COUNT) < lines.index(palette.CLAIMED_COUNT)


def test_gradients_have_a_row_per_layer() -> None:
    chart = charts.gradient_flow(audit(3))
    (rows,) = chart.to_dict()["datasets"].values()
    assert {row["layer"] for row in rows} == set(range(LAYERS))
    for layer in range(LAYERS):
        spells = [row for row in rows if row["layer"] == layer]
        assert [row["until"] for row in spells][:-1] == [row["decision"] for row in spells][1:]
        assert (spells[0]["decision"], spells[-1]["until"]) == (0, 4)
    assert "weight gradient" in picture(chart)


def test_all_in_one_picture() -> None:
    drawn = picture(charts.audit_chart(audit(9)))
    for words in ("layers (count)", "trainable (thousands)", "memory (MB)", "weight gradient"):
        assert words in drawn
    unknown = audit(9).with_columns(gradient=pl.lit(None, pl.List(pl.String)))
    assert "weight gradient" not in picture(charts.audit_chart(unknown))


def test_without_rows_there_are_words() -> None:
    empty = audit(2).clear()
    for chart in (charts.claimed_and_true(empty), charts.gradient_flow(empty), charts.audit_chart(empty)):
        assert " yet." in picture(chart)


def test_a_long_run_is_thinned() -> None:
    long = audit(6_000, peak=1)
    for chart in (charts.claimed_and_true(long, "memory"), charts.gradient_flow(long)):
        (rows,) = chart.to_dict()["datasets"].values()
        assert len(rows) <= frames.LIMIT + 6


def test_a_frame_of_something_else_is_refused() -> None:
    with pytest.raises(AnalysisError, match="true_blocks"):
        charts.audit_chart(audit(2).drop("true_blocks"))
    with pytest.raises(AnalysisError, match="gradient"):
        charts.gradient_flow(audit(2).drop("gradient"))


@pytest.mark.parametrize("name", ["audit", "gradient_flow"])
def test_captions(name: str) -> None:
    assert len(charts.CAPTIONS[name]) > 60
