"""Pages that a browser puts to sleep, and machines that sleep: a run is not stopped for the former, and says so after
the latter."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

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


class Trained(NamedTuple):
    """A page that trains a run.

    Args:
        tab: The page.
        name: Of the run.
        worker: The process that trains it.
        logged: Bytes of its log so far.
    """

    tab: Tab
    name: str
    worker: psutil.Process
    logged: Callable[[], int]


@pytest.fixture
def trained(browser: Any, tmp_path: Path) -> Iterator[Trained]:
    """A page of a server that forgets a lost one after a second, with a run that goes on."""
    with Server(tmp_path, ttl=1) as server:
        tab = Tab(browser, server.address, RUN)
        tab.start()
        wait_for(lambda: tab.decisions > 5, 60, "the run")
        log = server.runs / tab.run / "events.jsonl"
        yield Trained(
            tab,
            tab.run,
            psutil.Process(process_of(server.runs / tab.run) or 0),
            lambda: log.stat().st_size,
        )
        tab.close()


def test_a_page_that_sleeps_keeps_its_run(trained: Trained) -> None:
    tab, worker, logged = trained.tab, trained.worker, trained.logged
    with asleep("--type=renderer"):
        # That time passes is the point: more of it than marimo waits for a page that does not answer.
        until, seen = time.monotonic() + PONG_SECONDS + 45, logged()
        while time.monotonic() < until:
            wait_for(lambda before=seen: logged() > before, 30, "the run to go on behind the page")
            seen = logged()
        assert worker.is_running()
    reached = tab.decisions
    wait_for(lambda: tab.decisions > reached, 60, "the page to draw on")
    assert (tab.run, tab.status) == (trained.name, "running")
    assert worker.is_running()


def test_a_page_whose_connection_was_lost_says_so_and_goes_on(trained: Trained) -> None:
    tab, worker = trained.tab, trained.worker
    with asleep("chrom"):
        wait_for(lambda: not worker.is_running(), PONG_SECONDS + 60, "the run to be saved and stopped")
    wait_for(lambda: "connection to this page was lost" in tab.words, 90, "the page to say so")
    assert "Step or Run goes on" in tab.words
    assert (tab.run, tab.status) == (trained.name, "paused")
    before = tab.decisions
    tab.toggle()
    wait_for(lambda: tab.decisions > before, 90, "the run to go on")
    assert tab.run == trained.name
