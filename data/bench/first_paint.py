"""How soon a page is there, beside an empty marimo page: `python data/bench/first_paint.py [FILE]` from a clone.

A warm server each; a browser that has nothing stored opens them in turn. Milliseconds from the request, by the
browser's own clock: until anything is painted (for the explorer: its name and what it is), until the frame stands (for
the empty page: its one sentence), until it can be used (the controls say where the run stands, and the first view is
drawn), and from Start until the first decision has come.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from layertie_lab.bench.runner import machine

ROUNDS = 10
APP = Path(__file__).parents[2] / "apps" / "explorer.py"
EMPTY = """import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo

    mo.md("Nothing here.")
    return


if __name__ == "__main__":
    app.run()
"""
NOTE = """
window.seen = {};
const marks = %s;
// marimo shows a widget in a shadow tree.
window.ours = (selector) => document.querySelector("marimo-anywidget")?.shadowRoot?.querySelector(selector);
const look = () => {
  for (const [name, holds] of Object.entries(marks))
    if (!(name in window.seen) && new Function("return " + holds)()) window.seen[name] = performance.now();
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
PAINTED = "performance.getEntriesByName('first-contentful-paint').length"
MARKS = {
    "empty": {"painted": PAINTED, "there": "document.body?.innerText.includes('Nothing here.')"},
    "explorer": {
        "painted": PAINTED,
        "there": "ours('.ll-workspace')?.clientHeight > 100",
        "usable": "ours('.ll-steer')?.dataset.status && ours('canvas, .ll-welcome button')",
    },
}


@contextmanager
def served(app: Path, folder: Path) -> Iterator[str]:
    """The address of an app, warm."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "marimo", "run", str(app), "--headless", "--no-token", "--port", str(port)]
    environment = {**os.environ, "LAYERTIE_RUNS": str(folder / "runs")}
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
        try:
            while True:
                try:
                    urllib.request.urlopen(f"{address}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield address
        finally:
            process.terminate()
            process.wait(20)


def visit(browser: Browser, address: str, kind: str) -> dict[str, float]:
    """Milliseconds until each mark of one visit."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.add_init_script(NOTE % json.dumps(MARKS[kind]))
    page = context.new_page()
    page.goto(address)
    page.wait_for_function("count => Object.keys(window.seen).length === count", arg=len(MARKS[kind]), timeout=60_000)
    seen: dict[str, float] = page.evaluate("window.seen")
    context.close()
    return seen


def moved(browser: Browser, address: str) -> float:
    """Milliseconds from Start until the first decision is counted, at the form's own settings."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.add_init_script(NOTE % "{}")
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name="New run").click()
    page.locator(".ll-start").wait_for()
    page.wait_for_timeout(2_000)  # somebody who reads the form; a process is made ready meanwhile
    spent: float = page.evaluate(
        """async () => {
          const count = () => parseInt(ours(".ll-steer .ll-rates").innerText);
          const began = performance.now(), run = ours(".ll-runs").dataset.run;
          ours(".ll-start").click();
          const here = () => ours(".ll-runs").dataset.run !== run && count() >= 1;
          while (!here()) await new Promise(requestAnimationFrame);
          return performance.now() - began;
        }"""
    )
    context.close()
    return spent


def spread(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values)), "least": round(min(values)), "most": round(max(values))}


def main(file: Path | None) -> None:
    """Measure, print, and keep if a file is named."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        (folder / "empty.py").write_text(EMPTY)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with served(folder / "empty.py", folder) as empty, served(APP, folder) as explorer:
            addresses = {"empty": empty, "explorer": explorer}
            for kind, address in addresses.items():
                visit(browser, address, kind)
            visits: dict[str, list[dict[str, float]]] = {kind: [] for kind in addresses}
            for _ in range(ROUNDS):
                for kind, address in addresses.items():
                    visits[kind].append(visit(browser, address, kind))
            starts = [moved(browser, explorer) for _ in range(ROUNDS)]
        browser.close()
    found: dict[str, Any] = {
        f"{kind}, {mark}": spread([each[mark] for each in visits[kind]]) for kind in MARKS for mark in MARKS[kind]
    }
    pairs = zip(visits["explorer"], visits["empty"], strict=True)
    found["explorer usable over empty there"] = round(statistics.median(a["usable"] / b["there"] for a, b in pairs), 2)
    found["Start to first decision"] = spread(starts)
    report = json.dumps({"machine": machine("cpu"), "milliseconds": found, "rounds": ROUNDS}, indent=2) + "\n"
    print(report)
    if file is not None:
        file.write_text(report)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
