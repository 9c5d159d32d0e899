"""Rows to the browser: coalesced, few, short; a view that appears gets all of them, thinned."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from layertie_lab.charts.run.live import live_chart, live_spec
from layertie_lab.widgets import LiveChart
from layertie_lab.widgets.live.live_chart import ROWS_AFTER_RESET, ROWS_IN_BROWSER
from layertie_lab.widgets.live.row_store import KEPT_ROWS, RowStore, short, wanted_columns

READY = {"kind": "ready"}


def step_row(step: int) -> dict[str, Any]:
    loss = 9.0 if step == 777 else 2.0 + (step % 13) / 97
    return {
        "step": step,
        "decision": (step + 3) // 4,
        "loss": loss,
        "perplexity": 2.0,
        "learning_rate": 1e-3,
        "gradient_norm": 1.0,
    }


@pytest.fixture
def chart() -> LiveChart:
    return LiveChart({"Loss": live_spec("loss")})


@pytest.fixture
def sent(chart: LiveChart, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    messages: list[Any] = []
    monkeypatch.setattr(chart, "send", lambda content, buffers=None: messages.append(content))
    return messages


def wait_for(condition: Any, seconds: float = 2.0) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    assert condition()


def test_nothing_is_sent_before_a_view_is_ready(chart: LiveChart, sent: list[Any]) -> None:
    chart.push({"steps": [step_row(1)]})
    assert sent == []
    chart.hear(READY)
    assert [message["kind"] for message in sent] == ["reset"]
    assert sent[0]["tables"]["steps"]["step"] == [1]


def test_rows_travel_in_columns_that_a_panel_reads(chart: LiveChart, sent: list[Any]) -> None:
    chart.hear(READY)
    chart.push({"steps": [step_row(1) | {"loss": 2.123456789}], "samples": [{"text": "never read"}]})
    wait_for(lambda: len(sent) > 1)
    assert sent[1]["kind"] == "append"
    assert set(sent[1]["tables"]) == {"steps"}
    assert sent[1]["tables"]["steps"]["loss"] == [2.123457]
    assert "gradient_norm" not in sent[1]["tables"]["steps"]


def test_a_burst_is_one_message_and_nothing_is_lost(chart: LiveChart, sent: list[Any]) -> None:
    chart.hear(READY)
    start = time.monotonic()
    threads = [
        threading.Thread(target=lambda first=first: [chart.push({"steps": [step_row(first + n)]}) for n in range(100)])
        for first in (1, 101, 201)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def received() -> list[int]:
        return [step for message in sent[1:] for step in message["tables"]["steps"]["step"]]

    wait_for(lambda: len(received()) == 300)
    assert len(sent) - 1 <= 2 + (time.monotonic() - start) / 0.1
    assert sorted(received()) == list(range(1, 301))


def test_a_reset_comes_after_many_appended_rows_and_keeps_the_peak(chart: LiveChart, sent: list[Any]) -> None:
    chart.hear(READY)
    chart.push({"steps": [step_row(step) for step in range(1, 6001)]})
    wait_for(lambda: len(sent) > 1)
    assert sent[-1]["kind"] == "reset"
    columns = sent[-1]["tables"]["steps"]
    held = len(columns["step"])
    assert held <= ROWS_AFTER_RESET
    assert 777 in columns["step"]
    assert columns["step"] == sorted(columns["step"])
    chart.push({"steps": [step_row(step) for step in range(6001, 6001 + ROWS_IN_BROWSER - held)]})
    wait_for(lambda: len(sent) > 2)
    assert sent[-1]["kind"] == "append"
    chart.push({"steps": [step_row(9000)]})
    wait_for(lambda: len(sent) > 3)
    assert sent[-1]["kind"] == "reset"


def test_python_holds_a_bounded_number_of_rows() -> None:
    store = RowStore({"steps": {"step", "decision", "loss"}})
    for first in range(0, 60_000, 2_000):
        store.add("steps", [step_row(first + n) for n in range(2_000)])
    assert len(store) <= KEPT_ROWS
    thin = store.thinned(ROWS_AFTER_RESET)["steps"]
    assert 777 in thin["step"]
    assert thin["step"][-1] == 59_999


def test_reset_forgets(chart: LiveChart, sent: list[Any]) -> None:
    chart.hear(READY)
    chart.push({"steps": [step_row(1)]})
    chart.reset({"steps": [step_row(5)]})
    assert sent[-1]["tables"]["steps"]["step"] == [5]
    chart.reset()
    assert sent[-1] == {"kind": "reset", "tables": {}}


def test_repeated_ties_are_left_out() -> None:
    store = RowStore(wanted_columns(live_spec("history")))
    first = [{"decision": 0, "layer": layer, "source": 0, "owner": 0, "block": 0} for layer in range(3)]
    second = [row | {"decision": 1} for row in first]
    second[2] = second[2] | {"source": 2, "owner": 2}
    assert len(store.add("ties", first)) == 3
    assert [row["layer"] for row in store.add("ties", second)] == [2]


def test_panels_go_out_without_what_the_browser_sets(chart: LiveChart) -> None:
    panel = chart.panels[0]
    assert panel["title"] == "Loss"
    assert panel["caption"]
    assert not {"config", "usermeta", "$schema"} & set(panel["spec"])
    assert set(panel["tables"]) == {"steps", "evaluations", "decisions", "reference"}
    assert panel["spec"]["datasets"]["hover_row"] == []
    assert set(chart.themes) == {"light", "dark"}


def test_a_chart_with_rows_is_taken_as_it_is() -> None:
    chart = LiveChart({"Loss": live_chart("loss", rows={"steps": [step_row(3)]})}, captions={"Loss": "Mine."})
    assert chart.panels[0]["caption"] == "Mine."
    assert chart.panels[0]["spec"]["datasets"]["steps"] == []
    assert chart._store.thinned(10)["steps"]["step"] == [3]


def test_panels_over_the_other_axis_keep_the_rows(chart: LiveChart, sent: list[Any]) -> None:
    chart.hear(READY)
    chart.push({"steps": [step_row(1)]})
    chart.set_panels({"Loss": live_spec("loss", x="step"), "Reward": live_spec("reward", x="step")}, x="step")
    assert chart.x == "step"
    assert [panel["title"] for panel in chart.panels] == ["Loss", "Reward"]
    assert sent[-1]["kind"] == "reset"
    assert sent[-1]["tables"]["steps"]["step"] == [1]


def test_numbers_are_short_and_json_can_hold_them() -> None:
    assert short(0.000123456789) == 0.0001234568
    # Rounded to what is read of it, it is what the number itself is rounded to.
    assert f"{short(2.53649):.3f}" == f"{2.53649:.3f}" == "2.536"
    assert short(float("nan")) is None
    assert short(float("-inf")) is None
    assert short(1_556_000_123) == 1_556_000_123
    assert short(True) is True
    assert len(json.dumps(short(123456.789))) <= 9
