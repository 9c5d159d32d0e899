"""The agent's reasons: values on other maps, shares of inputs, calibration, and decisions like the one at hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Any

import altair as alt
import polars as pl
import pytest
from drawn_marks import Mark, marks, words
from hand_made_answers import AGREEMENT, ablation, calibration, inputs, precedents, since

from layertie_lab.charts.inside import reasons
from layertie_lab.charts.palette import AGENT, owner_colour
from layertie_lab.core.errors import AnalysisError

MADE: dict[str, tuple[pl.DataFrame, Callable[..., alt.LayerChart], list[str]]] = {
    "ablation": (pl.DataFrame(ablation()), reasons.ablation_matrix, ["entry", "source", "answer", "change"]),
    "inputs": (pl.DataFrame(inputs()), lambda frame, **k: reasons.input_bars(frame, 0, **k),
               ["input", "answer", "value", "total", "completeness_error"]),
    "calibration": (pl.DataFrame(calibration()), lambda frame, **k: reasons.calibration(frame, AGREEMENT, **k),
                    ["decision", "choice", "kept", "predicted", "realised", "truncated"]),
    "precedents": (pl.DataFrame(precedents()), reasons.precedents,
                   ["decision", "distance", "choice", "layer", "above_trend"]),
    "since": (pl.DataFrame(since()), lambda frame, **k: reasons.value_since(frame, 0.3, **k),
              ["learned", "layer", "answer", "value"]),
}  # fmt: skip
EACH = pytest.mark.parametrize("name", MADE)


def drawn(name: str, kind: str) -> list[Mark]:
    frame, draw, _ = MADE[name]
    return [mark for mark in marks(draw(frame)) if mark.kind == kind]


def test_a_cell_has_the_farthest_change_and_the_source_that_brings_it() -> None:
    cells = {(int(cell.number("layer")), int(cell.number("action"))): cell for cell in drawn("ablation", "rect")}
    changes = {
        place: (cell.number("if it copied"), cell.number("change of its value")) for place, cell in cells.items()
    }
    assert changes == {(2, 0): (2, -0.4), (2, 1): (1, -0.2), (3, 0): (3, 0.3), (3, 1): (3, -0.3)}
    for cell in cells.values():
        red, blue = int(cell.fill[1:3], 16), int(cell.fill[5:7], 16)
        assert (blue > red) == (cell.number("change of its value") > 0)
    # Up and down by as much are as far from the middle of the scale: both ends are in it.
    ends = [mark for mark in words(reasons.ablation_matrix(MADE["ablation"][0])) if mark in ("\u22120.4", "0.4")]
    assert ends == ["\u22120.4", "0.4"]


def test_a_bar_is_the_share_of_an_input_and_the_title_their_sum() -> None:
    bars = drawn("inputs", "bar")
    shares = {row["input"]: row["value"] for row in inputs() if row["answer"] == 0}
    assert {bar.fields["input"]: bar.number("share") for bar in bars} == shares
    assert {bar.fill for bar in bars} == {AGENT}
    widths = {bar.fields["input"]: bar.box[2] for bar in bars if bar.box}
    assert widths["source of layer 2"] == pytest.approx(6 * widths["source of layer 10"], rel=0.01)
    # In the order of the frame: layer 10 does not come before layer 2.
    tops = {bar.fields["input"]: bar.box[1] for bar in bars if bar.box}
    assert sorted(tops, key=tops.__getitem__) == list(shares)
    frame = MADE["inputs"][0]
    assert "in all +0.25, completeness error 0.0004" in " ".join(words(reasons.input_bars(frame, 0)))
    assert "in all +0.32" in words(reasons.input_bars(frame.with_columns(completeness_error=0.0), 1))
    assert "share of the value of action 1" in words(reasons.input_bars(frame, 1))


def test_a_dot_is_a_decision_that_changed_a_tie_and_came_to_its_end() -> None:
    dots = {int(dot.number("decision")): dot for dot in drawn("calibration", "point")}
    assert {decision: (dot.number("predicted"), dot.number("realised")) for decision, dot in dots.items()} == {
        decision: pytest.approx((0.1 * decision, 0.2 * decision - 0.5)) for decision in (1, 3, 4, 5)
    }
    assert {decision: dot.fill for decision, dot in dots.items()} == {
        decision: owner_colour(1 + (decision - 1) % 3) for decision in (1, 3, 4, 5)
    }
    places = [dots[decision].at for decision in (1, 3, 4, 5)]
    assert places == sorted(places)  # to the right with the value,
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)  # and up with what came of it


@pytest.mark.parametrize(
    ("agreement", "said"),
    [
        (AGREEMENT, "4 decisions; rank correlation \u22120.25 [\u22120.50, 0.12]"),
        (None, "4 decisions; too few decisions for a rank correlation"),
        ({"value": None, "low": None, "high": None, "decisions": 4},
         "4 decisions; no rank correlation: one side is the same for all"),
    ],
)  # fmt: skip
def test_the_title_has_the_rank_correlation_or_says_why_there_is_none(agreement: Any, said: str) -> None:
    assert said in " ".join(words(reasons.calibration(pl.DataFrame(calibration()), agreement)))


def test_a_past_decision_stands_by_its_distance_and_what_came_of_its_answer() -> None:
    dots = {int(dot.number("decision")): dot for dot in drawn("precedents", "point")}
    assert {
        decision: (dot.number("entries that differ"), dot.number("above its trend"), dot.fill)
        for decision, dot in dots.items()
    } == {7: (0, 0.04, owner_colour(1)), 4: (1, -0.03, owner_colour(0)), 1: (2, 0.01, owner_colour(1))}
    assert dots[7].at[0] < dots[4].at[0] < dots[1].at[0]
    assert dots[7].at[1] < dots[1].at[1] < dots[4].at[1]
    said = {mark.at[1]: mark.text for mark in drawn("precedents", "text")}
    assert [said[y] for y in sorted(said)] == ["own", "own", "\u21920"]


def first_numbers(chart: alt.LayerChart) -> list[str]:
    """What stands along the axis that comes first, up to its title."""
    return list(takewhile(str.isdigit, words(chart)))


@pytest.mark.parametrize(("farthest", "ticks"), [(0, "0"), (1, "01"), (2, "012"), (4, "01234"), (11, "0246810")])
def test_distances_are_counted_in_whole_entries(farthest: int, ticks: str) -> None:
    frame = pl.DataFrame(precedents()).with_columns(distance=pl.Series([0, farthest, farthest]))
    assert "".join(first_numbers(reasons.precedents(frame))) == ticks


def test_a_dot_is_the_value_then_and_later_beside_what_came_of_it() -> None:
    dots = {int(dot.number("decisions learned from")): dot for dot in drawn("since", "point")}
    assert {learned: (dot.number("value"), dot.fill) for learned, dot in dots.items()} == {
        row["learned"]: (row["value"], owner_colour(1)) for row in since()
    }
    assert dots[7].at[0] < dots[8].at[0] < dots[9].at[0]
    assert dots[7].at[1] < dots[9].at[1] < dots[8].at[1]
    (came,) = [rule for rule in drawn("since", "rule") if "realised" in rule.fields]
    assert came.number("realised") == 0.3
    assert dots[7].at[1] < came.at[1] < dots[9].at[1]  # 0.3 lies between 0.5 and 0.1
    frame = MADE["since"][0]
    assert "value then +0.5, now +0.1; what came of it +0.3" in " ".join(words(reasons.value_since(frame, 0.3)))
    known = " ".join(words(reasons.value_since(frame.head(2), None)))
    assert "value then +0.5, now \u22120.25" in known
    assert "came of it" not in known


@pytest.mark.parametrize("moments", [1, 2, 3])
def test_moments_are_counted_in_whole_decisions(moments: int) -> None:
    frame = pl.DataFrame(since()).head(moments)
    assert first_numbers(reasons.value_since(frame, None)) == [str(learned) for learned in frame["learned"]]


@EACH
@pytest.mark.parametrize("dark", [False, True])
def test_the_spec_is_valid_light_and_dark(name: str, dark: bool) -> None:
    frame, draw, _ = MADE[name]
    spec = draw(frame, width="container", height=123, dark=dark).to_dict()
    assert isinstance(alt.Chart.from_dict(spec), alt.LayerChart)
    assert (spec["width"], spec["height"], spec["autosize"]["type"]) == ("container", 123, "fit-x")


@EACH
def test_an_empty_frame_gives_words(name: str) -> None:
    frame, draw, _ = MADE[name]
    (said,) = words(draw(frame.clear()))
    assert said.endswith(".")


def test_decisions_that_say_nothing_give_words() -> None:
    frame = pl.DataFrame(calibration()).filter(pl.col("kept") | pl.col("truncated"))
    assert frame.height == 2
    assert words(reasons.calibration(frame, None)) == ["No decision with a value has changed a tie yet."]
    assert words(reasons.input_bars(MADE["inputs"][0], 5)) == [
        "This agent's values have no inputs but layer and action."
    ]


@EACH
def test_a_frame_without_a_column_is_refused_by_name(name: str) -> None:
    frame, draw, needed = MADE[name]
    for column in needed:
        with pytest.raises(AnalysisError, match=f"{column} are missing"):
            draw(frame.drop(column))
