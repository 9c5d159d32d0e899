"""Two pages of one process on one run: what one of them begins, the other shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from layertie_lab import Explorer, RunConfig, Session


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    assert condition()


def step(explorer: Explorer) -> None:
    explorer.steer.hear({"kind": "press", "command": "step", "id": "step", "arguments": {}})


def test_a_run_that_one_page_goes_on_with_goes_on_in_the_other_too(text_file: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        with Session(RunConfig.preset("tiny", decisions=30, corpus=str(text_file)), tmp_path / name) as session:
            session.run(2)
    pages = [Explorer(tmp_path / name) for name in ("first", "first", "second")]
    step(pages[0])
    wait_for(lambda: [page.signs.decision for page in pages] == [3, 3, 2])
    # One process trains it, whoever presses.
    wait_for(lambda: pages[1].steer.can_act)
    step(pages[1])
    wait_for(lambda: [page.signs.decision for page in pages] == [4, 4, 2])
    assert [page.menu.current for page in pages] == ["first", "first", "second"]
    for page in pages:
        page.leave()
