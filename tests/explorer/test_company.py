"""Two pages of one process on one run: what one of them begins, the other shows."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from layertie_lab import Explorer, RunConfig, Session

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"


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


def test_each_page_says_in_how_many_others_its_run_is_open(text_file: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        with Session(RunConfig.preset("tiny", decisions=3, corpus=str(text_file)), tmp_path / "runs" / name) as session:
            session.run(1)

    def said(*pages: Explorer) -> list[str]:
        return [page.menu.company for page in pages]

    first = Explorer(tmp_path / "runs" / "first", examples=EXAMPLES)
    assert said(first) == [""]
    second, third = (Explorer(tmp_path / "runs" / "first", examples=EXAMPLES) for _ in range(2))
    assert said(first, second, third) == ["also open in 2 other pages"] * 3
    second.open("second")
    assert said(first, second, third) == ["also open in 1 other page", "", "also open in 1 other page"]
    # An example is everybody's, and nobody's business.
    second.open("laptop-lab")
    third.open("laptop-lab")
    assert said(first, second, third) == ["", "", ""]
    third.open("first")
    assert said(first) == ["also open in 1 other page"]
    # A page that is left no longer counts; one that comes back does.
    third.leave()
    assert said(first) == [""]
    third.open("first")
    assert said(first) == ["also open in 1 other page"]
    # Nor does one that is gone without a word.
    del third
    gc.collect()
    wait_for(lambda: said(first) == [""])


def test_another_session_that_opens_the_servers_name_sees_the_latest_run_and_is_told(
    text_file: Path, tmp_path: Path
) -> None:
    with Session(RunConfig.preset("tiny", decisions=3, corpus=str(text_file)), tmp_path / "mine") as session:
        session.run(1)
    mine, newcomer = Explorer(tmp_path), Explorer(tmp_path)
    assert newcomer.menu.current == "mine"
    assert mine.menu.company == newcomer.menu.company == "also open in 1 other page"
    assert "Start here" in [drawer["title"] for drawer in newcomer.frame.plan["drawers"]]
