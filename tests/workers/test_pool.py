"""The registry: one worker per run directory, however many ask, and its end after the last."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import worker_double as double

from layertie_lab.core.errors import WorkerError
from layertie_lab.workers import pool as module
from layertie_lab.workers.pool import Handle, Registry
from layertie_lab.workers.worker import Worker


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.close()


class Factory:
    def __init__(self, path: Path, behaviour: str = "slow=0.01", **changes: Any) -> None:
        self.path, self.behaviour, self.changes, self.made = path, behaviour, changes, 0

    def __call__(self) -> Worker:
        self.made += 1
        return Worker(double.config(self.behaviour), self.path, session=double.NAME, **self.changes)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def test_many_tabs_share_one_child(registry: Registry, tmp_path: Path) -> None:
    factory = Factory(tmp_path / "run")
    handles: list[Handle] = []
    threads = [
        threading.Thread(target=lambda: handles.append(registry.attach(tmp_path / "run", factory))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert factory.made == 1
    assert len({handle.worker.pid for handle in handles}) == 1
    assert registry.attach(tmp_path / "x" / ".." / "run", factory).worker is handles[0].worker
    for handle in handles[1:]:
        handle.release(grace=0)
    time.sleep(0.1)
    assert handles[0].step().decision.by == "agent"


def test_the_last_release_saves_and_ends_after_the_grace(registry: Registry, tmp_path: Path) -> None:
    factory = Factory(tmp_path / "run")
    first, second = registry.attach(tmp_path / "run", factory), registry.attach(tmp_path / "run", factory)
    worker = first.worker
    worker.wait_ready()
    first.release(grace=0)
    first.release(grace=0)
    time.sleep(0.1)
    assert worker.status == "ready"
    second.release(grace=0.2)
    assert worker.alive
    until(lambda: not worker.alive, 2)
    assert (tmp_path / "run" / "state.json").exists()
    assert registry.get("run") is None
    with pytest.raises(WorkerError, match="it was released"):
        second.step()


def test_a_reloaded_page_finds_its_run(registry: Registry, tmp_path: Path) -> None:
    factory = Factory(tmp_path / "run")
    old = registry.attach(tmp_path / "run", factory)
    assert old.id == "run"
    running, worker = old.submit("run"), old.worker
    old.release(grace=0.3)
    new = registry.get("run")
    assert new is not None
    assert new.worker is worker
    time.sleep(0.5)
    assert worker.alive
    assert not running.done()
    assert registry.attach(tmp_path / "run", factory).worker is worker
    assert factory.made == 1


def test_get_by_name_or_directory(registry: Registry, tmp_path: Path) -> None:
    one = registry.attach(tmp_path / "a" / "run", Factory(tmp_path / "a" / "run"))
    two = registry.attach(tmp_path / "b" / "run", Factory(tmp_path / "b" / "run"))
    with pytest.raises(WorkerError, match="Expected one run named run, but there are"):
        registry.get("run")
    found = registry.get(tmp_path / "b" / "run")
    assert found is not None
    assert found.worker is two.worker is not one.worker
    assert registry.get("other") is None
    assert module.get("other") is None


class Page:
    """What a notebook holds: a handle, callbacks and futures that refer back to it."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.seen: list[Any] = []
        handle.subscribe(lambda entry: self.seen.append(entry))
        self.running = handle.submit("run")
        self.running.add_done_callback(lambda future: self.seen.append(future))


def test_a_collected_page_gives_its_share_back(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.1)
    page = Page(registry.attach(tmp_path / "run", Factory(tmp_path / "run")))
    worker = page.handle.worker
    seen = page.seen
    until(lambda: len(seen) > 5)
    reference = weakref.ref(page)
    del page
    gc.collect()
    assert reference() is None
    until(lambda: not worker.alive, 2)
    assert (tmp_path / "run" / "state.json").exists()


def test_a_kept_run_goes_on_without_holders_until_it_is_done(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL", 0.05)
    handle = registry.attach(tmp_path / "run", Factory(tmp_path / "run"))
    handle.set_keep(True)
    running, worker = handle.submit("run", 15), handle.worker
    handle.release(grace=0)
    time.sleep(0.2)
    assert worker.status == "running"
    assert len(running.result(5)) == 15
    until(lambda: not worker.alive, 2)


def test_attaching_waits_for_a_save_and_replaces_the_dead(registry: Registry, tmp_path: Path) -> None:
    factory = Factory(tmp_path / "run", "saving=0.4")
    first = registry.attach(tmp_path / "run", factory)
    worker = first.worker
    worker.wait_ready()
    first.release(grace=0)
    until(lambda: worker.status == "saving")
    second = registry.attach(tmp_path / "run", factory)
    assert not worker.alive
    assert factory.made == 2
    second.worker.wait_ready()
    os.kill(second.worker.pid, signal.SIGKILL)
    until(lambda: second.worker.lost)
    third = registry.attach(tmp_path / "run", factory)
    assert third.step()
    second.release(grace=0)
    time.sleep(0.1)
    assert third.worker.alive


def test_a_factory_that_fails_leaves_nothing(registry: Registry, tmp_path: Path) -> None:
    def fails() -> Worker:
        raise WorkerError("Expected luck.")

    with pytest.raises(WorkerError, match="Expected luck"):
        registry.attach(tmp_path / "run", fails)
    assert registry.get(tmp_path / "run") is None
    with registry.attach(tmp_path / "run", Factory(tmp_path / "run")) as handle:
        assert handle.step()
