"""The widgets that look inside a run, Python side: what the browser is told, what comes back, what an error leaves."""

from __future__ import annotations

import gc
import json
import math
import weakref
from collections.abc import Callable
from typing import Any

import altair as alt
import polars as pl
import pytest

from layertie_lab.charts.captions import captioned
from layertie_lab.charts.inside.costs import CAPTIONS, cost_matrix
from layertie_lab.charts.inside.tokens import lens_curve
from layertie_lab.charts.run.glance import memory_bars
from layertie_lab.core.columns import Column
from layertie_lab.core.errors import AnalysisError
from layertie_lab.widgets.pictures import Pictures
from layertie_lab.widgets.probe_panel import ProbePanel
from layertie_lab.widgets.rows_table import RowsTable
from layertie_lab.widgets.time_panel import TimePanel
from layertie_lab.widgets.token_text import TokenText


def messages(widget: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the browser is told from now on, a dictionary per message."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(
        type(widget), "send_state", lambda self, key=None: sent.append({n: getattr(self, n) for n in _names(self, key)})
    )
    return sent


def _names(widget: Any, key: Any) -> list[str]:
    return [key] if isinstance(key, str) else sorted(widget.keys if key is None else key)


def costs(change: float) -> pl.DataFrame:
    rows = [(1, 0, 0, True, 0.0, 0.0, 0.0), (1, 1, 1, False, change, change - 0.1, change + 0.1)]
    return pl.DataFrame(rows, schema=["layer", "answer", "owner", "present", "change", "low", "high"], orient="row")


def lens(loss: float) -> pl.DataFrame:
    return pl.DataFrame({"depth": [0, 1], "layer": [None, 0], "owner": [None, 0], "loss": [3.0, loss]})


# -- pictures ----------------------------------------------------------------------------------------------------------


def filled(part: Any, data: dict[str, list[Any]]) -> Any:
    """The spec with each named data set replaced by its rows again."""
    if isinstance(part, list):
        return [filled(each, data) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        key: {"values": data[value["name"]]} if key == "data" else filled(value, data) for key, value in part.items()
    }


@pytest.mark.parametrize("make", [lambda: cost_matrix(costs(0.4)), lambda: lens_curve(lens(2.0)), lambda: memory_bars(
    pl.DataFrame({"component": ["parameters"], "bytes": [7]}))])  # fmt: skip
def test_a_picture_goes_out_as_its_spec_and_apart_from_it_its_rows(make: Callable[[], alt.LayerChart]) -> None:
    chart = make().to_dict()
    widget = Pictures(columns=2)
    widget.set({"One": captioned(chart, CAPTIONS["costs"]), "Two": make()})
    first, second = widget.panels
    assert first["title"] == "One"
    assert first["caption"].startswith("What would happen at once")
    assert (second["title"], second["caption"]) == ("Two", "")
    assert not {"config", "usermeta", "$schema"} & set(first["spec"])  # the browser's, with the page's theme
    assert first["spec"] == second["spec"]
    assert set(first["spec"]["datasets"]) == set(first["tables"]) == set(first["data"])
    assert not any(first["spec"]["datasets"].values())
    # Put together again it is the chart that was made, place by place.
    whole = {key: value for key, value in chart.items() if key not in ("config", "$schema", "datasets")}
    bare = {key: value for key, value in first["spec"].items() if key != "datasets"}
    assert filled(bare, first["data"]) == filled(whole, chart["datasets"])
    json.dumps(widget.panels, allow_nan=False)


def test_other_rows_leave_the_spec_as_it_is_and_another_chart_does_not() -> None:
    widget = Pictures()
    widget.set({"Lens": lens_curve(lens(2.0))})
    (before,) = widget.panels
    widget.set({"Lens": lens_curve(lens(1.0))})
    (after,) = widget.panels
    assert before["spec"] == after["spec"]
    assert before["data"] != after["data"]
    assert [row["loss"] for rows in after["data"].values() for row in rows] == [3.0, 1.0]
    widget.set({"Lens": lens_curve(lens(1.0), height=100)})
    assert widget.panels[0]["spec"] != after["spec"]


def test_equal_rows_of_two_layers_travel_once_and_unequal_ones_apart() -> None:
    def chart(first: list[dict[str, int]], second: list[dict[str, int]]) -> dict[str, Any]:
        layers = [
            {"data": {"values": rows}, "mark": "point", "encoding": {"x": {"field": "x"}}} for rows in (first, second)
        ]
        return {"layer": layers}

    widget = Pictures()
    widget.set({"a": chart([{"x": 1}], [{"x": 1}]), "b": chart([{"x": 1}], [{"x": 2}]), "c": chart([], [{"x": 2}])})
    equal, unequal, empty = widget.panels
    assert list(equal["data"].values()) == [[{"x": 1}]]
    assert list(unequal["data"].values()) == [[{"x": 1}], [{"x": 2}]]
    names = [layer["data"]["name"] for layer in unequal["spec"]["layer"]]
    assert [unequal["data"][name] for name in names] == [[{"x": 1}], [{"x": 2}]]
    assert [empty["data"][layer["data"]["name"]] for layer in empty["spec"]["layer"]] == [[], [{"x": 2}]]


def test_a_data_set_that_expressions_may_name_keeps_its_name() -> None:
    widget = Pictures()
    widget.set({"Memory": memory_bars(pl.DataFrame({"component": ["parameters"], "bytes": [7]}))})
    assert widget.panels[0]["data"] == {"memory": [{"component": "parameters", "bytes": 7}]}


def test_pictures_replace_each_other_and_the_spec_that_was_handed_in_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = cost_matrix(costs(0.4)).to_dict()
    before = json.dumps(spec)
    widget = Pictures(columns=1)
    sent = messages(widget, monkeypatch)
    widget.set({"A": spec, "B": spec})
    widget.set({"B": spec})
    assert [[panel["title"] for panel in message["panels"]] for message in sent] == [["A", "B"], ["B"]]
    widget.set({})
    assert widget.panels == []
    assert json.dumps(spec) == before
    assert set(widget.themes) == {"light", "dark"}
    assert {"panels", "columns", "themes"} <= set(widget.keys)


# -- the moment --------------------------------------------------------------------------------------------------------

HEARD: dict[str, tuple[str, dict[str, Any], tuple[Any, ...]]] = {
    "move": ("on_move", {"kind": "move", "decision": 4}, (4,)),
    "latest": ("on_move", {"kind": "move", "decision": None}, (None,)),
    "windows": ("on_probe", {"kind": "probe", "sequences": 16, "text": ""}, (16, "")),
    "typed": ("on_probe", {"kind": "probe", "sequences": 8, "text": "To be"}, (8, "To be")),
    "other": ("on_other", {"kind": "other", "name": "b", "decision": None}, ("b", None)),
    "other at": ("on_other", {"kind": "other", "name": "b", "decision": 3}, ("b", 3)),
}
"""What is done -> how one listens to it, the browser's message, what is heard."""
SHOWN = {"move": "about", "latest": "about", "windows": "problem", "typed": "problem", "other": "other_problem",
         "other at": "other_problem"}  # fmt: skip
"""Where an error of it is shown."""


def panel_of(listen: str) -> TimePanel | ProbePanel:
    """The panel that hears it."""
    return TimePanel() if listen == "on_move" else ProbePanel()


@pytest.mark.parametrize("name", HEARD)
def test_what_is_chosen_comes_in_and_nothing_else_is_heard(name: str) -> None:
    listen, message, expected = HEARD[name]
    panel = panel_of(listen)
    heard: dict[str, list[Any]] = {way: [] for way in ("on_move", "on_probe", "on_other") if hasattr(panel, way)}
    ends = {way: getattr(panel, way)(lambda *v, way=way: heard[way].append(v)) for way in heard}
    panel.hear(message)
    assert heard == {way: [expected] if way == listen else [] for way in heard}
    ends[listen]()
    panel.hear(message)
    assert len(heard[listen]) == 1


@pytest.mark.parametrize("name", HEARD)
def test_an_error_is_shown_beside_its_control_alone(name: str) -> None:
    listen, message, _ = HEARD[name]
    panel = panel_of(listen)
    error = AnalysisError("Expected another one, but got this.", "Choose another.")

    def refuse(*values: Any) -> None:
        raise error

    getattr(panel, listen)(refuse)
    panel.hear(message)
    shown = {trait: getattr(panel, trait) for trait in ("about", "problem", "other_problem") if panel.has_trait(trait)}
    assert shown == {trait: str(error) if trait == SHOWN[name] else "" for trait in shown}

    def fail(*values: Any) -> None:
        raise ZeroDivisionError

    getattr(panel_of(listen), listen)(fail)
    other = panel_of(listen)
    getattr(other, listen)(fail)
    with pytest.raises(ZeroDivisionError):  # a fault of the program is none of the person's
        other.hear(message)


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("name", HEARD)
def test_the_page_is_told_when_a_choice_is_dealt_with(
    name: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen, message, _ = HEARD[name]
    panel, sent = panel_of(listen), []
    monkeypatch.setattr(panel, "send", lambda content, buffers=None: sent.append(content))

    def hear(*values: Any) -> None:
        assert sent == []
        if refused:
            raise AnalysisError("Nothing is stored there.")

    getattr(panel, listen)(hear)
    for _ in range(2):  # also where nothing changes, as with the same error twice
        panel.hear(message)
        assert sent == [{"kind": "done"}]
        sent.clear()


def test_a_state_is_told_at_once_and_known_to_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = {"stored": [0, 4, 8], "decision": 8, "follows": False, "about": "After decision 8."}
    looked_at = {
        "source": "8 sequences",
        "sequences": 0,
        "pieces": ["To be"],
        "typed": "To be",
        "warning": "Short.",
        "problem": "None.",
        "others": {"b": "run b"},
        "other": "b",
        "other_stored": [3],
        "other_decision": 3,
        "other_problem": "None.",
    }
    for panel, state in ((TimePanel(), moment), (ProbePanel(), looked_at)):
        assert set(state) <= set(panel.keys)
        sent = messages(panel, monkeypatch)
        panel.show(**state)
        assert sent == [state]
        assert {name: getattr(panel, name) for name in state} == state


@pytest.mark.parametrize("message", [None, "move", {}, {"kind": "explode"}, {"kind": None}, ["move"]])
def test_other_messages_are_not_heard(message: Any) -> None:
    heard: list[Any] = []
    moment, looked_at, text = TimePanel(), ProbePanel(), TokenText()
    for listen in (moment.on_move, looked_at.on_probe, looked_at.on_other, text.on_pick):
        listen(lambda *values: heard.append(values))
    for panel in (moment, looked_at, text):
        panel.hear(message)
    assert heard == []


@pytest.mark.parametrize("name", [*HEARD, "pick"])
def test_who_listens_is_not_kept_alive(name: str) -> None:
    listen, message, _ = HEARD.get(name, ("on_pick", {"kind": "pick", "sequence": 0, "token": 1}, ()))

    class Room:
        def __init__(self) -> None:
            self.heard = 0

        def hear(self, *values: Any) -> None:
            self.heard += 1

    widget, room = TokenText() if name == "pick" else panel_of(listen), Room()
    getattr(widget, listen)(room.hear)
    widget.hear(message)
    assert room.heard == 1
    gone = weakref.ref(room)
    del room
    gc.collect()
    assert gone() is None
    widget.hear(message)


# -- rows as a table ---------------------------------------------------------------------------------------------------


def test_rows_go_out_in_the_order_of_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [Column("layer", "Layer", "Counted from 0", number=True), Column("by", "By", "Who answered")]
    table = RowsTable(columns, by="layer")
    assert [column["head"] for column in table.columns] == ["Layer", "By"]
    assert [column["number"] for column in table.columns] == [True, False]
    assert table.by == "layer"
    sent = messages(table, monkeypatch)
    table.set(
        iter([{"by": "agent", "layer": 2, "more": 1}, {"layer": 0.123456789}, {"by": "you", "layer": math.nan}]),
        "Three rows.",
    )
    rows = [[2, "agent"], [0.1234568, None], [None, "you"]]
    assert sent == [{"rows": rows, "sentence": "Three rows."}]
    assert {"columns", "rows", "by", "sentence"} <= set(table.keys)
    table.set([])
    assert (table.rows, table.sentence) == ([], "")


# -- text as tokens ----------------------------------------------------------------------------------------------------


def test_a_text_goes_out_with_its_numbers_and_the_largest_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    text = TokenText("Losses")
    sent = messages(text, monkeypatch)
    text.set(
        [["a", " "], ["b"]],
        [[None, -3], [2.5]],
        [["first", ""], ["third"]],
        legend="nats",
        picked=(1, 0),
        sentence="It is b.",
    )
    assert sent == [
        {
            "sequences": [
                {"pieces": ["a", " "], "values": [None, -3.0], "tips": ["first", ""]},
                {"pieces": ["b"], "values": [2.5], "tips": ["third"]},
            ],
            "largest": 3.0,
            "legend": "nats",
            "picked": [1, 0],
            "sentence": "It is b.",
        }
    ]
    assert text.title == "Losses"
    assert {"sequences", "largest", "title", "legend", "picked", "sentence"} <= set(text.keys)


@pytest.mark.parametrize(
    ("values", "largest", "expected"),
    [([0.5, -2.0], None, 2.0), ([0.5, -2.0], 4.0, 4.0), ([None, None], None, 1.0), ([0.0, 0.0], None, 1.0),
     ([math.nan, -math.inf], None, 1.0), ([math.nan, 3.0], None, 3.0)],
)  # fmt: skip
def test_the_full_colour_is_that_of_the_largest_finite_number(values: Any, largest: Any, expected: float) -> None:
    text = TokenText()
    text.set([["a", "b"]], [values], largest=largest)
    assert text.largest == expected
    assert text.sequences[0]["tips"] == []
    assert text.picked == []
    json.dumps([text.sequences, text.largest], allow_nan=False)  # a browser reads no NaN


def test_a_pick_comes_in_and_its_error_is_the_sentence() -> None:
    text, heard = TokenText(), []
    end = text.on_pick(lambda *values: heard.append(values))
    text.hear({"kind": "pick", "sequence": 1, "token": 3})
    assert heard == [(1, 3)]
    end()

    def refuse(sequence: int, token: int) -> None:
        raise AnalysisError("Expected a token with others before it, but got the first.", "Pick a later one.")

    text.on_pick(refuse)
    text.hear({"kind": "pick", "sequence": 0, "token": 0})
    assert text.sentence == "Expected a token with others before it, but got the first. Pick a later one."
    assert heard == [(1, 3)]
