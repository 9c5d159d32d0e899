"""The explorer while training takes both cores: how fast it answers, how little it sends, how surely workers end.

`pytest -m "browser and slow" tests/apps -s` prints the figures, and writes them to LAYERTIE_REPORT if that is set.
What depends on the machine is asserted with room; the figures tell the rest.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from chromium import FLAGS
from explorer_tab import Server, Tab, ended, wait_for

from layertie_lab.bench.runner import machine

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

CLICKS = 44
WATCHED_SECONDS = 180
TTL = 5
RUN = "scale=laptop&decisions=1000000&seed=1&threads=2&evaluate_every=50&sample_every=0"


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    figures: dict[str, Any] = {"cores": os.cpu_count()}
    yield figures
    print("\n" + json.dumps(figures, indent=2))
    if path := os.environ.get("LAYERTIE_REPORT"):
        Path(path).write_text(json.dumps({"machine": machine("cpu"), "figures": figures}, indent=2) + "\n")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("load"), threads="") as started:
        yield started


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, ttl=TTL) as started:
        yield started


def test_the_app_stays_alive_while_both_cores_train(browser: Any, server: Server, report: dict[str, Any]) -> None:
    tab = Tab(browser, server.address, RUN)
    tab.start()
    wait_for(lambda: tab.decisions > 5, 60, "the run")
    worker = server.worker(tab.run)
    assert worker is not None
    watch = Watch(tab)
    watch.zoom()

    received, acted = click(tab, CLICKS)
    report["clicks"] = sum(map(len, received.values()))
    report["click_to_received_ms"] = spread([each for some in received.values() for each in some])
    report["click_to_acted_ms"] = spread([each for some in acted.values() for each in some])
    report["to_acted_ms_of"] = {kind: spread(some) for kind, some in acted.items()}
    assert report["clicks"] >= 40
    assert report["click_to_received_ms"]["median"] < 300
    assert report["click_to_acted_ms"]["median"] < 1000

    if tab.status != "running":
        tab.toggle()
        tab.until("running")
    report["to_shown_ms_of"] = {"scrub": spread(scrub(tab, 20)), "view": spread(turn(tab, 20))}
    assert all(each["median"] < 1000 for each in report["to_shown_ms_of"].values())

    if tab.status != "running":
        tab.toggle()
        tab.until("running")
    worker.cpu_percent()
    watch.begin()
    time.sleep(WATCHED_SECONDS)
    report |= watch.end()
    report["worker_cpu_percent"] = worker.cpu_percent()
    report["steps_per_second"] = report["steps"] / report["seconds"]
    tab.close()
    assert not tab.complaints
    assert report["same_canvas"]
    assert report["zoom_unchanged"]
    assert report["most_rows"] <= 4_000
    assert report["bytes_per_second"] < 25_000
    assert report["updates_per_second"] > 3
    assert report["heap_growth_mb"] < 30


def test_a_worker_ends_with_the_session_of_a_killed_tab(short_lived: Server, report: dict[str, Any]) -> None:
    with running_in_a_browser_of_its_own(short_lived) as (worker, kill):
        kill()
        took = wait_for(lambda: ended(worker), TTL + 20, "the worker to end")
    report["worker_gone_after_ttl_s"] = took - TTL
    assert took - TTL < 8


def test_a_worker_ends_with_a_farewell(browser: Any, short_lived: Server, report: dict[str, Any]) -> None:
    tab = Tab(browser, short_lived.address, "scale=tiny&decisions=1000000&threads=1")
    tab.start()
    wait_for(lambda: tab.decisions > 0, 30, "the run")
    worker = short_lived.worker(tab.run)
    assert worker is not None
    tab.close()
    report["worker_gone_after_farewell_s"] = wait_for(lambda: ended(worker), 20, "the worker to end")
    assert report["worker_gone_after_farewell_s"] < 8


def test_a_worker_ends_with_a_killed_server(browser: Any, short_lived: Server, report: dict[str, Any]) -> None:
    tab = Tab(browser, short_lived.address, "scale=tiny&decisions=1000000&threads=1")
    tab.start()
    wait_for(lambda: tab.decisions > 0, 30, "the run")
    children, worker = short_lived.children(), short_lived.worker(tab.run)
    assert worker in children
    assert worker is not None
    short_lived.process.kill()
    took = wait_for(lambda: ended(worker), 20, "the worker to end")
    report["worker_gone_after_server_kill_s"] = took
    assert took < 6
    wait_for(lambda: all(map(ended, children)), 20, "the other children to end")
    tab.close()


KINDS = ("pause", "step", "commit", "run")


def click(tab: Tab, count: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Press Pause, Step, an answer and Run in turn; of each kind, milliseconds until received, and until its effect."""
    received: dict[str, list[float]] = {kind: [] for kind in KINDS}
    acted: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(count):
        before, done = tab.steer.get_attribute("data-sent"), tab.decisions
        kind = KINDS[number % len(KINDS)]
        if kind in ("pause", "run"):
            tab.toggle()
        elif kind == "step":
            tab.step()
        else:
            tab.steer.locator(".ll-answer").first.click()
        wait_for(lambda seen=before: tab.steer.get_attribute("data-sent") != seen, 10, f"{kind} to leave")
        for effect in ("ack", "acted"):
            wait_for(lambda k=kind, e=effect: tab.steer.get_attribute(f"data-{e}-kind") == k, 20, f"{kind}: {effect}")
        received[kind].append(float(tab.steer.get_attribute("data-ack-ms") or 0))
        acted[kind].append(float(tab.steer.get_attribute("data-acted-ms") or 0))
        if kind in ("step", "commit"):
            wait_for(lambda seen=done: tab.decisions > seen, 20, "one more decision")
        if kind != "run":
            wait_for(lambda: tab.status == "paused" and tab.answers() > 0, 20, "the next proposal")
        time.sleep(0.3)
    return received, acted


SHOWN = """async (root, [pressed, holds]) => {
  const [element, shown] = [root.querySelector(pressed), new Function("root", "return " + holds)];
  const began = performance.now();
  element.click();
  while (!shown(root)) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""
"""Milliseconds from a click until something holds and a frame has been drawn since."""


def scrub(tab: Tab, count: int) -> list[float]:
    """Go back by one stored decision again and again: milliseconds until the history marks it."""
    back, spent = ".ll-time button[aria-label='The stored decision before']", []
    for _ in range(count):
        holds = f"root.querySelector('.ll-map').dataset.looked !== '{tab.map.get_attribute('data-looked')}'"
        spent.append(tab.page.locator(".ll-workspace").evaluate(SHOWN, [back, holds]))
    tab.page.locator(".ll-time").first.get_by_role("button", name="Look at the latest").click()
    return spent


def turn(tab: Tab, count: int) -> list[float]:
    """Turn to the decisions and back to the charts: milliseconds until the view is in sight."""
    spent = []
    for number in range(count):
        view = ("Decisions", "Watch")[number % 2]
        pressed = f"#{tab.page.get_by_role('tab', name=view).get_attribute('id')}"
        holds = f"root.querySelector('[data-view={view}]').clientHeight > 0"
        spent.append(tab.page.locator(".ll-workspace").evaluate(SHOWN, [pressed, holds]))
    return spent


class Watch:
    """What a page does over a while: draws, bytes, rows, memory, and whether its canvas and zoom stay."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.devtools = tab.context.new_cdp_session(tab.page)
        self.devtools.send("Performance.enable")
        tab.charts.locator("canvas").first.evaluate("canvas => { canvas.marked = true; }")
        self.most = 0

    def zoom(self) -> None:
        """Zoom into a stretch of the run."""
        canvas = self.tab.charts.locator("canvas").first
        canvas.hover(position={"x": 200, "y": 140})
        self.tab.page.keyboard.down("Control")
        self.tab.page.mouse.wheel(0, -300)
        self.tab.page.keyboard.up("Control")
        wait_for(lambda: self.zoomed, 5, "the zoom")
        self.first_zoom = self.zoomed

    @property
    def zoomed(self) -> str:
        return self.tab.charts.get_attribute("data-zoomed") or ""

    @property
    def heap(self) -> float:
        self.devtools.send("HeapProfiler.collectGarbage")
        metrics = self.devtools.send("Performance.getMetrics")["metrics"]
        return next(entry["value"] for entry in metrics if entry["name"] == "JSHeapUsedSize") / 1e6

    @property
    def draws(self) -> int:
        return int(self.tab.charts.get_attribute("data-draws") or 0)

    @property
    def steps(self) -> int:
        return int(self.tab.steer.locator(".ll-rates").inner_text().split()[0]) * 4

    def begin(self) -> None:
        self._start = (time.monotonic(), self.draws, self.tab.received, self.heap, self.steps)
        self.tab.charts.evaluate(
            """root => { root.mostRows = 0; root.watcher = new MutationObserver(() => {
              root.mostRows = Math.max(root.mostRows, Number(root.dataset.rows)); });
              root.watcher.observe(root, { attributes: true }); }"""
        )

    def end(self) -> dict[str, Any]:
        began, draws, received, heap, steps = self._start
        seconds = time.monotonic() - began
        return {
            "seconds": seconds,
            "steps": self.steps - steps,
            "updates_per_second": (self.draws - draws) / seconds,
            "draw_ms": float(self.tab.charts.get_attribute("data-draw-ms") or 0),
            "bytes_per_second": (self.tab.received - received) / seconds,
            "heap_growth_mb": self.heap - heap,
            "most_rows": self.tab.charts.evaluate("root => root.mostRows"),
            "same_canvas": self.tab.charts.locator("canvas").first.evaluate("canvas => canvas.marked === true"),
            "zoom_unchanged": self.zoomed == self.first_zoom,
        }


def spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": statistics.median(ordered),
        "p95": ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))],
        "most": ordered[-1],
    }


@contextmanager
def running_in_a_browser_of_its_own(server: Server) -> Iterator[tuple[psutil.Process, Callable[[], None]]]:
    """A run in a page whose browser can be killed without a farewell: its worker, and what kills the browser."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from explorer_tab import Tab, wait_for\n"
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as driver:\n"
        "    browser = driver.chromium.launch(executable_path=sys.argv[2], headless=True, args=sys.argv[4:])\n"
        "    tab = Tab(browser, sys.argv[3], 'scale=tiny&decisions=1000000&threads=1')\n"
        "    tab.start(); wait_for(lambda: tab.decisions > 0, 30, 'the run'); print(tab.run, flush=True)\n"
        "    time.sleep(1000)\n"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent), program or "", server.address]
    process = subprocess.Popen([*command, *FLAGS], stdout=subprocess.PIPE, text=True)

    def kill() -> None:
        for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            each.kill()

    assert process.stdout is not None
    try:
        worker = server.worker(process.stdout.readline().strip())
        assert worker is not None
        yield worker, kill
    finally:
        if process.poll() is None:
            kill()
        process.wait()
        process.stdout.close()
