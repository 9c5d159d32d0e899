"""Attribution by one method and by several: gaps, ranks, a token without an interval, refusals."""

from __future__ import annotations

import re
from typing import Any

import altair as alt
import polars as pl
import pytest
import vl_convert

from layertie_lab import charts
from layertie_lab.analysis.attribution.registry import ATTRIBUTIONS
from layertie_lab.charts import palette
from layertie_lab.charts.inside.attribution import rank_correlations, ranks
from layertie_lab.core.errors import AnalysisError

OWNERS = [0, 1, 0, 3]


def picture(chart: alt.LayerChart | alt.VConcatChart) -> str:
    return vl_convert.vegalite_to_svg(chart.to_dict())


def words(drawn: str) -> list[str]:
    return re.findall(r"<(?:text|tspan)[^>]*>([^<]+)<", drawn)


def rows_of(method: str, values: list[float | None], **more: Any) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "method": method,
            "layer": range(4),
            "owner": OWNERS,
            "value": values,
            "unit": "nats per token, of a test",
            "lowers": ATTRIBUTIONS.describe(method).lowers,
            "low": [None if value is None else value - 0.1 for value in values],
            "high": [None if value is None else value + 0.1 for value in values],
        },
        schema_overrides={"value": pl.Float64, "low": pl.Float64, "high": pl.Float64},
    ).with_columns(**{name: pl.lit(value) for name, value in more.items()})


@pytest.fixture
def several() -> pl.DataFrame:
    """Skipping and conductance agree on every layer (their signs are opposite); replacing has a gap."""
    frames = [
        rows_of("skipped", [0.4, 0.3, 0.2, -0.1]),
        rows_of("conductance", [-0.9, -0.5, -0.3, 0.2], completeness_error=0.012, total=-1.5),
        rows_of("replaced-before", [None, 0.1, 0.2, 0.3]),
    ]
    return pl.concat(frames, how="diagonal")


def test_ranks_know_which_sign_lowers_the_loss(several: pl.DataFrame) -> None:
    found = ranks(several)
    assert found.filter(method="skipped")["rank"].to_list() == [1, 2, 3, 4]
    assert found.filter(method="conductance")["rank"].to_list() == [1, 2, 3, 4]
    assert found.filter(method="replaced-before")["rank"].to_list() == [None, 3, 2, 1]
    assert ranks(rows_of("skipped", [0.1, 0.1, 0.0, 0.0]))["rank"].to_list() == [1.5, 1.5, 3.5, 3.5]


def test_rank_correlations_are_over_layers_that_both_have(several: pl.DataFrame) -> None:
    found = rank_correlations(several).rows()
    assert [(a, b, layers) for a, b, _, layers in found] == [
        ("skipped", "conductance", 4),
        ("skipped", "replaced-before", 3),
        ("conductance", "replaced-before", 3),
    ]
    assert [rho for _, _, rho, _ in found] == pytest.approx([1, -1, -1])
    few = rank_correlations(several.filter(pl.col("layer") < 2))
    assert few["rho"].null_count() == 3
    flat = pl.concat([rows_of("skipped", [1, 1, 1, 1]), rows_of("conductance", [1, 2, 3, 4])])
    assert rank_correlations(flat)["rho"].to_list() == [None]


@pytest.mark.parametrize("dark", [False, True])
def test_methods_stand_above_each_other_and_their_ranks_below(several: pl.DataFrame, dark: bool) -> None:
    chart = charts.attribution_methods(several, dark=dark)
    spec = chart.to_dict()
    assert len(spec["vconcat"]) == 3 + 1
    said = words(picture(chart))
    assert "skipped · above 0: lowers the loss" in said
    assert "conductance · below 0: lowers the loss · completeness error up to 0.012 of \u22121.5" in said
    assert any("least alike: skipped and replaced-before, Spearman's rho -1.00" in each for each in said)
    assert said.count("layer (0 = first)") == 1
    assert said.count("→0") == 1
    drawn = picture(chart)
    assert all(palette.owner_colour(owner) in drawn for owner in set(OWNERS))


def test_one_method_has_no_ranks_to_compare(several: pl.DataFrame) -> None:
    spec = charts.attribution_methods(several.filter(method="skipped")).to_dict()
    assert len(spec["vconcat"]) == 1


def test_a_layer_without_a_value_keeps_its_place(several: pl.DataFrame) -> None:
    drawn = picture(charts.attribution_bars(several, method="replaced-before"))
    assert {"0", "1", "2", "3"} <= set(words(drawn))
    assert drawn.count("layer (0 = first): ") >= 3
    nothing = rows_of("replaced-before", [None] * 4)
    assert {"0", "1", "2", "3"} <= set(words(picture(charts.attribution_bars(nothing))))
    assert charts.attribution_methods(pl.concat([nothing, rows_of("skipped", [1, 2, 3, 4])])).to_dict()


def test_a_tokens_loss_says_that_it_has_no_interval() -> None:
    frame = rows_of("conductance", [0.1, 0.2, 0.3, 0.4], target_sequence=2, target_position=5).with_columns(
        low=pl.lit(None, pl.Float64), high=pl.lit(None, pl.Float64)
    )
    for chart in (charts.attribution_bars(frame), charts.attribution_methods(frame)):
        assert {"one token: no interval", "after position 5 of sequence 2"} <= set(words(picture(chart)))
    assert "one token" not in picture(charts.attribution_bars(rows_of("conductance", [0.1] * 4)))


def test_bad_frames_are_refused(several: pl.DataFrame) -> None:
    with pytest.raises(AnalysisError, match="owner"):
        charts.attribution_methods(several.drop("owner"))
    with pytest.raises(AnalysisError, match="one method out of"):
        charts.attribution_bars(several)
    twice = pl.concat([several, several])
    with pytest.raises(AnalysisError, match="one row per method and layer"):
        charts.attribution_methods(twice)
    assert " yet." in picture(charts.attribution_methods(several.clear()))


def test_every_method_has_a_title_and_the_picture_a_caption() -> None:
    assert all(each.title and each.unit and each.axis and each.meaning for each in ATTRIBUTIONS)
    assert len(charts.CAPTIONS["attribution_methods"]) > 60


def test_bars_of_a_method_that_promises_a_sum_say_by_how_much_it_misses(several: pl.DataFrame) -> None:
    said = words(picture(charts.attribution_bars(several, method="conductance")))
    assert "completeness error up to 0.012 of \u22121.5" in said
    assert not [line for line in words(picture(charts.attribution_bars(several, method="skipped"))) if "error" in line]
