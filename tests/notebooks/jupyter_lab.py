"""JupyterLab on a free port, and one notebook of it in a browser."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

MARKED = "img[src*='AAAAG3RFWHRTb2Z0d2FyZQBsYXllcnRpZV9sYWIgc3RpbGxPOJgr']"
"""A picture that is kept beside a live view (`charts.still.mark`)."""
_INK = """(element) => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [element.naturalWidth ?? element.width, element.naturalHeight ?? element.height];
    const pen = canvas.getContext('2d');
    pen.drawImage(element, 0, 0);
    const {data} = pen.getImageData(0, 0, canvas.width, canvas.height);
    const [colours, first] = [new Set(), data.slice(0, 4).join()];
    let drawn = 0;
    for (let at = 0; at < data.length; at += 4) {
        const colour = data.slice(at, at + 4).join();
        colours.add(colour);
        if (colour !== first) drawn += 1;
    }
    return {drawn, colours: colours.size, width: canvas.width, height: canvas.height};
}"""


class Lab:
    """`jupyter lab` with a folder of notebooks, with settings of its own and without a token."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.log = folder / "lab.log"
        own = {name: str(folder / ".jupyter" / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
        own |= {f"JUPYTERLAB_{name}_DIR": str(folder / ".jupyter" / name) for name in ("SETTINGS", "WORKSPACES")}
        command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--port={port}"]
        command += ["--ServerApp.token=", "--ServerApp.password=", f"--notebook-dir={folder}", "--LabApp.news_url="]
        command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--ServerApp.port_retries=0"]
        # `ask` is no page; and what a menu would do is asked of the program itself.
        command += ["--ServerApp.disable_check_xsrf=True", "--LabApp.expose_app_in_browser=True"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **own, "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Lab:
        end = time.monotonic() + 120
        while True:
            try:
                self.ask("GET", "api")
                break
            except OSError:
                assert time.monotonic() < end, self.log.read_text()[-2000:]
                time.sleep(0.2)

        # Else it asks a newcomer, in a dialog over the notebook, whether it may.
        self._set("notification", {"fetchNews": "false", "checkForUpdates": False})
        return self

    def __exit__(self, *exception: object) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The server's answer to a request of its interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    def write(self, name: str, *cells: str) -> Path:
        """A notebook with some cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.folder / name)
        return self.folder / name

    def end_kernels(self) -> None:
        """As when the machine was switched off."""
        for session in self.ask("GET", "api/sessions"):
            self.ask("DELETE", f"api/sessions/{session['id']}")

    def choose_theme(self, name: str) -> None:
        """Of all notebooks that are opened from now on."""
        self._set("themes", {"theme": name})

    def _set(self, plugin: str, settings: dict[str, Any]) -> None:
        path = f"lab/api/settings/@jupyterlab/apputils-extension:{plugin}"
        self.ask("PUT", path, {"raw": json.dumps(settings)})


class Notebook:
    """A notebook in a browser, and what its page asked for and complained of.

    Args:
        browser: Chromium.
        lab: Whose it is.
        name: Of its file.
    """

    def __init__(self, browser: Any, lab: Lab, name: str) -> None:
        self.lab, self.path = lab, lab.folder / name
        self.context = browser.new_context(viewport={"width": 1366, "height": 1000})
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        self.page.goto(f"{lab.address}/lab/tree/{name}?reset")
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()

    def run_all(self) -> None:
        """Run all cells, and wait until the last one has run."""
        ready = "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        self.page.wait_for_function(ready, timeout=120_000)
        # Not waited for here: a cell that fails is to be told of below.
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
        self.page.evaluate("() => void jupyterapp.commands.execute('notebook:run-all-cells')")
        last = self.page.locator(".jp-CodeCell").last.locator(".jp-InputPrompt")
        end = time.monotonic() + 240
        while not last.inner_text().strip(" []:").isdigit():
            assert time.monotonic() < end, f"the last cell says {last.inner_text()}; {self.errors()}"
            assert not self.errors()
            self.page.wait_for_timeout(200)

    def restart(self) -> None:
        """Whatever the cells made is gone."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")

    def errors(self) -> str:
        """What cells failed with."""
        return "\n".join(self.page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts())

    def save(self) -> Any:
        """Save it, and read the file."""
        before = self.path.stat().st_mtime_ns
        self.page.evaluate("() => void jupyterapp.commands.execute('docmanager:save')")
        self.until(lambda: self.path.stat().st_mtime_ns != before, "the file to be written")
        self.page.wait_for_timeout(500)
        return nbformat.read(self.path, as_version=4)

    def ink(self, element: Any) -> dict[str, int]:
        """How much is drawn on a canvas or picture: pixels unlike its corner, and how many colours."""
        return element.evaluate(_INK)

    def kept(self) -> list[Any]:
        """The pictures that are kept, those that are seen."""
        return [image for image in self.page.locator(MARKED).all() if image.is_visible()]

    def until(self, condition: Callable[[], Any], words: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds:g} s for {words}; the page says {self.complaints}"
            self.page.wait_for_timeout(100)

    def close(self) -> None:
        self.context.close()

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.lab.address, "data:", "blob:", "about:")):
            self.elsewhere.append(request.url)
