"""The memory ledger: three maps side by side at a step's fullest moment, and which layer holds what of it."""

from __future__ import annotations

from collections.abc import Callable

import altair as alt
import polars as pl
import pytest
from drawn_marks import Mark, marks, words
from hand_made_answers import OWNERS, memory

from layertie_lab.charts.inside.memory import COLUMNS, memory_by_layer, memory_of_maps
from layertie_lab.charts.palette import MEMORY_COLOURS, owner_colour
from layertie_lab.core.errors import AnalysisError

CHARTS = pytest.mark.parametrize("draw", [memory_of_maps, memory_by_layer])
Draw = Callable[..., alt.LayerChart]


@pytest.fixture
def ledger() -> pl.DataFrame:
    return pl.DataFrame(memory(), infer_schema_length=None)


def bars(chart: alt.LayerChart) -> list[Mark]:
    return [mark for mark in marks(chart) if mark.kind == "bar"]


def test_a_map_has_the_bytes_of_its_peak_by_component(ledger: pl.DataFrame) -> None:
    drawn = {(bar.fields["map"], bar.fields["component"]): bar for bar in bars(memory_of_maps(ledger))}
    # In MB: 1 + 2 + 3 + 4 untied, 1 + 2 as it is, 1 tied; 7 outside the layers; activations are half of 10, all three.
    parameters = {"untied, predicted": 17, "as is, predicted": 10, "as is, measured": 10, "all tied, predicted": 8}
    assert drawn.keys() == {(name, part) for name in parameters for part in ("parameters", "activations")}
    for name, size in parameters.items():
        assert drawn[name, "parameters"].number("MB") == size
        assert drawn[name, "activations"].number("MB") == 5
    for (_, component), bar in drawn.items():
        assert bar.fill == MEMORY_COLOURS[component]


def test_bars_are_stacked_to_the_total_beside_them(ledger: pl.DataFrame) -> None:
    chart = memory_of_maps(ledger)
    drawn = {(bar.fields["map"], bar.fields["component"]): bar.box for bar in bars(chart)}
    one_mb = drawn["untied, predicted", "parameters"][2] / 17
    for (name, component), box in drawn.items():
        assert box is not None
        first = drawn[name, "parameters"]
        assert first is not None
        assert box[0] == pytest.approx(0 if component == "parameters" else first[2], abs=0.01)
        assert box[2] == pytest.approx(one_mb * (5 if component == "activations" else first[2] / one_mb), abs=0.01)
    totals = {mark.fields["bar"]: mark.text for mark in marks(chart) if mark.kind == "text"}
    assert totals == {
        "untied, predicted": "22",
        "as is, predicted": "15",
        "as is, measured": "15",
        "all tied, predicted": "13",
    }
    tops = {name: box[1] for (name, _), box in drawn.items() if box}
    order = ["untied, predicted", "as is, predicted", "as is, measured", "all tied, predicted"]
    assert sorted(tops, key=tops.__getitem__) == order


def test_a_layer_has_its_measured_bytes_in_its_owners_colour(ledger: pl.DataFrame) -> None:
    drawn = {(int(bar.number("layer")), bar.fields["component"]): bar for bar in bars(memory_by_layer(ledger))}
    assert {place: bar.number("MB") for place, bar in drawn.items()} == {
        (0, "parameters"): 1,
        (1, "parameters"): 2,
        (0, "activations"): 0.5,
        (1, "activations"): 1,
        (2, "activations"): 1.5,
        (3, "activations"): 2,
    }
    for (layer, _), bar in drawn.items():
        assert bar.fill == owner_colour(OWNERS[layer])
        assert bar.number("owner") == OWNERS[layer]
    solid, faint = drawn[0, "parameters"], drawn[0, "activations"]
    assert solid.opacity > 2 * faint.opacity > 0
    assert solid.box is not None
    assert faint.box is not None
    assert solid.box[1] + solid.box[3] == pytest.approx(220)  # the lowest, on the axis
    assert faint.box[1] + faint.box[3] == pytest.approx(solid.box[1])


@CHARTS
def test_what_is_not_of_the_peak_does_not_count(draw: Draw, ledger: pl.DataFrame) -> None:
    peak = ledger.filter(when="peak")
    assert peak.height < ledger.height
    assert bars(draw(ledger)) == bars(draw(peak))


@CHARTS
@pytest.mark.parametrize("dark", [False, True])
def test_the_spec_is_valid_light_and_dark(draw: Draw, ledger: pl.DataFrame, dark: bool) -> None:
    spec = draw(ledger, width="container", height=123, dark=dark).to_dict()
    assert isinstance(alt.Chart.from_dict(spec), alt.LayerChart)
    assert (spec["width"], spec["height"]) == ("container", 123)


@CHARTS
def test_nothing_measured_gives_words(draw: Draw, ledger: pl.DataFrame) -> None:
    for frame in (ledger.clear(), ledger.filter(pl.col("when") != "peak")):
        assert words(draw(frame)) == ["Nothing has been measured yet."]
    predicted = ledger.filter(kind="predicted")
    assert words(memory_by_layer(predicted)) == ["Nothing has been measured yet."]
    assert len(bars(memory_of_maps(predicted))) == 6


@CHARTS
@pytest.mark.parametrize("column", COLUMNS)
def test_a_frame_without_a_column_is_refused_by_name(draw: Draw, ledger: pl.DataFrame, column: str) -> None:
    with pytest.raises(AnalysisError, match=f"{column} are missing"):
        draw(ledger.drop(column))
