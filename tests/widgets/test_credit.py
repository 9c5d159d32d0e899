"""A page that does not keep up is sent no more until it answers, and then all that it missed."""

from __future__ import annotations

from typing import Any

import pytest

from layertie_lab.charts.run.live import live_spec
from layertie_lab.core.ties import TieMap
from layertie_lab.widgets import LiveChart, SteerPanel, TieMapView
from layertie_lab.widgets.credit import ASK_SECONDS, PATIENCE_SECONDS, Credit
from layertie_lab.widgets.decision_table import DecisionTable
from layertie_lab.widgets.layout import Rows, framed


class Page:
    """What a browser would hear of a steering panel and the widgets beside it, and how it answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.heard: list[dict[str, Any]] = []
        self.steer = SteerPanel()
        self.credit = Credit(self.steer.beat, lambda: self.now)
        self.chart = LiveChart({"Loss": live_spec("loss", steps_per_decision=4)})
        self.table, self.tie_map = DecisionTable(), TieMapView(TieMap.all_tied(3))
        self.all = (self.steer, self.chart, self.table, self.tie_map)
        for widget in self.all:
            widget.paced_by(self.credit)
        self.frame = framed(Rows(self.all))
        monkeypatch.setattr(self.frame, "send", lambda message, buffers=None: self.heard.append(message))
        for widget in self.all:
            widget.hear({"kind": "ready"})
        self.answer()

    @property
    def asked(self) -> list[int]:
        return [number for number in (each.get("number") for each in self.contents("beat")) if number is not None]

    def contents(self, kind: str) -> list[dict[str, Any]]:
        contents = [message["content"] for message in self.heard if message["kind"] == "custom"]
        return [content for content in contents if content["kind"] == kind]

    def states(self) -> dict[str, Any]:
        return {k: v for message in self.heard if message["kind"] == "state" for k, v in message["state"].items()}

    def answer(self, number: int | None = None) -> None:
        said = {"kind": "beat", "number": self.asked[-1] if number is None else number}
        self.steer.hear(said)

    def work(self, decision: int) -> None:
        """What a run does to its page with a decision."""
        self.chart.push({"steps": [{"step": 4 * decision, "decision": decision, "loss": 1.0}]})
        self.table.push({"decisions": [{"decision": decision}]})
        for widget in (self.chart, self.table):
            widget.flush()
        self.tie_map.record(decision, TieMap((0, decision % 2, 0)), [0, 0, 0])
        self.tie_map.show_news()
        self.steer.show(decision=decision)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(monkeypatch)


def test_a_page_that_answers_is_sent_everything_and_asked_seldom(page: Page) -> None:
    for decision in range(1, 101):
        page.now += 0.1
        page.work(decision)
        page.answer()
    assert not page.credit.held
    assert len(page.contents("history")) >= 100
    assert page.states()["decision"] == 100
    assert len(page.asked) <= 2 + 10 / ASK_SECONDS


def test_a_page_that_sleeps_is_sent_no_more_and_then_what_it_missed(page: Page) -> None:
    page.now += ASK_SECONDS
    page.work(1)
    asked = page.asked[-1]
    page.now += PATIENCE_SECONDS + 1
    page.work(2)
    sent = len(page.heard)
    for decision in range(3, 3_000):
        page.now += 0.1
        page.work(decision)
    assert page.credit.held
    assert len(page.heard) == sent

    page.answer(asked)
    assert not page.credit.held
    assert page.states()["decision"] == 2_999
    rows = [each for each in page.contents("append") if "rows" in each][-1]["rows"]
    assert rows[-1][0] == 2_999
    assert page.contents("history")[-1]["last"] == 2_999
    assert len(page.heard) - sent < 10
    page.now += 1
    page.work(3_000)
    assert page.states()["decision"] == 3_000


def test_a_page_whose_connection_was_another_one_is_sent_all_anew(page: Page) -> None:
    page.work(1)
    page.now += ASK_SECONDS
    page.work(2)
    page.now += PATIENCE_SECONDS + 1
    page.work(3)
    assert page.credit.held
    before = len(page.heard)
    # The question is gone with the connection. The page says something, and is asked again.
    page.steer.hear({"kind": "ping"})
    page.answer()
    after = page.heard[before:]
    assert not page.credit.held
    resets = [message["content"] for message in after if message["kind"] == "custom"]
    assert [each["kind"] for each in resets].count("reset") == 2
    assert any("start" in each for each in resets)
    assert page.states()["decision"] == 3
    told = {name for message in after if message["kind"] == "state" for name in message["state"]}
    assert {"decision", "panels", "sources"} <= told


def test_what_nobody_asked_is_no_answer(page: Page) -> None:
    page.now += ASK_SECONDS
    page.work(1)
    page.now += PATIENCE_SECONDS + 1
    page.work(2)
    for number in (0, 10**6):
        page.answer(number)
    assert page.credit.held


def test_before_a_page_has_said_anything_nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    steer = SteerPanel()
    credit = Credit(steer.beat, lambda: 0.0)
    assert all(credit.may_send() for _ in range(100))
