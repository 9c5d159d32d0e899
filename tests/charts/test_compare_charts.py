"""Groups of runs as a picture: thin lines, means, and where they are compared, which over parameters is a diamond."""

from __future__ import annotations

import json
from typing import Any, get_args

import polars as pl
import pytest
import vl_convert

from layertie_lab import charts
from layertie_lab.analysis.statistics.amounts import AXES, UNITS, At
from layertie_lab.charts.comparisons.compare import AXES as X_TITLES
from layertie_lab.charts.comparisons.compare import COLUMNS, TITLES
from layertie_lab.core.errors import AnalysisError


def curves(steps: int = 5) -> pl.DataFrame:
    """Groups a (2 runs) and b (1 run); b's third row lies back on the axis, as parameters do."""
    rows = [
        (group, f"runs/{group}{seed}", seed, 10 * step, x + (0 if at_back != step else -25.0), 3.0 + seed - 0.1 * step)
        for group, seed, at_back in (("a", 1, -1), ("a", 2, -1), ("b", 1, 2))
        for step, x in ((step, 10.0 * step + seed) for step in range(steps))
    ]
    types = [pl.String, pl.String, pl.Int64, pl.Int64, pl.Float64, pl.Float64]
    return pl.DataFrame(rows, schema=dict(zip(COLUMNS, types, strict=True)), orient="row")


def points(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("step") == 30).with_columns(x=pl.lit(31.0))


def layers(chart: Any) -> dict[str, list[dict[str, Any]]]:
    """Rows of each layer by its mark; the thick line is "mean"."""
    spec, found = chart.to_dict(), {}
    for layer in spec["layer"]:
        mark = layer["mark"]
        name = "mean" if mark.get("strokeWidth") == 3.5 else mark["type"]
        data = layer.get("data") or spec["data"]  # Altair lifts the data of a lone layer
        found[name] = data["values"] if "values" in data else spec["datasets"][data["name"]]
    return found


def test_every_metric_and_amount_has_its_title() -> None:
    assert TITLES.keys() == UNITS.keys()
    assert X_TITLES.keys() == AXES.keys() == set(get_args(At))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("at", get_args(At))
@pytest.mark.parametrize("metric", ["validation-loss", "memory"])
def test_drawn(metric: str, at: str, dark: bool) -> None:
    chart = charts.compared_curves(curves(), points(curves()), metric=metric, at=at, dark=dark)
    figure = vl_convert.vegalite_to_svg(chart.to_dict())
    for words in (TITLES[metric], X_TITLES[at], "Thin: a run each. Thick: a group", ">a<", ">b<"):
        assert words in figure
    assert "Diamonds" in figure if at == "parameters" else "Dashed" in figure


def test_the_mean_is_that_of_the_lines_as_far_as_all_go() -> None:
    found = layers(charts.compared_curves(curves()))
    # Seed 1 is measured at 1, 11, ..., 41, seed 2 at 2, 12, ..., 42; the first has 4 - .1 (x - 1) / 10.
    assert [row["at"] for row in found["mean"]] == [2, 11, 12, 21, 22, 31, 32, 41]
    for row in found["mean"]:
        one, two = 4 - (row["at"] - 1) / 100, 5 - (row["at"] - 2) / 100
        assert row["value"] == pytest.approx((one + two) / 2)
    assert {row["group"] for row in found["mean"]} == {"a"}  # of one run there is no mean
    assert "rule" not in found


def test_over_steps_operations_or_time_a_dashed_line() -> None:
    found = layers(charts.compared_curves(curves(), points(curves()), at="flops"))
    assert found["rule"] == [{"at": 31.0}]
    assert "point" not in found


def test_parameters_that_go_to_and_fro_are_drawn_over_steps() -> None:
    found = layers(charts.compared_curves(curves(), points(curves()), at="parameters"))
    assert "rule" not in found
    line = [row["at"] for row in found["line"] if row["run"] == "runs/b1"]
    assert line == [0, 10, 20, 30, 40]
    assert [(row["run"], row["at"], row["x"]) for row in found["point"]] == [
        ("runs/a1", 30, 31),
        ("runs/a2", 30, 31),
        ("runs/b1", 30, 31),
    ]


def test_parts_of_a_second_are_numbers() -> None:
    frame = curves().with_columns(x=pl.col("x") / 50)
    figure = vl_convert.vegalite_to_svg(charts.compared_curves(frame, at="time").to_dict())
    assert ">0.4<" in figure
    assert "00m<" not in figure


def test_one_run_in_each_group_has_no_mean() -> None:
    chart = charts.compared_curves(curves().filter(seed=1))
    assert layers(chart).keys() == {"line"}
    assert chart.to_dict()["title"]["subtitle"] == "Thin: a run each."


def test_long_runs_are_thinned_to_their_extremes() -> None:
    frame = curves(6_000)
    found = layers(charts.compared_curves(frame))
    assert len(found["line"]) < 4_100
    assert len(found["mean"]) < 1_100
    assert min(row["value"] for row in found["line"]) == frame["value"].min()


def test_what_is_not_finite_is_left_out() -> None:
    frame = curves().with_columns(value=pl.when(pl.col("step") == 20).then(float("nan")).otherwise(pl.col("value")))
    json.dumps(charts.compared_curves(frame).to_dict(), allow_nan=False)


def test_words_and_refusals() -> None:
    assert "Nothing has been recorded yet" in vl_convert.vegalite_to_svg(
        charts.compared_curves(curves().clear()).to_dict()
    )
    for bad in ((curves().drop("seed"), None), (curves(), curves().drop("value"))):
        with pytest.raises(AnalysisError, match="are missing") as caught:
            charts.compared_curves(*bad)
        assert caught.value.remedy
