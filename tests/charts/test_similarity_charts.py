"""Heatmaps of two models and of a fresh one, similarity against cost, profiles and spectra."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import altair as alt
import polars as pl
import pytest
import vl_convert

from layertie_lab import charts
from layertie_lab.analysis.attribution.tie_evidence import CORRELATIONS, NEARNESS
from layertie_lab.analysis.similarity.profile import MEASURES
from layertie_lab.analysis.similarity.registry import SIMILARITIES
from layertie_lab.charts import palette
from layertie_lab.core.errors import AnalysisError

OWNERS = [0, 1, 0, 3]


def picture(chart: alt.LayerChart) -> str:
    return vl_convert.vegalite_to_svg(chart.to_dict())


def words(drawn: str) -> list[str]:
    return re.findall(r"<(?:text|tspan)[^>]*>([^<]+)<", drawn)


def two_models(rows: int = 4, columns: int = 2) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "method": "neighbours",
                "layer_a": a,
                "layer_b": b,
                "owner_a": a,
                "owner_b": b,
                "value": 0.1 * (a + b),
                "low": 0.0,
                "high": 0.9,
                "null": 0.05,
                "fresh": 0.15 if b else None,
                "models": 2,
                "unit": SIMILARITIES.describe("neighbours").unit,
                "least": 0.0,
            }
            for a in range(rows)
            for b in range(columns)
        ]
    )


@pytest.fixture(scope="module")
def evidence() -> pl.DataFrame:
    rows = [
        ("cka", layer, answer, OWNERS[answer], 0.9 - 0.1 * (layer - answer), 0.05 * (layer - answer) - 0.04, counts)
        for layer in range(4)
        for answer in range(layer)
        for counts in ((layer, answer) != (2, 0),)
    ]
    schema = ["method", "layer", "answer", "owner", "similarity", "change", "counts"]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(low=pl.col("change") - 0.01, high=pl.col("change") + 0.01)


@pytest.fixture(scope="module")
def correlations() -> pl.DataFrame:
    rows = [
        ("cka", "spearman", -0.61, -0.93, -0.29, 0.002, 12, 66),
        ("cka", "kendall", -0.4, -0.7, -0.1, 0.002, 12, 66),
        (NEARNESS, "spearman", -0.5, None, None, 0.213, 12, 66),
    ]
    return pl.DataFrame(rows, schema=CORRELATIONS, orient="row")


@pytest.fixture(scope="module")
def profile() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "layer": layer,
                "owner": OWNERS[layer],
                "measure": measure.name,
                "value": 0.5 * layer - 0.3,
                "low": 0.0,
                "high": 1.0,
                "sequences": 8,
                "unit": measure.unit,
            }
            for measure in MEASURES
            for layer in range(4)
        ]
    )


@pytest.fixture(scope="module")
def spectra() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "layer": layer,
                "owner": OWNERS[layer],
                "tensor": tensor,
                "index": index,
                "value": (3.0 - index) * (1 + OWNERS[layer]),
            }
            for layer in range(4)
            for tensor in ("up", "down")
            for index in range(4)
        ]
    )


Maker = Callable[..., alt.LayerChart]


@pytest.fixture(params=["two", "cost", "profile", "spectra"])
def drawer(request: pytest.FixtureRequest, evidence: Any, correlations: Any, profile: Any, spectra: Any) -> Maker:
    return {
        "two": lambda **k: charts.similarity_heatmap(two_models(), **k),
        "cost": lambda **k: charts.similarity_against_cost(evidence, correlations, **k),
        "profile": lambda **k: charts.update_profile_chart(profile, measure="cosine", **k),
        "spectra": lambda **k: charts.spectra_chart(spectra, tensor="up", **k),
    }[request.param]


@pytest.mark.parametrize("dark", [False, True])
def test_each_is_drawn_light_and_dark_and_in_a_container(drawer: Maker, dark: bool) -> None:
    assert len(words(picture(drawer(dark=dark)))) > 5
    spec = drawer(dark=dark, width="container", height=150).to_dict()
    assert (spec["width"], spec["height"]) == ("container", 150)
    assert spec["autosize"]["type"] == "fit-x"
    assert "NaN" not in json.dumps(spec)


def test_every_method_and_measure_has_its_title() -> None:
    assert all(each.title and each.unit and each.meaning and each.label for each in SIMILARITIES)
    assert all(each.title and each.unit and each.axis for each in MEASURES)


@pytest.mark.parametrize("name", ["similarity", "similarity_of_models", "similarity_against_cost", "update_profile",
                                  "spectra"])  # fmt: skip
def test_every_chart_has_a_caption(name: str) -> None:
    assert len(charts.CAPTIONS[name]) > 60


def test_two_models_keep_each_cell_and_share_nothing() -> None:
    chart = charts.similarity_heatmap(two_models(), names=("branch: layer", "parent: layer"))
    spec = chart.to_dict()
    assert (spec["width"], spec["height"]) == (210, 420)  # square cells
    assert max(map(len, spec["datasets"].values())) == 8  # not mirrored
    drawn = picture(chart)
    assert not any(f'stroke="{palette.owner_colour(owner)}"' in drawn for owner in range(4))
    assert {"branch: layer (0 = first)", "parent: layer (0 = first)"} <= set(words(drawn))
    assert "share of nearest tokens in common (0 to 1)" in words(drawn)


def marks(chart: alt.LayerChart, shape: str) -> int:
    """How many marks of a shape are drawn, by the paths of its layer."""
    spec = chart.to_dict()
    spec["layer"] = [layer for layer in spec["layer"] if layer["mark"].get("shape") == shape]
    return picture(alt.LayerChart.from_dict(spec)).count('stroke="#111111"') if spec["layer"] else 0


def test_crosses_and_dots_tell_what_a_pair_does_not_exceed() -> None:
    chart = charts.similarity_heatmap(two_models())
    assert marks(chart, "cross") == 1  # 0, 0
    assert marks(chart, "circle") == 1  # 0, 1: above the null, not above the fresh model
    without = charts.similarity_heatmap(two_models().drop("fresh"))
    assert marks(without, "circle") == 0


def test_only_ties_that_change_something_are_drawn(evidence: pl.DataFrame, correlations: pl.DataFrame) -> None:
    drawn = words(picture(charts.similarity_against_cost(evidence, correlations)))
    assert {"1 → 0", "3 → 2"} <= set(drawn)
    assert "2 → 0" not in drawn
    assert "5 ties of one model" in drawn
    assert "rank correlation −0.61 [−0.93, −0.29], p 0.002" in drawn
    assert "nearness alone −0.50, p 0.21" in drawn
    bare = words(picture(charts.similarity_against_cost(evidence)))
    assert not any("correlation" in text for text in bare)


def test_no_correlation_is_said(evidence: pl.DataFrame, correlations: pl.DataFrame) -> None:
    none = correlations.with_columns(value=pl.lit(None, pl.Float64))
    assert "rank correlation: none, one side is the same for all pairs" in words(
        picture(charts.similarity_against_cost(evidence, none))
    )


def test_tied_layers_share_a_line_of_the_spectrum(spectra: pl.DataFrame) -> None:
    spec = charts.spectra_chart(spectra, tensor="up").to_dict()
    rows = max(spec["datasets"].values(), key=len)
    assert {(row["owner"], row["layers"]) for row in rows} == {(0, "0, 2"), (1, "1"), (3, "3")}
    assert len(rows) == 3 * 3  # a value of 0 has no place on a logarithmic axis


def test_empty_frames_give_words_and_unclear_ones_are_refused(
    evidence: pl.DataFrame, profile: pl.DataFrame, spectra: pl.DataFrame
) -> None:
    for chart in (
        charts.similarity_against_cost(evidence.clear()),
        charts.similarity_against_cost(evidence.filter(~pl.col("counts"))),
        charts.update_profile_chart(profile.clear()),
        charts.spectra_chart(spectra.clear()),
    ):
        assert " yet." in picture(chart)
    with pytest.raises(AnalysisError, match="measure out of relative update, cosine, stream"):
        charts.update_profile_chart(profile)
    with pytest.raises(AnalysisError, match="tensor out of up, down, but got 'qkv'"):
        charts.spectra_chart(spectra, tensor="qkv")
    with pytest.raises(AnalysisError, match="counts are missing"):
        charts.similarity_against_cost(evidence.drop("counts"))
