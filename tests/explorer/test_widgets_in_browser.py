"""The widgets in headless Chromium, behind a real marimo server: `pytest -m browser tests/widgets`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from marimo_pages import Page, served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(Path(__file__).parent / "widgets_page.py", tmp_path_factory.mktemp("server")) as address:
        yield address


class Visit(Page):
    """A page with the widgets of a run on it."""

    def __init__(self, browser: Any, address: str, query: str = "", **context: Any) -> None:
        super().__init__(browser, f"{address}/?{query}", **context)
        self.steer = self.page.locator(".ll-steer")
        self.charts = self.page.locator(".ll-charts")
        self.map = self.page.locator(".ll-map")
        self.steer.wait_for(timeout=30_000)
        self.charts.locator("canvas").nth(2).wait_for(timeout=15_000)
        self.until(lambda: self.map.get_attribute("data-hand") == "1")

    def data(self, name: str) -> str:
        return self.charts.get_attribute(f"data-{name}") or ""

    def canvas(self, panel: str) -> Any:
        return self.page.locator(f'.ll-panel[data-panel="{panel}"] canvas')

    def run_some(self, decisions: int) -> None:
        self.steer.locator("input[type=number]").fill(str(decisions))
        self.steer.get_by_role("button", name="Run only").click()

    def is_paused(self) -> bool:
        return self.steer.get_attribute("data-status") == "paused"


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Visit]]:
    visits: list[Visit] = []

    def go(query: str = "", **context: Any) -> Visit:
        visits.append(Visit(browser, address, query, **context))
        return visits[-1]

    yield go
    for one in visits:
        one.close()


def test_charts_live_on_while_rows_come(visit: Callable[..., Visit]) -> None:
    at = visit("seconds=0.02")
    for number in range(3):
        at.charts.locator("canvas").nth(number).evaluate("canvas => (canvas.mark = 'first')")
    at.run_some(150)
    at.until(lambda: int(at.data("rows") or 0) > 60)

    box = at.canvas("Loss").bounding_box()
    at.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5)
    at.page.keyboard.down("Control")
    at.page.mouse.wheel(0, -200)
    at.page.keyboard.up("Control")
    at.until(lambda: at.data("zoomed") != "")
    at.until(lambda: at.data("hovered") not in ("", None))
    zoomed, hovered, drawn, rows = (at.data(name) for name in ("zoomed", "hovered", "draws", "rows"))

    at.received, start = 0, time.monotonic()
    at.page.wait_for_timeout(4000)
    per_second = at.received / (time.monotonic() - start)
    assert int(at.data("rows")) > int(rows) + 80
    assert int(at.data("draws")) > int(drawn) + 15
    assert at.data("zoomed") == zoomed
    assert at.data("hovered") == hovered
    assert at.charts.locator("canvas").evaluate_all("all => all.map(canvas => canvas.mark)") == ["first"] * 3
    assert per_second < 25_000, f"{per_second:.0f} bytes per second"

    assert at.far_requests() == []
    assert at.complaints == []


def test_hover_shows_the_same_step_in_every_panel(visit: Callable[..., Visit]) -> None:
    at = visit("seconds=0.001")
    at.run_some(40)
    at.until(lambda: at.is_paused() and int(at.data("rows") or 0) > 190)
    at.page.wait_for_timeout(300)
    box = at.canvas("Reward").bounding_box()
    before = {panel: at.canvas(panel).screenshot() for panel in ("Loss", "Reward", "Trainable parameters")}
    at.page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.6)
    at.until(lambda: at.data("hovered") != "")
    at.page.wait_for_timeout(200)
    assert 0 < int(at.data("hovered")) < 160
    for panel, picture in before.items():
        assert at.canvas(panel).screenshot() != picture, f"{panel} does not show the hover"
    at.page.mouse.move(box["x"] + 5, 5)
    at.until(lambda: at.data("hovered") == "")


def test_clicks_and_keys_answer_for_the_layer_at_hand(visit: Callable[..., Visit]) -> None:
    at = visit("seconds=0.001")
    proposed = int(at.steer.locator("[data-proposed]").get_attribute("data-source"))
    other = 1 - proposed
    block = at.map.locator(f'.ll-block[data-layer="{other}"]')
    assert "Press Enter" in block.get_attribute("aria-label")
    assert "Press Enter" not in at.map.locator('.ll-block[data-layer="2"]').get_attribute("aria-label")
    at.map.locator('.ll-block[data-layer="2"]').click(force=True)
    assert at.map.get_attribute("data-answered") is None
    block.hover()
    at.until(lambda: "layer 1" in (at.map.locator(".ll-say").text_content() or "").lower())
    block.click()
    at.until(lambda: at.map.get_attribute("data-hand") == "2")
    assert at.map.get_attribute("data-answered") == str(other)
    at.until(lambda: at.map.locator('.ll-block[data-layer="1"] .ll-override').is_visible())

    at.until(lambda: at.map.locator('.ll-block[data-layer="2"][data-legal]').count() == 1)
    at.map.locator('.ll-block[tabindex="0"]').focus()
    at.page.keyboard.press("Home")
    at.page.keyboard.press("ArrowRight")
    assert at.map.locator(".ll-block:focus").get_attribute("data-layer") == "1"
    at.page.keyboard.press("Enter")
    at.until(lambda: at.map.get_attribute("data-hand") == "3")
    assert "tied to layer 1" in at.map.locator('.ll-block[data-layer="2"]').get_attribute("aria-label")

    at.until(lambda: at.steer.locator('.ll-answer[aria-disabled="false"]').count() == 4)
    at.steer.locator('.ll-answer[data-source="3"]').click()
    at.until(lambda: at.map.get_attribute("data-hand") == "4")
    assert "independent" in at.map.locator('.ll-block[data-layer="3"]').get_attribute("aria-label")
    assert at.complaints == []


def test_buttons_answer_at_once(visit: Callable[..., Visit]) -> None:
    at = visit("seconds=0.02")
    for number in range(5):
        at.steer.get_by_role("button", name="Step", exact=True).click()
        at.until(lambda number=number: at.map.get_attribute("data-hand") == str(2 + number))
        assert float(at.steer.get_attribute("data-ack-ms")) < 250
        assert float(at.steer.get_attribute("data-acted-ms")) < 500
        at.until(at.is_paused)
    at.steer.get_by_role("button", name="Run", exact=True).first.click()
    assert at.steer.get_by_role("button", name="Pause", exact=True).is_visible()
    at.until(lambda: at.steer.get_attribute("data-acted-kind") == "run")
    at.page.wait_for_timeout(500)
    at.steer.get_by_role("button", name="Pause", exact=True).click()
    at.until(lambda: at.is_paused() and at.steer.get_attribute("data-acted-kind") == "pause")
    assert float(at.steer.get_attribute("data-ack-ms")) < 250
    assert at.complaints == []


def test_a_theme_that_turns_and_a_narrow_page_lose_nothing(visit: Callable[..., Visit]) -> None:
    at = visit("seconds=0.001&layers=48&merging=1", viewport={"width": 600, "height": 900})
    at.run_some(60)
    at.until(lambda: at.is_paused() and at.map.locator(".ll-history").get_attribute("data-decisions") == "60")
    at.page.wait_for_timeout(300)
    rows = at.data("rows")
    at.page.evaluate("document.body.dataset.theme = 'dark'")
    at.until(lambda: at.data("theme") == "dark")
    at.page.wait_for_timeout(300)
    assert at.data("rows") == rows
    assert at.steer.get_attribute("data-theme") == "dark"
    for panel in ("Loss", "Reward", "Trainable parameters"):
        assert at.canvas(panel).bounding_box()["width"] <= 600
    assert at.page.get_by_text("as truly stored").is_visible()
    assert at.page.evaluate("document.documentElement.scrollWidth") <= 600
    assert at.complaints == []


def test_charts_that_come_back_from_a_hidden_tab_are_complete(visit: Callable[..., Visit]) -> None:
    at = visit("seconds=0.001&tabs=1")
    at.run_some(30)
    at.until(lambda: at.is_paused() and int(at.data("rows") or 0) >= 154)
    rows = at.data("rows")
    at.page.get_by_role("tab", name="Words").click()
    at.until(lambda: at.charts.count() == 0)
    at.steer.get_by_role("button", name="Step", exact=True).click()
    at.until(lambda: at.steer.get_attribute("data-acted-kind") == "step" and at.is_paused())
    at.page.get_by_role("tab", name="Charts").click()
    at.until(lambda: at.charts.count() == 1 and int(at.data("rows") or 0) == int(rows) + 5)
    assert at.complaints == []
