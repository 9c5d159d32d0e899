"""How a Worker's process begins and ends: closed, killed, dropped, orphaned, kept."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import worker_double as double

from layertie_lab.core.errors import LayertieError, WorkerError
from layertie_lab.core.events import Stepped
from layertie_lab.core.notices import Notice
from layertie_lab.workers.worker import Worker

ROOT = Path(__file__).parents[2]


@pytest.fixture
def children() -> Iterator[list[int]]:
    """Process ids that must be gone at the end, and are ended if a test fails."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        if gone(pid):
            continue
        os.kill(pid, signal.SIGKILL)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(condition: Callable[[], object], seconds: float = 10.0) -> float:
    start = time.monotonic()
    while not condition():
        assert time.monotonic() < start + seconds, "it did not happen in time"
        time.sleep(0.005)
    return time.monotonic() - start


def work(tmp_path: Path, behaviour: str = "slow=0.01", name: str = "run", **changes: Any) -> Worker:
    return Worker(double.config(behaviour), tmp_path / name, session=double.NAME, **changes)


def saved(tmp_path: Path, name: str = "run") -> dict[str, Any]:
    return json.loads((tmp_path / name / "state.json").read_text())


def test_close_saves_and_ends(tmp_path: Path) -> None:
    worker = work(tmp_path)
    running = worker.submit("run")
    until(lambda: worker.status == "running")
    worker.close()
    assert not worker.alive
    assert (worker.status, worker.lost) == ("closed", False)
    assert len(running.result(0)) <= saved(tmp_path)["decision"]
    worker.close()
    with pytest.raises(WorkerError, match="was closed"):
        worker.propose()


def test_close_without_saving(tmp_path: Path) -> None:
    with work(tmp_path) as worker:
        worker.step()
        worker.close(save=False)
    assert not (tmp_path / "run" / "state.json").exists()


def test_close_while_preparing(tmp_path: Path) -> None:
    worker = work(tmp_path, "preparing=30")
    until(lambda: worker.status == "preparing text")
    waiting = worker.submit("run")
    worker.close(timeout=5)
    assert not worker.alive
    with pytest.raises(WorkerError):
        waiting.result(0)


def test_a_killed_process_is_noticed_and_its_run_resumable(tmp_path: Path) -> None:
    worker = work(tmp_path)
    seen: list[Any] = []
    worker.subscribe(seen.append)
    worker.save()
    running = worker.submit("run")
    until(lambda: any(isinstance(entry, Stepped) for entry in seen))
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match=r"ended unexpectedly \(SIGKILL.*Resume the run"):
        running.result(2)
    until(lambda: worker.lost, 1)
    assert (seen[-1].status, seen[-1].exit_status) == ("lost", -signal.SIGKILL)
    with pytest.raises(WorkerError, match="ended unexpectedly"):
        worker.submit("propose")
    again = Worker(None, tmp_path / "run", resume=True, session=double.NAME)
    again.wait_ready(10)
    assert again.config == worker.config
    assert again.step().decision.proposal.decision == 1
    again.close()


def test_kill_on_purpose_is_no_loss(tmp_path: Path) -> None:
    worker = work(tmp_path, "slow=5")
    waiting = worker.submit("run")
    until(lambda: worker.status == "running")
    worker.kill()
    assert (worker.alive, worker.lost, worker.status) == (False, False, "killed")
    with pytest.raises(WorkerError, match="was killed"):
        waiting.result(0)


def test_a_terminated_process_saves(tmp_path: Path) -> None:
    worker = work(tmp_path, keep=True)
    running = worker.submit("run")
    until(lambda: worker.status == "running")
    os.kill(worker.pid, signal.SIGTERM)
    until(lambda: not worker.alive, 2)
    assert len(running.result(1)) <= saved(tmp_path)["decision"]
    assert not worker.lost


def test_an_interrupt_is_the_parents_business(tmp_path: Path) -> None:
    with work(tmp_path) as worker:
        worker.wait_ready()
        os.kill(worker.pid, signal.SIGINT)
        assert worker.step()


def test_an_interrupted_wait_pauses_the_run(tmp_path: Path) -> None:
    with work(tmp_path) as worker:
        worker.step()
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            worker.run()
        assert worker.snapshot()["status"] in ("paused", "ready")
        assert worker.snapshot()["decision"] > 1


class Owner:
    """Owns a worker and refers to itself in a callback, as a page does."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.seen: list[Any] = []
        self.unsubscribe = worker.subscribe(lambda entry: self.seen.append(entry))


def test_dropping_the_worker_ends_the_process(tmp_path: Path) -> None:
    owner = Owner(work(tmp_path))
    running = owner.worker.submit("run")
    owner.worker.call(double.nap, seconds=0.05)
    pid, reference = owner.worker.pid, weakref.ref(owner.worker)
    del owner
    gc.collect()
    assert reference() is None
    assert until(lambda: gone(pid)) < 2
    assert saved(tmp_path)["step"] > 0
    with pytest.raises(LayertieError):
        running.result(2)


PARENT = """
import sys, time
sys.path.insert(0, {tests!r})
import worker_double as double
from layertie_lab import Worker
worker = Worker(double.config({behaviour!r}), {directory!r}, session=double.NAME, keep={keep})
worker.wait_ready()
running = worker.submit("run", {decisions})
while worker.last_heartbeat is None or worker.last_heartbeat.step < 1:
    time.sleep(.01)
print(worker.pid, flush=True)
{then}
"""


def parent(tmp_path: Path, then: str, behaviour: str = "slow=0.01", keep: bool = False, decisions: int | None = None):
    code = textwrap.dedent(PARENT).format(
        tests=str(Path(__file__).parent),
        behaviour=behaviour,
        directory=str(tmp_path / "run"),
        keep=keep,
        decisions=decisions,
        then=then,
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    return process, int(line)


def bury(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate(timeout=10)
    return errors


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_with_its_parent(tmp_path: Path, children: list[int], number: int) -> None:
    process, child = parent(tmp_path, "time.sleep(60)")
    children.append(child)
    process.send_signal(number)
    assert until(lambda: gone(child)) < 2
    bury(process)
    assert saved(tmp_path)["step"] > 0


def test_a_long_step_does_not_outlive_the_parent(tmp_path: Path, children: list[int]) -> None:
    process, child = parent(tmp_path, "worker.submit('call', double.nap, seconds=60); time.sleep(60)")
    children.append(child)
    time.sleep(0.1)
    process.kill()
    assert until(lambda: gone(child)) < 2
    bury(process)


def test_a_parent_that_just_ends_waits_for_the_save(tmp_path: Path, children: list[int]) -> None:
    process, child = parent(tmp_path, "")
    children.append(child)
    assert bury(process) == ""
    assert gone(child)
    assert saved(tmp_path)["step"] > 0


@pytest.mark.parametrize("kill", [True, False])
def test_a_kept_run_goes_on_alone_to_its_end(tmp_path: Path, children: list[int], kill: bool) -> None:
    process, child = parent(tmp_path, "time.sleep(60)" if kill else "", keep=True, decisions=25)
    children.append(child)
    if kill:
        process.kill()
    assert bury(process) == ""
    assert not gone(child)
    until(lambda: gone(child))
    assert saved(tmp_path)["decision"] == 25


def test_a_kept_process_that_has_nothing_to_do_ends(tmp_path: Path, children: list[int]) -> None:
    process, child = parent(tmp_path, "worker.pause(); worker.set_keep(True); time.sleep(60)")
    children.append(child)
    time.sleep(0.1)
    process.kill()
    bury(process)
    assert until(lambda: gone(child)) < 2


def test_keep_can_be_set_and_is_noted(tmp_path: Path) -> None:
    with work(tmp_path) as worker:
        assert not worker.keep
        worker.set_keep(True)
        assert worker.keep
        worker.set_keep(False)
        assert [notice.keep for notice in worker.call(double.notes)] == [True, False]


def test_a_parent_that_does_not_read_blocks_nothing_and_loses_only_steps(tmp_path: Path) -> None:
    with work(tmp_path, "flood=300") as worker:
        seen: list[Any] = []
        reading = threading.Event()
        worker.subscribe(lambda entry: (seen.append(entry), reading.wait(20)))
        running = worker.submit("run", 60)
        reached = tmp_path / "run" / "reached"
        try:
            # The reader is stuck at the first entry; the child trains all the same.
            until(lambda: reached.exists() and reached.read_text() == "60")
            assert len(seen) == 1
        finally:
            reading.set()
        assert len(running.result(10)) == 60
        assert sum(isinstance(entry, Stepped) for entry in seen) <= 60 * 4 * 300 - worker.dropped
        assert worker.dropped > 30 * 4 * 300
        others = [entry.event for entry in seen if not isinstance(entry, (Notice, Stepped))]
        assert others == ["opened", *["decided", "came"] * 60]
        until(lambda: worker.last_heartbeat is not None and worker.last_heartbeat.dropped == worker.dropped)


def test_two_workers_do_not_mix(tmp_path: Path) -> None:
    with work(tmp_path, name="one") as one, work(tmp_path, "", name="two") as two:
        first: list[Any] = []
        second: list[Any] = []
        one.subscribe(first.append)
        two.subscribe(second.append)
        futures = [one.submit("run", 5), two.submit("run", 9)]
        assert [len(future.result(5)) for future in futures] == [5, 9]
        assert one.pid != two.pid
        assert [sum(isinstance(e, Stepped) for e in seen) for seen in (first, second)] == [20, 36]
