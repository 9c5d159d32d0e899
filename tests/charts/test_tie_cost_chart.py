"""What ties cost: a cell per answer with its change, the present ties outlined in their owner's colour."""

from __future__ import annotations

import altair as alt
import polars as pl
import pytest
from drawn_marks import Mark, contrast, marks, words
from hand_made_answers import OWNERS, TIES, costs

from layertie_lab.charts.inside.costs import COLUMNS, cost_matrix
from layertie_lab.charts.palette import owner_colour
from layertie_lab.core.errors import AnalysisError

CHANGE = "change of the loss"
ROWS = {(row["layer"], row["answer"]): row for row in costs()}


@pytest.fixture
def frame() -> pl.DataFrame:
    return pl.DataFrame(costs())


def cells(chart: alt.LayerChart) -> dict[tuple[int, int], Mark]:
    """(layer, answer) -> its cell."""
    shaded = [mark for mark in marks(chart) if mark.kind == "rect" and mark.fill]
    return {(int(mark.number("layer")), int(mark.number("action"))): mark for mark in shaded}


def at(mark: Mark, others: dict[tuple[int, int], Mark]) -> tuple[int, int]:
    """The layer and answer of the cell that a mark lies on."""
    x, y = mark.at if mark.box is None else (mark.box[0] + 1, mark.box[1] + 1)
    (found,) = [
        place
        for place, cell in others.items()
        if cell.box and cell.box[0] <= x < cell.box[0] + cell.box[2] and cell.box[1] <= y < cell.box[1] + cell.box[3]
    ]
    return found


def test_each_cell_has_the_change_of_its_layer_and_answer(frame: pl.DataFrame) -> None:
    drawn = cells(cost_matrix(frame))
    assert drawn.keys() == ROWS.keys()
    for place, cell in drawn.items():
        row = ROWS[place]
        assert cell.number(CHANGE) == pytest.approx(row["change"], abs=5e-5)
        assert cell.number("interval from") == pytest.approx(row["low"], abs=5e-5)
        assert cell.number("to") == pytest.approx(row["high"], abs=5e-5)
        assert cell.number("owner it would have") == row["owner"]
    assert drawn[3, 0].number(CHANGE) == pytest.approx(0.1 * 3 - 0.12)
    # Rows are layers downwards, columns answers to the right.
    tops = [drawn[layer, 0].box[1] for layer in (1, 2, 3)]
    lefts = [drawn[3, answer].box[0] for answer in range(4)]
    assert tops == sorted(set(tops))
    assert lefts == sorted(set(lefts))


def test_purple_is_dearer_and_orange_cheaper_and_the_farther_the_darker(frame: pl.DataFrame) -> None:
    drawn = cells(cost_matrix(frame))
    by_change = sorted(drawn.values(), key=lambda cell: cell.number(CHANGE))
    for cell in by_change:
        red, blue = int(cell.fill[1:3], 16), int(cell.fill[5:7], 16)
        if abs(cell.number(CHANGE)) > 0.01:
            assert (blue > red) == (cell.number(CHANGE) > 0), cell
    pale = {drawn[layer, TIES[layer]].fill for layer in (1, 2, 3)}
    assert len(pale) == 1
    from_pale = [contrast(cell.fill, *pale) for cell in by_change if cell.number(CHANGE) >= 0]
    assert from_pale == sorted(from_pale)


def test_the_present_ties_alone_are_outlined_in_their_owners_colour(frame: pl.DataFrame) -> None:
    chart = cost_matrix(frame)
    outlined = [mark for mark in marks(chart) if mark.kind == "rect" and not mark.fill]
    drawn = cells(chart)
    assert {at(mark, drawn): mark.stroke for mark in outlined} == {
        (layer, TIES[layer]): owner_colour(OWNERS[TIES[layer]]) for layer in (1, 2, 3)
    }


def test_a_cross_stands_where_the_interval_holds_zero(frame: pl.DataFrame) -> None:
    chart = cost_matrix(frame)
    drawn = cells(chart)
    crosses = {at(mark, drawn) for mark in marks(chart) if mark.kind == "point"}
    assert crosses == {place for place, row in ROWS.items() if row["low"] < 0 < row["high"]}
    assert (1, 0) in crosses
    sure = frame.with_columns(low=pl.col("change"), high=pl.col("change"))
    assert not [mark for mark in marks(cost_matrix(sure)) if mark.kind == "point"]


def test_the_number_in_a_cell_is_its_change_and_can_be_read_on_every_shade() -> None:
    layers = 8
    for sign in (1, -1):
        rows = [
            {
                "layer": layer,
                "answer": answer,
                "owner": answer,
                "present": (layer, answer) == (0, 0),
                "low": None,
                "high": None,
                "change": sign * 10 ** (-2 * (layer * layers + answer) / layers**2),
            }
            for layer in range(layers)
            for answer in range(layers)
        ]
        chart = cost_matrix(pl.DataFrame(rows))
        drawn = cells(chart)
        numbers = {at(mark, drawn): mark for mark in marks(chart) if mark.kind == "text"}
        assert numbers.keys() == drawn.keys() - {(0, 0)}  # the present tie costs nothing, which needs no number
        for place, number in numbers.items():
            assert number.text[0] == {1: "+", -1: "\u2212"}[sign]
            assert abs(float(number.text[1:])) == pytest.approx(abs(drawn[place].number(CHANGE)), abs=5.1e-4)
            assert contrast(number.fill, drawn[place].fill) > 4, f"{number.text} on {drawn[place].fill}"


def test_a_change_of_many_nats_keeps_its_zeros() -> None:
    rows = [
        {"layer": 1, "answer": answer, "owner": answer, "present": False, "change": change, "low": None, "high": None}
        for answer, change in enumerate((10.5, -20.25, -0.5, 0.0))
    ]
    drawn = marks(cost_matrix(pl.DataFrame(rows)))
    assert [mark.text for mark in drawn if mark.text] == ["+10.500", "\u221220.250", "\u2212.500", "0"]


def test_a_deep_model_has_colours_without_numbers() -> None:
    rows = [
        {"layer": layer, "answer": answer, "owner": answer, "present": False, "change": 0.1, "low": 0.0, "high": 0.2}
        for layer in range(1, 18)
        for answer in range(layer + 1)
    ]
    drawn = marks(cost_matrix(pl.DataFrame(rows)))
    assert len(drawn) == len(rows)
    assert {mark.kind for mark in drawn} == {"rect"}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_frame_without_a_column_is_refused_by_name(frame: pl.DataFrame, column: str) -> None:
    with pytest.raises(AnalysisError, match=f"{column} are missing"):
        cost_matrix(frame.drop(column))


def test_nothing_asked_gives_words_and_no_change_no_trouble(frame: pl.DataFrame) -> None:
    assert words(cost_matrix(frame.clear(), width="container")) == ["Nothing has been asked yet."]
    flat = cost_matrix(frame.with_columns(change=0.0, low=0.0, high=0.0))
    assert {mark.text for mark in marks(flat) if mark.kind == "text"} == {"0"}
    assert alt.Chart.from_dict(flat.to_dict())


@pytest.mark.parametrize("dark", [False, True])
def test_the_spec_is_valid_light_and_dark(frame: pl.DataFrame, dark: bool) -> None:
    spec = cost_matrix(frame, width="container", height=123, dark=dark).to_dict()
    assert isinstance(alt.Chart.from_dict(spec), alt.LayerChart)
    assert (spec["width"], spec["height"]) == ("container", 123)
    assert "9 actions about 3 layers" in spec["description"]
