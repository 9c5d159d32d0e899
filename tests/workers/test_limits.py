"""How many processes a server has at a time: counted, refused with a sentence, and counted down again."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from layertie_lab.core.errors import ConfigError, WorkerError
from layertie_lab.workers import inspector as looks
from layertie_lab.workers.inspector import Inspector
from layertie_lab.workers.limits import MOST, PER_CORE, most
from layertie_lab.workers.pool import Registry
from layertie_lab.workers.worker import Worker


class Pretended:
    """What the registry knows of a worker."""

    def __init__(self) -> None:
        self.alive, self.busy, self.keep, self.status = True, True, False, "running"

    def subscribe(self, callback: Any) -> Any:
        return lambda: None

    def close(self) -> None:
        self.alive = False


def worker() -> Worker:
    return cast(Worker, Pretended())


def test_the_limit_is_of_cores_and_memory_or_what_the_owner_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MOST, raising=False)
    assert most() >= 1
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=1 << 40))
    assert most() % PER_CORE == 0
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=1 << 20))
    assert most() == 1
    monkeypatch.setenv(MOST, "3")
    assert most() == 3
    for odd in ("many", "-1", "1.5", "9" * 5_000, "\u00b2"):
        monkeypatch.setenv(MOST, odd)
        with pytest.raises(ConfigError, match=MOST):
            most()


def test_one_more_is_refused_until_one_is_given_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(MOST, "2")
    registry = Registry()
    held = [registry.attach(tmp_path / name, worker) for name in ("a", "b")]
    with pytest.raises(WorkerError, match="2 runs that train or wait already, and allows 2"):
        registry.attach(tmp_path / "c", worker)
    # A run that is there is shared, and whoever leaves one for another needs no more room.
    registry.attach(tmp_path / "a", worker).release()
    registry.check_room(tmp_path / "a")
    registry.check_room(tmp_path / "c", leaving=tmp_path / "b")
    with pytest.raises(WorkerError):
        registry.check_room(tmp_path / "c")
    held[1].release(0.0)
    registry.attach(tmp_path / "c", worker)
    registry.close()


def test_a_kept_run_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(MOST, "1")
    registry = Registry()
    kept = registry.attach(tmp_path / "a", worker)
    cast(Pretended, kept.worker).keep = True
    kept.release(0.0)
    with pytest.raises(WorkerError, match="Keep running"):
        registry.check_room(tmp_path / "b", leaving=tmp_path / "a")
    registry.close()


def test_however_many_ask_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(MOST, "3")
    registry, made, refused = Registry(), list[Any](), list[Exception]()

    def ask(number: int) -> None:
        try:
            made.append(registry.attach(tmp_path / str(number), worker))
        except WorkerError as error:
            refused.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (3, 17)
    registry.close()


def test_a_look_that_rests_makes_room_for_one_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MOST, "2")
    monkeypatch.setattr(looks, "_every", every := set())
    ended: list[str] = []

    class Process:
        def __init__(self, name: str, owes: bool) -> None:
            self.name, self.owes, self.alive, self.pid = name, owes, True, 1

        def kill(self, error: Exception) -> None:
            ended.append(self.name)

    others = [Inspector(), Inspector()]
    every.update(others)
    for each, name in zip(others, ("first", "second"), strict=True):
        each._process = cast(Any, Process(name, owes=True))
    with pytest.raises(WorkerError, match="looks under way"):
        looks._make_room(Inspector())
    for each, asked in zip(others, (2.0, 1.0), strict=True):
        each._asked, cast(Any, each._process).owes = asked, False
    looks._make_room(Inspector())
    assert ended == ["second"]
