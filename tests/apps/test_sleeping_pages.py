"""Pages that a browser puts to sleep, and machines that sleep: a run is not stopped for the former, and says so after
the latter."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from explorer_tab import Server, Tab, process_of, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(900)]

PONG_SECONDS = 60
"""After so many seconds without an answer marimo takes a connection for lost."""
RUN = "scale=tiny&decisions=1000000&threads=1&sample_every=0"


@contextmanager
def asleep(what: str) -> Iterator[None]:
    """Stop the processes of this test's browser whose command has some words."""
    mine = [child for child in psutil.Process(os.getpid()).children(recursive=True) if "chrom" in child.name()]
    stopped = [child for child in mine if what in " ".join(child.cmdline())]
    assert stopped
    for child in stopped:
        child.suspend()
    try:
        yield
    finally:
        for child in stopped:
            child.resume()


def test_a_page_that_sleeps_keeps_its_run(browser: Any, tmp_path: Path) -> None:
    with Server(tmp_path, ttl=1) as server:
        tab = Tab(browser, server.address, RUN)
        tab.start()
        wait_for(lambda: tab.decisions > 5, 60, "the run")
        name = tab.run
        worker = psutil.Process(process_of(server.runs / name) or 0)
        with asleep("--type=renderer"):
            time.sleep(PONG_SECONDS + 45)
            assert worker.is_running()
        reached = tab.decisions
        wait_for(lambda: tab.decisions > reached, 60, "the page to draw on")
        assert (tab.run, tab.status) == (name, "running")
        assert worker.is_running()
        tab.close()


def test_a_page_whose_connection_was_lost_says_so_and_goes_on(browser: Any, tmp_path: Path) -> None:
    with Server(tmp_path, ttl=1) as server:
        tab = Tab(browser, server.address, RUN)
        tab.start()
        wait_for(lambda: tab.decisions > 5, 60, "the run")
        name = tab.run
        worker = psutil.Process(process_of(server.runs / name) or 0)
        with asleep("chrom"):
            wait_for(lambda: not worker.is_running(), PONG_SECONDS + 60, "the run to be saved and stopped")
        wait_for(lambda: "connection to this page was lost" in tab.words, 90, "the page to say so")
        assert "Step or Run goes on" in tab.words
        assert (tab.run, tab.status) == (name, "paused")
        before = tab.decisions
        tab.toggle()
        wait_for(lambda: tab.decisions > before, 90, "the run to go on")
        assert tab.run == name
        tab.close()
