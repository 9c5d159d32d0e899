"""Workers around real sessions: the same run as in this process, whatever happens to the processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from layertie_lab import RunConfig, Session, Worker
from layertie_lab.core.events import DecisionMade, Event
from layertie_lab.core.tables import Tabulator
from layertie_lab.records.log.cursor import EventCursor
from layertie_lab.records.log.reader import load_run
from layertie_lab.workers.process import link

ROOT = Path(__file__).parents[2]


def small(text: Path, **changes: Any) -> RunConfig:
    defaults = {
        "corpus": str(text),
        "width": 16,
        "context": 16,
        "batch_size": 4,
        "decisions": 40,
        "threads": 1,
        "evaluation_windows": 4,
        "evaluate_every": 3,
        "sample_every": 4,
        "sample_tokens": 8,
        "checkpoint_seconds": 0.1,
    }
    return RunConfig.preset("tiny", **(defaults | changes))


def until(condition: Callable[[], object], seconds: float = 20.0) -> float:
    start = time.monotonic()
    while not condition():
        assert time.monotonic() < start + seconds, "it did not happen in time"
        time.sleep(0.005)
    return time.monotonic() - start


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_who_reads_the_log_and_hears_a_resumed_worker_misses_nothing(text_file: Path, tmp_path: Path) -> None:
    """Also not the rest of the decision that was under way, which is trained before anybody can hear of it."""
    with Session(small(text_file, evaluate_every=1), tmp_path / "run") as session:
        session.run(2)
        session.begin(session.propose().choice, by="agent")
        session.advance()
    known = EventCursor(tmp_path / "run" / "events.jsonl").read_new()
    heard: list[Event] = []
    with Worker.resume(tmp_path / "run") as worker:
        worker.subscribe(lambda entry: heard.append(entry) if isinstance(entry, Event) else None)
        worker.wait_ready(60)
        worker.step()
    opened, made, *rest = heard
    assert opened == known[0]
    # The decision that the rest belongs to comes first, for who has not read the log.
    assert made == [event for event in known if isinstance(event, DecisionMade)][-1]
    assert [*known, *rest] == EventCursor(tmp_path / "run" / "events.jsonl").read_new()


@pytest.mark.slow
def test_a_worker_that_is_interrupted_and_killed_writes_the_log_of_a_session(text_file: Path, tmp_path: Path) -> None:
    config = small(text_file, dropout=0.1)
    with Session(config, tmp_path / "session") as session:
        session.run(2)
        session.commit(session.propose().layer)
        session.run()
    expected = (tmp_path / "session" / "events.jsonl").read_bytes()

    worker = Worker(config, tmp_path / "worker")
    seen: list[Event] = []
    worker.subscribe(lambda entry: seen.append(entry) if isinstance(entry, Event) else None)
    assert len(worker.run(2)) == 2
    worker.commit(worker.propose().layer)
    # Everything that does not belong to the run leaves it as it is.
    running = worker.submit("run")
    assert worker.evaluate("test").windows > 0
    assert worker.sample(5, seed=3)[1]
    worker.pause()
    worker.submit("run")
    until(lambda: seen[-1].decision >= 12)
    assert len(running.result(0)) < 12
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: worker.lost)
    on_disk = load_run(tmp_path / "worker")
    assert on_disk.status == "stopped"
    assert on_disk.decisions.height >= seen[-1].decision - 2

    again = Worker.resume(tmp_path / "worker")
    live: list[Event] = []
    again.subscribe(lambda entry: live.append(entry) if isinstance(entry, Event) else None)
    again.run()
    assert again.snapshot()["status"] == "finished"
    again.close()
    assert (tmp_path / "worker" / "events.jsonl").read_bytes() == expected
    # Late or not, a watcher can make rows of what it gets.
    for events in (seen, live):
        tabulator = Tabulator()
        assert [row for event in events for row in tabulator.rows(event)]


PARENT = """
import sys, time
from layertie_lab import Worker
worker = Worker.resume({directory!r}, keep={keep})
worker.submit("run", {decisions})
while worker.last_heartbeat is None or worker.last_heartbeat.step < 2:
    time.sleep(.01)
print(worker.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("keep", [False, True])
def test_a_killed_parent_costs_nothing(text_file: Path, tmp_path: Path, keep: bool) -> None:
    Session(small(text_file, decisions=20 if keep else 4_000), tmp_path / "run").close()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(directory=str(tmp_path / "run"), keep=keep, decisions=None)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    seconds = until(lambda: gone(child))
    run = load_run(tmp_path / "run")
    if keep:
        assert run.status == "finished"
        assert run.decisions.height == 20
    else:
        assert seconds < 2
        assert run.status == "stopped"
        with Session.resume(tmp_path / "run") as session:
            assert session.decision >= run.decisions.height
            assert session.run(1)


def test_a_prepared_process_takes_the_next_run(text_file: Path, tmp_path: Path) -> None:
    Worker.prepare()
    spare = link._spare._link
    assert spare is not None
    with Worker(small(text_file), tmp_path / "run") as worker:
        assert worker.pid == spare.process.pid
        assert worker.run(1)


def test_a_process_that_was_prepared_in_another_folder_is_not_taken(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Worker.prepare()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.txt").write_bytes(text_file.read_bytes())
    monkeypatch.chdir(tmp_path / "here")
    with Worker(small(Path("mine.txt")), tmp_path / "run") as worker:
        assert worker.run(1)
