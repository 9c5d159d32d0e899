"""Watching a run that somebody else writes, and folders for new runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import RecordError, StorageError
from layertie_lab.core.events import Event, Finished, Stepped
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.log import follower as module
from layertie_lab.records.log.follower import Follower
from layertie_lab.records.log.writer import EventWriter
from layertie_lab.records.runs import new_folder


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.01)
    monkeypatch.setattr(module, "LOCK_INTERVAL", 0.05)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[EventWriter]:
    writer = EventWriter(RunDirectory.create(tmp_path / "run", RunConfig.preset("tiny")))
    yield writer
    writer.close("closed")
    writer.directory.unlock()


def step(number: int) -> Stepped:
    return Stepped(number, 1, 2.0, 1e-3, 0.5)


def until(what: Any) -> None:
    start = time.monotonic()
    while not what():
        assert time.monotonic() - start < 5
        time.sleep(0.01)


def test_all_events_come_in_order_then_the_end(writer: EventWriter) -> None:
    writer.append(step(1))
    writer.flush()
    heard: list[Any] = []
    follower = Follower(writer.directory.path)
    follower.subscribe(heard.append)
    until(lambda: len(heard) == 1)
    writer.append(step(2))
    writer.flush()
    until(lambda: len(heard) == 2)
    assert follower.status == "running"
    writer.append(Finished(2, 1))
    writer.close("closed")
    writer.directory.unlock()
    until(lambda: follower.status == "finished")
    assert [entry for entry in heard if isinstance(entry, Event)] == [step(1), step(2), Finished(2, 1)]
    assert heard[-1].status == "finished"


def test_a_writer_that_stops_early_is_told_apart(writer: EventWriter) -> None:
    heard: list[Any] = []
    follower = Follower(writer.directory.path)
    follower.subscribe(heard.append)
    writer.append(step(1))
    writer.close("closed")
    writer.directory.unlock()
    until(lambda: follower.status == "closed")
    assert step(1) in heard


def test_damage_is_a_sentence(writer: EventWriter) -> None:
    writer.append(step(1))
    writer.flush()
    with writer.directory.events.open("ab") as log:
        log.write(b"no event\n")
    heard: list[Any] = []
    follower = Follower(writer.directory.path)
    follower.subscribe(heard.append)
    until(lambda: follower.status == "failed")
    assert "line 2" in heard[-1].sentence


def test_a_dropped_follower_ends_its_thread(writer: EventWriter) -> None:
    follower = Follower(writer.directory.path)
    follower.subscribe(lambda entry: None)
    assert any(thread.name == "layertie follower" for thread in threading.enumerate())
    del follower
    until(lambda: not any(thread.name == "layertie follower" for thread in threading.enumerate()))


def test_what_is_no_run_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        Follower(tmp_path)


def test_folders_for_new_runs_never_meet(tmp_path: Path) -> None:
    made: list[Path] = []
    threads = [threading.Thread(target=lambda: made.append(new_folder(tmp_path / "runs", "same"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({path.name for path in made}) == 8
    assert {"same", "same-2", "same-8"} <= {path.name for path in made}


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="a part of the path is a file"):
        new_folder(tmp_path / "file" / "runs", "run")
