"""Live panels: named data sets, titles with units, hover and zoom that a widget can drive, words when empty."""

import json
import re
from functools import cache
from typing import Any

import altair as alt
import pytest
import vl_convert

from layertie_lab.charts import CAPTIONS, palette
from layertie_lab.charts.run.live import HOVER_DATA, LIVE, REFERENCE_DATA, ZOOM_SIGNAL, live_chart
from layertie_lab.charts.run.live import live_spec as make_spec
from layertie_lab.charts.theme import vega_config
from layertie_lab.core.errors import AnalysisError
from layertie_lab.core.tables import COLUMNS

live_spec = cache(make_spec)  # never changed in place here
SHARED = [name for name, panel in LIVE.items() if panel.shared_x]


def titles(spec: dict[str, Any], channel: str) -> set[str]:
    encodings = [layer["encoding"].get(channel, {}) for layer in spec["layer"]]
    return {encoding["title"] for encoding in encodings if encoding.get("title")}


def picture(spec: dict[str, Any]) -> str:
    return _draw(json.dumps(spec | {"width": 600}))


@cache
def _draw(spec: str) -> str:
    drawn = vl_convert.vegalite_to_svg(spec)
    return re.sub(r"clip\d+", "clip", drawn)  # clip paths are numbered through the process


def with_rows(name: str, rows: dict[str, Any], **options: Any) -> dict[str, Any]:
    """As `with_rows(name, rows)`; a test over static charts holds that this is all that rows change."""
    spec = live_spec(name, **options)
    return spec | {"datasets": spec["datasets"] | {data: rows[data] for data in spec["datasets"] if data in rows}}


@pytest.mark.parametrize("name", LIVE)
def test_a_panel_compiles_and_keeps_the_names_of_its_tables(name: str):
    spec = live_spec(name)
    tables = LIVE[name].tables
    assert set(tables) <= {*COLUMNS, REFERENCE_DATA}
    for data in (*tables, HOVER_DATA):
        assert spec["datasets"][data] == []
    alt.Chart.from_dict(spec)  # against the schema
    vega = vl_convert.vegalite_to_vega(spec)
    assert {*tables, HOVER_DATA} <= {data["name"] for data in vega["data"]}
    # One zoom signal of the same name in all panels that share x, so that a widget can link them.
    assert (ZOOM_SIGNAL in {signal["name"] for signal in vega["signals"]}) == LIVE[name].shared_x
    assert spec["width"] == "container"
    assert spec["height"] == LIVE[name].height
    assert "hconcat" not in spec
    assert "vconcat" not in spec


@pytest.mark.parametrize("name", LIVE)
def test_a_panel_reads_only_columns_that_its_tables_have(name: str):
    spec = live_spec(name)
    read = set(re.findall(r"datum\.(\w+)", json.dumps(spec["layer"])))
    made = set(re.findall(r'"as": "(\w+)"', json.dumps(spec["layer"])))
    made |= {made for layer in spec["layer"] for t in layer.get("transform", []) for made in _made(t)}
    known = {column for table in LIVE[name].tables for column in COLUMNS.get(table, ["name", "loss"])}
    # A mean taken before thinning, which only a static chart brings; value and label of an axis's ticks.
    assert read - made - known <= {"mean_reward", "value", "label"}


def _made(transform: dict[str, Any]) -> list[str]:
    made = transform.get("as", [])
    return made if isinstance(made, list) else [made]


@pytest.mark.parametrize("name", LIVE)
@pytest.mark.parametrize("x", ["decision", "step"])
def test_axes_have_titles_with_units(name: str, x: str):
    spec = live_spec(name, x=x)
    assert len(titles(spec, "y")) == 1
    if LIVE[name].shared_x:
        word = "decision" if x == "decision" else "optimizer step"
        assert titles(spec, "x") == {f"{word} (1 decision = 4 steps)"}
    (y,) = titles(spec, "y")
    assert "(" in y or name == "q_values"
    # 14 px type, about 7 px a letter: a longer title would be cut off above and below.
    assert len(y) * 7 <= spec["height"]


@pytest.mark.parametrize("name", LIVE)
def test_captions_say_what_the_symbols_mean(name: str):
    assert live_spec(name)["usermeta"]["caption"] == CAPTIONS[name]
    text = json.dumps(live_spec(name))
    if palette.OVERRIDE in text:
        assert "diamond" in CAPTIONS[name]
    if "zoom" in text and LIVE[name].shared_x:
        assert "zoom" in CAPTIONS[name]


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize(("x", "at"), [("decision", "datum.decision"), ("step", "datum.step")])
def test_a_row_in_hover_row_draws_a_rule_and_a_readout(name: str, x: str, at: str, run_rows: dict[str, Any]):
    spec = live_spec(name, x=x)
    rules = [layer for layer in spec["layer"] if layer["data"].get("name") == HOVER_DATA]
    assert any(rule["mark"]["type"] == "rule" and rule["transform"][0]["calculate"] == at for rule in rules)
    filled = with_rows(name, run_rows, x=x)
    assert "decision 30" in picture(filled)
    filled["datasets"][HOVER_DATA] = [{"step": 28, "decision": 7}]
    assert "decision 7" in picture(filled)


@pytest.mark.parametrize("name", ["loss", "history", "memory"])
def test_a_step_within_a_decision_reads_out_that_decision(name: str, run_rows: dict[str, Any]):
    pointed = run_rows | {HOVER_DATA: [{"step": 26, "decision": 6.5}]}
    assert "decision 7" in picture(with_rows(name, pointed))
    # Thinned out: the latest before it.
    tables = {t: [row for row in rows if row.get("decision") != 7] for t, rows in run_rows.items()}
    assert "decision 6 ·" in picture(with_rows(name, tables | {HOVER_DATA: pointed[HOVER_DATA]}))


def test_an_empty_part_of_a_plot_feels_the_pointer():
    # Vega gives no pointer events where nothing is drawn; a transparent fill counts as drawn.
    for dark in (False, True):
        assert vega_config(dark)["view"]["fill"] == "transparent"


def test_the_axis_has_no_labels_before_the_start_or_within_a_decision(run_rows: dict[str, Any]):
    first = {table: [row for row in rows if row.get("decision", 0) <= 1] for table, rows in run_rows.items()}
    drawn = picture(with_rows("reward", first, x="decision"))
    ticks = re.search(r"axis-label.*?</g>", drawn, re.DOTALL)
    assert ticks
    assert "0.5<" not in ticks[0]
    assert "−1<" not in ticks[0]


def test_q_values_are_those_of_the_decision_under_the_pointer(run_rows: dict[str, Any]):
    filled = with_rows("q_values", run_rows)
    assert "decision 30 · layer 5" in picture(filled)
    filled["datasets"][HOVER_DATA] = [{"step": 28, "decision": 7}]
    drawn = picture(filled)
    assert "decision 7 · layer 2 (under the pointer)" in drawn
    assert "tie to 1<" in drawn
    assert "train on its own<" in drawn
    assert "tie to 2<" not in drawn


def test_an_answer_sent_twice_counts_once(run_rows: dict[str, Any]):
    last = [row for row in run_rows["q_values"] if row["decision"] == 30]
    proposed = [row | {"chosen": False} for row in last]
    once, twice = ({"q_values": rows} for rows in (last, proposed + last))
    assert picture(with_rows("q_values", once)) == picture(with_rows("q_values", twice))


@pytest.mark.parametrize("name", LIVE)
def test_light_and_dark_differ_in_config_only(name: str):
    light, dark = dict(live_spec(name)), dict(live_spec(name, dark=True))
    assert light.pop("config")["axis"] == vega_config(dark=False)["axis"]
    assert dark.pop("config")["axis"]["labelColor"] == vega_config(dark=True)["axis"]["labelColor"]
    assert light == dark


@pytest.mark.parametrize("name", LIVE)
def test_a_panel_without_rows_says_so_in_words(name: str, run_rows: dict[str, Any]):
    words = {"yet", "appears"}
    empty = picture(live_spec(name))
    assert any(word in empty for word in words)
    assert not any(f" {word}" in picture(with_rows(name, run_rows)) for word in words)


@pytest.mark.parametrize("name", LIVE)
def test_everything_that_may_lie_outside_the_plot_has_its_place_in_pixels(name: str):
    # An unclipped mark that follows the data would, once zoomed, push the plot aside.
    for layer in live_spec(name)["layer"]:
        if layer["mark"].get("clip") is False:
            free = {c for c in ("x", "y") if "field" in layer["encoding"].get(c, {})}
            assert free <= {"y"}


def test_styles_are_defined_for_both_themes():
    used = set(re.findall(r'"style": "([\w-]+)"', json.dumps([live_spec(name) for name in LIVE])))
    assert used
    assert all(used <= set(vega_config(dark)["style"]) for dark in (False, True))


def test_the_history_survives_rows_that_repeat_being_left_out(run_rows: dict[str, Any]):
    held: dict[int, tuple[Any, ...]] = {}
    short = []
    for row in run_rows["ties"]:
        now = (row["source"], row["owner"], row["block"])
        if held.get(row["layer"]) != now:
            short.append(row)
        held[row["layer"]] = now
    assert len(short) < len(run_rows["ties"]) / 2
    whole = picture(with_rows("history", run_rows))
    assert picture(with_rows("history", run_rows | {"ties": short})) == whole


def test_owners_have_their_colour_in_the_history(run_rows: dict[str, Any]):
    drawn = picture(with_rows("history", run_rows))
    owners = {row["owner"] for row in run_rows["ties"]}
    assert all(palette.owner_colour(owner) in drawn for owner in owners)
    by_block = picture(with_rows("history", run_rows, by="block"))
    assert by_block != drawn


def test_an_unknown_panel_is_refused_with_the_names_of_the_known():
    with pytest.raises(AnalysisError, match="loss"):
        live_chart("lost")
