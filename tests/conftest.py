"""What all rooms' tests share: small text, a private token cache, one thread."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import FLAGS

# Two test processes (or a test and its child) on two cores spin against each other with more.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    if "LAYERTIE_CACHE" not in os.environ:
        os.environ["LAYERTIE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few thousand characters of English that every machine has, for runs that begin at once."""
    from pydoc_data.topics import topics

    path = tmp_path_factory.mktemp("text") / "prose.txt"
    path.write_text("\n".join(topics[name] for name in sorted(topics))[:40_000], encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium. One for all tests: playwright's driver cannot be started twice in a process."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, headless=True, args=list(FLAGS))
        yield started
        started.close()
