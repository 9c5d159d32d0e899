"""Groups of runs in pictures that fill their place: what is drawn of numbers made by hand."""

from __future__ import annotations

import polars as pl
import pytest
import vl_convert
from drawn_marks import marks, words

from layertie_lab import charts
from layertie_lab.charts.comparisons.groups import CAPTIONS, colours_of
from layertie_lab.charts.palette import OWNER_COLOURS, POLICIES
from layertie_lab.core.errors import AnalysisError

MEANS = {"group": pl.String, "parameters": pl.Float64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}


def test_a_policy_has_its_own_colour_and_no_two_groups_share_one() -> None:
    found = colours_of(["random", "lab, learning_rate=0.1", "lab", "a run"])
    assert found[0] == OWNER_COLOURS[POLICIES.index("random")]
    assert found[2] == OWNER_COLOURS[0]
    assert len(set(found)) == 4


def test_differences_by_seed() -> None:
    dots = pl.DataFrame({"group": ["lab"] * 3, "seed": [1, 2, 3], "difference": [-0.3, -0.1, 0.1]})
    estimates = pl.DataFrame({"group": ["lab"], "value": [-0.1], "low": [-0.6], "high": [0.4], "pairs": [3]})
    chart = charts.seed_differences(dots, estimates, first="random", groups=["lab"], colours=["#485af0"])
    found = [mark for mark in marks(chart) if mark.kind == "point"]
    assert sorted(round(mark.number("difference"), 3) for mark in found if "difference" in mark.fields) == [
        -0.3, -0.1, 0.1,
    ]  # fmt: skip
    (mean,) = (mark for mark in found if "mean difference" in mark.fields)
    assert mean.number("interval from") == pytest.approx(-0.6)
    assert "difference from random (nats)" in words(chart)
    empty = charts.seed_differences(dots.clear(), estimates.clear(), first="a", groups=["b"], colours=["#000000"])
    assert "No seed is shared by two groups." in words(empty)


def test_loss_and_size_with_the_front() -> None:
    points = pl.DataFrame(
        {
            "group": ["lab", "cycle"],
            "run": ["a", "b"],
            "seed": [1, 1],
            "parameters": [100.0, 200.0],
            "value": [3.0, 2.0],
        }
    )
    averages = pl.DataFrame(
        [("lab", 100.0, 3.0, 2.9, 3.1), ("cycle", 200.0, 2.0, None, None)], schema=MEANS, orient="row"
    )
    front = averages.filter(pl.col("group") == "cycle")
    look = {"groups": ["lab", "cycle"], "colours": ["#485af0", "#905a60"]}
    chart = charts.loss_and_size(points, averages, pl.concat([front, front]), **look)
    found = marks(chart)
    assert len([mark for mark in found if mark.kind == "point"]) == 4
    assert len([mark for mark in found if mark.kind == "rule"]) == 1  # of one run there is no interval
    assert {"trainable parameters", "validation loss (nats per token)"} <= set(words(chart))
    dashed = [layer for layer in chart.to_dict()["layer"] if layer["mark"].get("strokeDash")]
    assert len(dashed) == 1
    alone = charts.loss_and_size(points, averages, front, **look)
    assert not [layer for layer in alone.to_dict()["layer"] if layer["mark"].get("strokeDash")]


def test_maps_below_each_other() -> None:
    layers = [0, 1, 2]
    frame = pl.DataFrame(
        {
            "run": ["x"] * 3 + ["y"] * 3,
            "group": ["lab"] * 6,
            "layer": layers * 2,
            "owner": [0, 0, 2, 0, 1, 1],
            "block": [0] * 6,
        }
    )
    chart = charts.aligned_maps(frame)
    rects = [mark for mark in marks(chart) if mark.kind == "rect"]
    filled = [mark for mark in rects if mark.fill]
    assert len(filled) == 6
    assert {mark.fill for mark in filled} == {OWNER_COLOURS[owner] for owner in (0, 1, 2)}
    assert {"x", "y", "layer (0 = first)"} <= set(words(chart))
    most = charts.aligned_maps(frame, most=1)
    assert "y" not in words(most)


def test_curves_with_bands_fill_their_place() -> None:
    rows = [("a", f"a{seed}", seed, step, float(step), 3.0 - 0.1 * step + seed) for seed in (1, 2) for step in range(4)]
    curves = pl.DataFrame(rows, schema=["group", "run", "seed", "step", "x", "value"], orient="row")
    bands = pl.DataFrame({"group": ["a", "a"], "at": [0.0, 3.0], "low": [1.0, 1.0], "high": [4.0, 5.0]})
    chart = charts.compared_curves(curves, bands=bands, colours=["#485af0"], width="container")
    spec = chart.to_dict()
    assert spec["autosize"] == {"type": "fit-x", "contains": "padding"}
    assert [layer["mark"]["type"] for layer in spec["layer"]][:2] == ["area", "line"]
    assert "Shaded" in spec["title"]["subtitle"]
    vl_convert.vegalite_to_svg({**spec, "width": 400})


def test_what_is_missing_is_named() -> None:
    with pytest.raises(AnalysisError, match="owner"):
        charts.aligned_maps(pl.DataFrame({"run": ["x"], "group": ["a"], "layer": [0]}))


@pytest.mark.parametrize("name", CAPTIONS)
def test_each_has_a_line_on_how_to_read_it(name: str) -> None:
    assert charts.CAPTIONS[name].count(".") >= 2
