"""A running explorer, and one page of it, as the browser tests see them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

APP = Path(__file__).parents[2] / "apps" / "explorer.py"
READY = "layertie_lab.workers.process"


class Server:
    """The explorer on a free port, with its folder of runs in `folder`.

    Args:
        folder: Where it runs; the runs are in `folder/runs`.
        runs: Another folder of runs.
        ttl: Seconds that marimo keeps a browser session without a connection.
        threads: OMP_NUM_THREADS of the server and so of its children; "" leaves torch's choice.
        guarded: `layertie explore --no-token` with these flags, in place of `marimo run apps/explorer.py`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        runs: Path | None = None,
        ttl: int | None = None,
        threads: str = "1",
        guarded: Sequence[str] | None = None,
    ) -> None:
        self.runs, self.guarded = runs or folder / "runs", guarded
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "marimo", "run", str(APP), "--headless", "--no-token", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), *([] if ttl is None else ["--session-ttl", str(ttl)])]
        if guarded is not None:
            command = [
                sys.executable,
                "-m",
                "layertie_lab",
                "explore",
                "--no-browser",
                "--port",
                str(self.port),
                *guarded,
            ]
        environment = {**os.environ, "LAYERTIE_RUNS": str(self.runs)}
        if threads:
            environment["OMP_NUM_THREADS"] = threads
        self.log = folder / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, stdout=log, stderr=log, start_new_session=True, env=environment
            )

    def __enter__(self) -> Server:
        wait_for(self._answers, 60, f"the server to answer; it says: {self.log.read_text()[-2000:]}")
        return self

    def __exit__(self, *exception: object) -> None:
        children = self.children()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        psutil.wait_procs(children, timeout=10)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.address}/health", timeout=1).close()
        except OSError:
            return False
        return True

    def children(self) -> list[psutil.Process]:
        """Training processes, and those that wait for a run."""
        if not psutil.pid_exists(self.process.pid):
            return []
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if READY in child.cmdline():
                    found.append(child)
            except psutil.Error:
                continue
        return found

    def worker(self, run: str) -> psutil.Process | None:
        """The process that trains a run now."""
        pid = process_of(self.runs / run)
        return next((child for child in self.children() if child.pid == pid), None)


class Tab:
    """One page of the explorer, and what it asked for and complained of.

    Args:
        browser: Chromium.
        address: Of the server.
        query: What follows "?" in the page's address.
        welcome: Whether what a newcomer sees first stays open; else the charts are shown.
        **context: Of playwright's `new_context`.
    """

    def __init__(self, browser: Any, address: str, query: str = "", *, welcome: bool = False, **context: Any) -> None:
        self.context = browser.new_context(**({"viewport": {"width": 1366, "height": 768}} | context))
        self.context.set_default_navigation_timeout(120_000)  # eight tabs on a busy machine
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.received = 0
        self.page.on("request", self._asked)
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._count))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        self.page.goto(f"{address}/?{query}")
        self.steer = self.page.locator(".ll-steer")
        self.map = self.page.locator(".ll-map").first
        self.charts = self.page.locator(".ll-charts").first
        self.setup = self.page.locator(".ll-setup")
        self.runs = self.page.locator(".ll-runs")
        self.table = self.page.locator(".ll-table").first
        self.steer.wait_for(timeout=60_000)
        if not welcome:
            self.close_drawer()
            self.charts.locator("canvas").first.wait_for(timeout=60_000)

    def close(self) -> None:
        """Close the page as a person does."""
        if not self.page.is_closed():
            self.page.close(run_before_unload=False)
            self.context.close()

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        return self.steer.get_attribute("data-status") or ""

    @property
    def run(self) -> str:
        return self.runs.get_attribute("data-run") or ""

    @property
    def rows(self) -> int:
        return int(self.charts.get_attribute("data-rows") or 0)

    @property
    def decisions(self) -> int:
        """Decisions so far, as the steering panel says."""
        return int(self.steer.locator(".ll-rates").inner_text().split()[0])

    @property
    def words(self) -> str:
        return self.steer.locator(".ll-status").inner_text()

    @property
    def query(self) -> str:
        # Asked in the page: `page.url` only moves on while the driver is being talked to.
        return self.page.evaluate("location.search").lstrip("?")

    def account(self) -> str:
        """All that the page says of itself, for whoever wants to know why something did not happen."""
        if self.page.is_closed():
            return "closed"
        lines = [f"{self.page.url}: {self.status}, run {self.run or 'none'}", *self.complaints]
        try:
            lines.append(self.page.locator("body").inner_text(timeout=5_000))
        except Exception as error:
            lines.append(f"it cannot be read: {error}")
        return "\n".join(lines)

    # -- doing -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Press Start and wait until the page shows the new run."""
        before = self.run
        self.new_run()
        self.setup.locator(".ll-start").click()
        wait_for(lambda: self.run != before, 60, "the new run's name")

    def close_drawer(self) -> None:
        """Show the view again, if something stands in its place."""
        for close in self.page.locator(".ll-drawer:visible").get_by_role("button", name="Close").all():
            close.click()

    def new_run(self) -> None:
        """Open the settings of a new run, if they are not open."""
        if not self.setup.is_visible():
            self.page.get_by_role("button", name="New run").click()

    def step(self) -> None:
        self.steer.get_by_role("button", name="Step").click()

    def toggle(self) -> None:
        self.steer.locator(".ll-toggle").click()

    def pause(self) -> None:
        """Press Pause and wait until an answer can be given."""
        # A page that has just come back shows a decision under way before its run goes on; the button is Run then.
        self.until("running", "finished")
        if self.status == "running":
            self.toggle()
        self.until("paused", "finished")
        wait_for(lambda: self.status == "finished" or self.answers() > 0, 20, "the open proposal")

    def answers(self) -> int:
        """How many answers can be given now."""
        return self.map.locator("g[data-legal]").count()

    def run_some(self, decisions: int | str) -> None:
        self.steer.get_by_label("Decisions to run").fill(str(decisions))
        self.steer.locator(".ll-count button").click()

    def group(self, name: str) -> None:
        """Unfold a group of settings."""
        self.new_run()
        fold = self.setup.locator(f"details[data-group='{name}']")
        if fold.get_attribute("open") is None:
            fold.locator("> summary").click()

    def set(self, path: str, value: str) -> None:
        """Type a setting, as a person who leaves the field."""
        self.new_run()
        field = self.setup.locator(f"input[data-path='{path}']")
        field.fill(value)
        field.press("Tab")

    def until(self, *statuses: str, seconds: float = 30) -> None:
        wait_for(lambda: self.status in statuses, seconds, f"{statuses}; the page says {self.status}: {self.words}")

    def open(self, name: str) -> None:
        """Choose a run in the menu."""
        self.runs.get_by_role("button", name="Open a run").click()
        self.runs.locator(f"button[data-run='{name}']").click()
        wait_for(lambda: self.run == name, 10, f"the run {name} to be shown")

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.elsewhere.append(request.url)

    def _count(self, frame: str | bytes) -> None:
        self.received += len(frame)


def wait_for(what: Callable[[], Any], seconds: float, words: str) -> float:
    """Wait until something holds; returns how long it took."""
    start = time.monotonic()
    while not what():
        assert time.monotonic() - start < seconds, f"waited {seconds:g} s for {words}"
        time.sleep(0.02)
    return time.monotonic() - start


def ended(process: psutil.Process) -> bool:
    """Whether a process is gone, or only waits for its parent to notice."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def telemetry(run: Path) -> list[dict[str, Any]]:
    """The entries of a run's telemetry."""
    file = run / "telemetry.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def process_of(run: Path) -> int | None:
    """The process that wrote a run last."""
    pids = [entry["pid"] for entry in telemetry(run) if entry["kind"] == "process"]
    return pids[-1] if pids else None
