"""Eight pages that train at once on few cores: all advance, none shows another's run, and none leaves anything behind.

`pytest -m long tests/apps/test_eight_tabs.py -s` prints the figures.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from explorer_tab import Server, Tab, ended, process_of, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(1800)]

TABS = 8
SECONDS = 180
VISITS = 30
MEGABYTES_LEFT = 20.0
"""Of the server after so many pages that came and went, above what it held after the first."""
GONE_SECONDS = 5.0
SETTINGS = "scale=tiny&decisions=1000000&threads=1&sample_every=0&seed="


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, guarded=["--no-token", "--most-runs", str(TABS)]) as started:
        yield started


def test_eight_tabs_train_side_by_side_and_leave_nothing(browser: Any, server: Server) -> None:
    tabs = [Tab(browser, server.address, f"{SETTINGS}{number}") for number in range(TABS)]
    for tab in tabs:
        tab.page.set_default_timeout(300_000)
    runs: list[str] = []
    for tab in tabs:
        before = made(server.runs)
        # By the page's own click: eight pages that all draw on two cores would wait long for a pointer.
        tab.setup.locator(".ll-start").evaluate("button => button.click()")
        wait_for(lambda seen=before: made(server.runs) - seen, 120, "the new run")
        runs += made(server.runs) - before
    for name in runs:
        wait_for(lambda run=name: decisions(server.runs / run), 120, f"{name} to begin")
    workers = [psutil.Process(process_of(server.runs / name) or 0) for name in runs]
    memory = psutil.Process(server.process.pid).memory_info().rss

    counts = [decisions(server.runs / name) for name in runs]
    begin = time.monotonic()
    while time.monotonic() - begin < SECONDS:
        time.sleep(SECONDS / 6)
        now = [decisions(server.runs / name) for name in runs]
        print(round(time.monotonic() - begin), now)
        assert all(later > earlier for earlier, later in zip(counts, now, strict=True)), (counts, now)
        counts = now
    assert not [worker for worker in workers if ended(worker)]

    for number, (tab, name) in enumerate(zip(tabs, runs, strict=True)):
        config = json.loads((server.runs / name / "config.json").read_text())
        assert f'"seed": {number}' in json.dumps(config)
        assert tab.run == name
        assert f"seed {number}" in tab.runs.locator(".ll-name").first.inner_text()
        assert tab.decisions <= decisions(server.runs / name)
        # A page is behind its run by what it has not drawn yet, and it does draw.
        reached = tab.decisions
        wait_for(lambda t=tab, r=reached: t.decisions > r, 60, f"page {number} to draw on")
        assert not tab.complaints

    closing = time.monotonic()
    for tab in tabs:
        tab.page.close(run_before_unload=False)
    closed = time.monotonic()
    gone = closed - closing + wait_for(lambda: all(map(ended, workers)), 60, "the workers to end")
    print(f"closed in {closed - closing:.1f} s, workers gone {gone:.1f} s after the first, {counts} decisions")
    print(f"server {memory / 1e6:.0f} MB, then {psutil.Process(server.process.pid).memory_info().rss / 1e6:.0f} MB")
    assert gone - (closed - closing) < GONE_SECONDS
    for tab in tabs:
        tab.context.close()


def made(runs: Path) -> set[str]:
    return set(os.listdir(runs)) if runs.exists() else set()


def decisions(run: Path) -> int:
    """Decisions with an outcome, by the log."""
    log = run / "events.jsonl"
    return log.read_bytes().count(b'"event":"came"') if log.exists() else 0


def test_pages_that_come_and_go_leave_no_memory(browser: Any, tmp_path: Path) -> None:
    with Server(tmp_path, ttl=1) as server:
        process, sizes = psutil.Process(server.process.pid), []
        for number in range(VISITS):
            tab = Tab(browser, server.address, f"{SETTINGS}{number}")
            open_ = process.num_threads()
            tab.close()
            # A page's session has threads of its own, and ends a second after the page.
            wait_for(lambda before=open_: process.num_threads() < before, 60, "the page's session to end")
            # What it held is handed back a moment later.
            sizes.append(settled(lambda: process.memory_info().rss / 1e6))
            print(f"{number + 1} pages: {sizes[-1]:.0f} MB")
    assert sizes[-1] < sizes[0] + MEGABYTES_LEFT


def settled(value: Callable[[], float], seconds: float = 6.0) -> float:
    """The least that something came to within a while."""
    least, begin = value(), time.monotonic()
    while time.monotonic() - begin < seconds:
        time.sleep(0.1)
        least = min(least, value())
    return least
