"""What is done when nobody holds an object any more is not done where the garbage collector runs."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pytest

from layertie_lab.explorer import Explorer
from layertie_lab.explorer.collected import when_collected
from layertie_lab.explorer.held_run import HeldRun
from layertie_lab.workers.worker import Worker


class Held:
    """Somebody's, in a circle as pages are."""

    def __init__(self) -> None:
        self.self = self


def test_a_lock_that_the_collecting_thread_holds_is_waited_for_elsewhere() -> None:
    lock, done = threading.Lock(), threading.Event()

    def end(word: str) -> None:
        with lock:
            assert word == "ended"
            done.set()

    held = Held()
    when_collected(held, end, "ended")
    del held
    with lock:
        gc.collect()
        assert not done.wait(0.2)
    assert done.wait(10)


def test_one_that_takes_long_does_not_delay_the_next() -> None:
    go_on, done = threading.Event(), threading.Event()
    first, second = Held(), Held()
    when_collected(first, go_on.wait, 60)
    when_collected(second, done.set)
    del first
    gc.collect()
    del second
    gc.collect()
    assert done.wait(10)
    go_on.set()


def test_a_page_lets_its_run_go_in_another_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, by = threading.Event(), list[threading.Thread]()

    def note(run: HeldRun, grace: float = 0.0) -> None:
        by.append(threading.current_thread())
        let_go.set()

    monkeypatch.setattr(Worker, "prepare", staticmethod(lambda: None))
    page = Explorer(tmp_path)
    monkeypatch.setattr(HeldRun, "let_go", note)
    del page
    gc.collect()
    assert let_go.wait(30)
    assert threading.current_thread() not in by
