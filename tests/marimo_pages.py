"""A marimo notebook of the tests behind a real server, and a page of it in a browser."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def served(notebook: Path, folder: Path, mode: str = "run") -> Iterator[str]:
    """`marimo run` (or edit) on a free port; the address.

    Args:
        notebook: The file.
        folder: Where it runs, and leaves its log.
        mode: "run" or "edit".
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "marimo", mode, str(notebook), "--headless", "--no-token", "--host", "127.0.0.1"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--port", str(port)], cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            for _ in range(150):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(10)


class Page:
    """A page, and what it asked for and complained of.

    Args:
        browser: Chromium.
        address: Of the page.
        **context: Of playwright's `new_context`.
    """

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.context = browser.new_context(**({"viewport": {"width": 1366, "height": 900}} | context))
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.received = 0
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda ws: ws.on("framereceived", self._count))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._told)
        self.page.goto(address)

    def _told(self, line: Any) -> None:
        if line.type == "error":
            self.complaints.append(f"{line.text} ({line.location.get('url', '')})")

    def _count(self, frame: Any) -> None:
        self.received += len(frame if isinstance(frame, bytes | str) else frame.get("payload", ""))

    def until(self, condition: Callable[[], bool], seconds: float = 15.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited in vain; the page says {self.complaints}"
            self.page.wait_for_timeout(20)

    def far_requests(self) -> list[str]:
        """What it asked for from other machines."""
        near = ("data:", "blob:")
        return [url for url in self.requests if "127.0.0.1" not in url.split("?")[0] and not url.startswith(near)]

    def close(self) -> None:
        self.context.close()
