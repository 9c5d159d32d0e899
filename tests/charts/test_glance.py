"""A moment of a run at a glance: the rows of that decision alone, and only the pictures that the log has rows for."""

from __future__ import annotations

import json

import altair as alt
import polars as pl
import pytest
from drawn_marks import marks, words
from simulated_runs import Tables

from layertie_lab.charts import CAPTIONS
from layertie_lab.charts.palette import MEMORY_COLOURS, owner_colour
from layertie_lab.charts.run.glance import glance, memory_bars

VALUES, MEMORY = "Value of each action to the agent", "Memory of a training step"
Frames = dict[str, pl.DataFrame]


def of(frames: Frames, decision: int) -> dict[str, dict]:
    return glance(frames["q_values"], frames["memory"], decision)


def test_values_are_those_of_the_decision_in_the_colours_of_the_answers(run_frames: Frames, run_rows: Tables) -> None:
    for decision in (4, 17):
        bars = [mark for mark in marks(of(run_frames, decision)[VALUES]) if mark.kind == "bar"]
        rows = [row for row in run_rows["q_values"] if row["decision"] == decision]
        names = ["train on its own" if row["answer"] == row["layer"] else f"tie to {row['answer']}" for row in rows]
        assert {bar.fields["action"]: bar.number("value") for bar in bars} == {
            name: pytest.approx(row["q_value"], rel=1e-4) for name, row in zip(names, rows, strict=True)
        }
        assert {bar.fields["action"]: bar.fill for bar in bars} == {
            name: owner_colour(row["answer"]) for name, row in zip(names, rows, strict=True)
        }
        assert any(text.startswith(f"decision {decision} ") for text in words(of(run_frames, decision)[VALUES]))


def test_the_memory_is_in_megabytes_by_component(run_frames: Frames) -> None:
    drawn = marks(of(run_frames, 4)[MEMORY])
    bars = {mark.fields["component"]: mark for mark in drawn if mark.kind == "bar"}
    sizes = {"parameters": 0.009, "gradients": 0.004, "optimizer": 0.008, "activations": 0.05}
    assert {component: bar.number("MB") for component, bar in bars.items()} == sizes
    assert {component: bar.fill for component, bar in bars.items()} == {name: MEMORY_COLOURS[name] for name in sizes}
    assert {mark.fields["component"]: float(mark.text) for mark in drawn if mark.text} == sizes


def test_a_picture_without_rows_is_left_out(run_frames: Frames, no_frames: Frames) -> None:
    assert list(of(run_frames, 1)) == [VALUES, MEMORY]
    assert of(run_frames, 0) == {}  # nothing is decided before the first
    assert of(no_frames, 1) == {}
    assert list(glance(no_frames["q_values"], run_frames["memory"], 1)) == [MEMORY]  # a policy without values


def test_one_decision_after_another_leaves_no_rows_behind(run_frames: Frames) -> None:
    first = json.dumps(of(run_frames, 3))
    of(run_frames, 9)
    assert json.dumps(of(run_frames, 3)) == first
    later = of(run_frames, 9)
    assert {row["decision"] for row in later[VALUES]["datasets"]["q_values"]} == {9}
    # But for the rows it is the same spec, so that a page needs no new view.
    same = {title: spec | {"datasets": {}} for title, spec in later.items()}
    assert same == {title: spec | {"datasets": {}} for title, spec in of(run_frames, 3).items()}


def test_each_is_valid_fills_its_container_and_says_how_to_read_it(run_frames: Frames) -> None:
    found = of(run_frames, 4)
    for spec in found.values():
        assert isinstance(alt.Chart.from_dict(spec), alt.LayerChart)
        assert spec["width"] == "container"
    assert found[MEMORY]["usermeta"]["caption"] == CAPTIONS["moment_memory"]
    caption = found[VALUES]["usermeta"]["caption"]
    assert CAPTIONS["q_values"].startswith(caption)
    assert "under the pointer" not in caption  # there is one decision in it, and nothing to point at


def test_bars_without_rows_wait_for_them(run_frames: Frames) -> None:
    assert memory_bars().to_dict()["datasets"] == {"memory": []}
    filled = memory_bars(run_frames["memory"].filter(decision=4), dark=True).to_dict()
    assert len(filled["datasets"]["memory"]) == 4
