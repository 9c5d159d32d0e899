"""The explorer over a run whose text has become another one: it says so, and goes on exactly or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layertie_lab import RunConfig, Session
from layertie_lab.explorer import Explorer
from layertie_lab.explorer.query import NoAddress
from layertie_lab.explorer.tabs.look_inside import LookInside

pytestmark = pytest.mark.slow


def wait_for(condition: Callable[[], Any], words: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds:g} s for {words}"
        time.sleep(0.02)


@pytest.mark.parametrize("kept", [2_000_000, 0], ids=["kept", "not kept"])
def test_a_text_that_was_replaced(kept: int, text_file: Path, tmp_path: Path) -> None:
    words, text = text_file.read_text(encoding="utf-8"), tmp_path / "prose.txt"
    text.write_text(words, encoding="utf-8")
    config = RunConfig.preset("tiny", corpus=str(text), decisions=4, threads=1, keep_text_bytes=kept)
    with Session(config, tmp_path / "whole") as session:
        session.run()
    with Session(config, tmp_path / "runs" / "mine") as session:
        session.run(2)
    text.write_text(words[9_000:] + words[:9_000], encoding="utf-8")
    before = (tmp_path / "runs" / "mine" / "events.jsonl").read_bytes()

    explorer = Explorer(tmp_path / "runs")
    explorer.open("mine")
    inside = explorer.tabs["look-inside"]
    assert isinstance(inside, LookInside)
    inside.refresh()
    assert explorer.menu.current == "mine"
    assert inside.time.stored == [0, 1, 2]
    said = inside.probe.warning if kept else inside.probe.problem
    assert ("is another text by now" if kept else "holds another one") in said
    assert bool(inside.probe.pieces) == bool(kept)

    explorer.steer.hear({"kind": "press", "command": "run", "id": "test", "arguments": {}})
    log = tmp_path / "runs" / "mine" / "events.jsonl"
    if kept:
        whole = (tmp_path / "whole" / "events.jsonl").read_bytes()
        wait_for(lambda: log.read_bytes() == whole, "the run to go on")
    else:
        wait_for(lambda: "holds another one" in explorer.steer.error, "the refusal")
        assert "--text PATH" in explorer.steer.error
        assert log.read_bytes() == before
    explorer.steer.hear({"kind": "farewell"})


def test_a_run_whose_log_was_emptied_is_not_offered_to_go_on(text_file: Path, tmp_path: Path) -> None:
    config = RunConfig.preset("tiny", corpus=str(text_file), decisions=4, threads=1)
    with Session(config, tmp_path / "mine") as session:
        session.run(2)
    (tmp_path / "mine" / "events.jsonl").write_bytes(b"")
    (tmp_path / "examples").mkdir()
    explorer = Explorer(tmp_path, query=NoAddress({"run": "mine"}), examples=tmp_path / "examples")
    assert explorer.menu.current == ""
    assert "is empty, though there are checkpoints. Restore it from a copy, or start" in explorer.menu.problem
    explorer.menu.hear({"kind": "list"})
    (row,) = explorer.menu.runs
    assert row["status"] == "damaged"
    assert "is empty, though there are checkpoints" in row["note"]
    explorer.menu.hear({"kind": "open", "name": "mine"})
    assert "without its log it cannot go on" in explorer.menu.problem
