"""Charts of finished runs: the live specs with rows, thinned; words for empty frames; refusals."""

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import altair as alt
import polars as pl
import pytest
import vl_convert
from simulated_runs import as_frames, simulate

from layertie_lab import charts
from layertie_lab.charts import frames, palette
from layertie_lab.charts.run.live import live_spec
from layertie_lab.core.errors import AnalysisError
from layertie_lab.core.ties import TieMap

Frames = dict[str, pl.DataFrame]

RUN: dict[str, Callable[..., alt.LayerChart]] = {
    "loss": lambda f, **k: charts.loss_chart(f["steps"], f["evaluations"], f["decisions"], **k),
    "perplexity": lambda f, **k: charts.loss_chart(f["steps"], f["evaluations"], f["decisions"], y="perplexity", **k),
    "reward": lambda f, **k: charts.reward_chart(f["decisions"], title="reward (nats/token)", **k),
    "epsilon": lambda f, **k: charts.epsilon_chart(f["decisions"], **k),
    "parameters": lambda f, **k: charts.parameters_chart(f["decisions"], **k),
    "blocks": lambda f, **k: charts.blocks_chart(f["decisions"], **k),
    "memory": lambda f, **k: charts.memory_chart(f["memory"], **k),
    "history": lambda f, **k: charts.tie_history(f["ties"], f["decisions"], **k),
    "q_values": lambda f, **k: charts.q_value_chart(f["q_values"], **k),
}


def picture(chart: alt.LayerChart) -> str:
    return vl_convert.vegalite_to_svg(chart.to_dict())


def owner_colours_in(svg: str) -> set[str]:
    return {colour for colour in palette.OWNER_COLOURS if colour in svg}


@pytest.mark.parametrize("name", RUN)
def test_a_static_chart_is_the_live_panel_with_rows(name: str, run_frames: Frames):
    options = {"title": "reward (nats/token)"} if name == "reward" else {}
    live, static = live_spec(name, **options), RUN[name](run_frames, width="container").to_dict()
    assert static | {"datasets": live["datasets"], "usermeta": live["usermeta"]} == live
    assert any(static["datasets"][table] for table in live["datasets"] if table in run_frames)


@pytest.mark.parametrize("name", RUN)
def test_an_empty_frame_gives_words(name: str, no_frames: Frames):
    drawn = picture(RUN[name](no_frames))
    assert " yet" in drawn or "appears" in drawn


def test_the_steps_of_a_decision_are_read_from_the_frames(run_frames: Frames):
    assert "1 decision = 4 steps" in json.dumps(charts.reward_chart(run_frames["decisions"]).to_dict())
    only_steps = charts.loss_chart(run_frames["steps"], run_frames["evaluations"], run_frames["decisions"].clear())
    assert "1 decision = 4 steps" in json.dumps(only_steps.to_dict())


def test_a_long_run_is_thinned_and_keeps_its_extremes_and_overrides():
    long = as_frames(simulate(1_100, overrides=0.01))
    chart = charts.loss_chart(long["steps"], long["evaluations"], long["decisions"]).to_dict()
    kept, all_steps = pl.DataFrame(chart["datasets"]["steps"]), long["steps"]
    assert len(kept) <= frames.LIMIT + 2 < len(all_steps)
    assert kept["loss"].min() == all_steps["loss"].min()
    assert kept["loss"].max() == all_steps["loss"].max()
    assert kept["step"].to_list() == sorted(kept["step"])
    assert {1, 4_400} <= set(kept["step"])
    memory = charts.memory_chart(long["memory"]).to_dict()["datasets"]["memory"]
    assert len(memory) <= frames.LIMIT
    assert memory[-1]["decision"] == 1_100
    assert len(frames.thin_ties(long["ties"])) <= frames.LIMIT
    few = frames.thin_extremes(long["decisions"], "reward", pl.col("overridden"), limit=100)
    assert few["overridden"].sum() == long["decisions"]["overridden"].sum()
    assert 100 < len(few) < 200


def test_thinning_the_ties_loses_no_change_while_there_is_room(run_frames: Frames):
    ties = run_frames["ties"]
    short = frames.thin_ties(ties)
    filled = (
        ties.select("decision", "layer")
        .join(short, on=["decision", "layer"], how="left", maintain_order="left")
        .with_columns(pl.col("source", "owner", "block").forward_fill().over("layer"))
    )
    assert filled.select(ties.columns).equals(ties)


def test_the_mean_reward_is_taken_before_thinning(run_frames: Frames):
    some = run_frames["decisions"]
    long = pl.concat([some] * 140).with_columns(decision=pl.int_range(1, 140 * some.height + 1))
    rows = charts.reward_chart(long).to_dict()["datasets"]["decisions"]
    last = rows[-1]
    assert last["decision"] == 4_200 > len(rows)
    assert last["mean_reward"] == pytest.approx(long["reward"].tail(20).mean())


def test_numbers_that_are_not_finite_become_null(run_frames: Frames):
    third = pl.when(pl.col("step") == 3)
    steps = run_frames["steps"].with_columns(third.then(math.nan).otherwise("loss").alias("loss"))
    chart = charts.loss_chart(steps, run_frames["evaluations"], run_frames["decisions"])
    assert chart.to_dict()["datasets"]["steps"][2]["loss"] is None
    json.dumps(chart.to_dict(), allow_nan=False)


@pytest.mark.parametrize("name", ["loss", "reward", "memory", "history", "q_values"])
def test_a_frame_without_a_column_is_refused_by_name(name: str, run_frames: Frames):
    broken = {table: frame.drop(frame.columns[-1]) for table, frame in run_frames.items()}
    broken["steps"], broken["decisions"] = run_frames["steps"].drop("loss"), run_frames["decisions"].drop("reward")
    with pytest.raises(AnalysisError, match="missing"):
        RUN[name](broken)


def test_q_values_of_a_decision_that_is_not_there(run_frames: Frames):
    assert "decision 7 " in picture(charts.q_value_chart(run_frames["q_values"], decision=7))
    with pytest.raises(AnalysisError, match="99"):
        charts.q_value_chart(run_frames["q_values"], decision=99)


def test_a_tie_map_shows_each_layer_in_its_owners_colour(run_frames: Frames):
    drawn = picture(charts.tie_map(TieMap((0, 0, 2, 2, 0))))
    assert owner_colours_in(drawn) == {palette.owner_colour(0), palette.owner_colour(2)}
    assert "Thin strip" not in drawn
    start = picture(charts.tie_map(run_frames["ties"], decision=0))
    assert "Thin strip" in start
    assert owner_colours_in(start) == set(palette.owner_colours(6))
    with pytest.raises(AnalysisError, match="from 0 to 30"):
        charts.tie_map(run_frames["ties"], decision=31)


@pytest.mark.parametrize("layers", [1, 2, 60])
def test_a_tie_map_of_any_depth(layers: int):
    for ties in (TieMap.all_tied(layers), TieMap.independent(layers)):
        assert vl_convert.vegalite_to_vega(charts.tie_map(ties).to_dict())["marks"]


def test_a_similarity_heatmap_outlines_tied_pairs(similarity: pl.DataFrame):
    similarity = similarity.with_columns(unit=pl.lit("CKA of a test"), least=pl.lit(0.0))
    chart = charts.similarity_heatmap(similarity)
    drawn = picture(chart)
    assert drawn.count(f'stroke="{palette.owner_colour(0)}"') == 2
    assert drawn.count(f'stroke="{palette.owner_colour(1)}"') == 2
    assert "CKA of a test" in drawn
    values = chart.to_dict()["datasets"]
    assert max(map(len, values.values())) == 16
    both = pl.concat(
        [similarity, similarity.with_columns(method=pl.lit("weights"), unit=pl.lit("cosine of the weights"))]
    )
    with pytest.raises(AnalysisError, match="cka, weights"):
        charts.similarity_heatmap(both)
    assert "cosine of the weights" in picture(charts.similarity_heatmap(both, method="weights", dark=True))


def test_a_similarity_that_is_not_symmetric_keeps_both_values():
    frame = pl.DataFrame(
        {
            "layer_a": [0, 0, 1, 1],
            "layer_b": [0, 1, 0, 1],
            "value": [1.0, 0.25, 0.75, 1.0],
            "method": ["function"] * 4,
            "owner_a": [0, 0, 1, 1],
            "owner_b": [0, 1, 0, 1],
        }
    )
    drawn = picture(charts.similarity_heatmap(frame))
    assert ">0.25<" in drawn
    assert ">0.75<" in drawn


def test_attribution_has_intervals_where_they_are_known(attribution: pl.DataFrame):
    drawn = picture(charts.attribution_bars(attribution, title="conductance (nats)"))
    assert "conductance (nats)" in drawn
    assert "→0" in drawn
    assert owner_colours_in(drawn) == {palette.owner_colour(0), palette.owner_colour(1)}
    units = attribution.with_columns(unit=pl.lit("nats per token, of loss(text) - loss(baseline)"))
    assert "(nats per token)<" in picture(charts.attribution_bars(units))
    bare = charts.attribution_bars(attribution.drop("low", "high"))
    assert len(bare.to_dict()["layer"]) == len(charts.attribution_bars(attribution).to_dict()["layer"]) - 1


def test_analyses_without_rows_give_words(similarity: pl.DataFrame, attribution: pl.DataFrame, no_frames: Frames):
    for chart in (
        charts.similarity_heatmap(similarity.clear()),
        charts.attribution_bars(attribution.clear()),
        charts.tie_map(no_frames["ties"]),
    ):
        assert " yet." in picture(chart)


@pytest.mark.parametrize("name", ["tie_map", "similarity", "attribution", *RUN])
def test_every_chart_has_a_caption(name: str):
    assert len(charts.CAPTIONS[name]) > 60


def test_a_page_needs_no_network(run_frames: Frames):
    page = charts.to_html(charts.reward_chart(run_frames["decisions"], dark=True), title="a <run>", dark=True)
    assert "<title>a &lt;run></title>" in page
    assert palette.DARK_PAGE in page
    assert "<script src" not in page
    assert len(page) > 500_000


def test_a_page_without_vl_convert_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch, run_frames: Frames):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(AnalysisError, match="pip install --upgrade vl-convert-python"):
        charts.to_html(charts.epsilon_chart(run_frames["decisions"]))


def test_charts_names_are_all_there():
    assert all(hasattr(charts, name) for name in charts.__all__)
    with pytest.raises(AttributeError):
        _ = charts.pie_chart


def test_options_that_no_chart_has_are_refused(run_frames: Frames):
    wrong: dict[str, Any] = {"heigth": 3}
    with pytest.raises(TypeError, match="heigth"):
        charts.epsilon_chart(run_frames["decisions"], **wrong)
