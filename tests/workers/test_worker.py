"""A Worker's commands, against a stand-in session: what acts when, and how errors come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import worker_double as double

from layertie_lab.core.commands import Call
from layertie_lab.core.errors import ConfigError, CorpusError, DivergedError, LayertieError, TieError, WorkerError
from layertie_lab.core.events import DecisionFinished, DecisionMade, Event, Opened, Stepped
from layertie_lab.core.notices import Failed, Proposed, StatusChanged
from layertie_lab.workers.commands import WorkerTimeout
from layertie_lab.workers.worker import Worker

Start = Callable[..., Worker]
SLOW = "slow=0.05"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    workers: list[Worker] = []

    def make(behaviour: str = "", **changes: Any) -> Worker:
        workers.append(Worker(double.config(behaviour), tmp_path / "run", session=double.NAME, **changes))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close(timeout=10)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def test_one_decision_after_another(start: Start) -> None:
    worker = start()
    seen: list[Any] = []
    worker.subscribe(seen.append)
    proposal = worker.propose()
    assert worker.propose() == proposal
    outcome = worker.commit(1, decision=proposal.decision)
    assert outcome.decision.overridden
    assert outcome.decision.by == "human"
    assert worker.step().decision.by == "agent"
    assert [o.decision.proposal.decision for o in worker.run(3)] == [3, 4, 5]
    assert worker.evaluate("reward", 4) == "reward 4 at 20"
    assert worker.sample(3)[1] == "bbb"
    assert worker.sample(3, prompt="c", temperature=0.0) == ("c", "bbb")
    assert worker.summary() == {"decision": 5}
    assert worker.save("mine") is not None
    assert worker.snapshot()["decision"] == 5
    events = [entry for entry in seen if isinstance(entry, Event)]
    assert isinstance(events[0], Opened)
    assert worker.opening().ties == events[-1].ties
    assert [type(event) for event in events[1:]] == ([DecisionMade] + [Stepped] * 4 + [DecisionFinished]) * 5
    assert [entry.status for entry in seen if isinstance(entry, StatusChanged)][:4] == [
        "starting",
        "preparing text",
        "ready",
        "running",
    ]


def test_step_by_step(start: Start) -> None:
    worker = start()
    decision = worker.begin(0)
    assert decision.by == "human"
    assert worker.snapshot()["status"] == "paused"
    with pytest.raises(LayertieError, match="between two decisions"):
        worker.propose()
    for _ in range(4):
        worker.advance()
    assert worker.finish().decision == decision


def test_pause_acts_within_one_step(start: Start) -> None:
    worker = start(SLOW)
    steps: list[int] = []
    worker.subscribe(lambda entry: steps.append(entry.step) if isinstance(entry, Stepped) else None)
    running = worker.submit("run")
    until(lambda: len(steps) >= 5)
    asked = time.monotonic()
    at = worker.pause()
    assert time.monotonic() - asked < 0.05 + 0.15
    assert at["status"] in ("paused", "ready")
    time.sleep(0.2)
    assert worker.snapshot()["step"] == at["step"] == steps[-1]
    assert len(running.result(1)) == at["decision"] - (at["phase"] == "training")
    # Going on completes the decision under way, which counts.
    assert worker.step().decision.proposal.decision == at["decision"] + (at["phase"] == "propose")


def test_pause_can_finish_the_decision(start: Start) -> None:
    worker = start(SLOW)
    running = worker.submit("run")
    until(lambda: worker.last_heartbeat is not None and worker.last_heartbeat.step > 1)
    at = worker.pause(finish=True)
    assert (at["phase"], at["status"]) == ("propose", "ready")
    assert len(running.result(0)) == at["decision"]
    assert worker.propose().decision == at["decision"] + 1


def test_a_run_that_is_asked_for_while_a_pause_waits_is_kept(start: Start) -> None:
    worker = start(SLOW)
    running = worker.submit("run")
    until(lambda: worker.last_heartbeat is not None and worker.last_heartbeat.step > 1)
    pausing, again = worker.submit("pause", finish=True), worker.submit("run")
    at = pausing.result(10)
    assert len(running.result(10)) <= at["decision"]
    until(lambda: worker.snapshot()["decision"] >= at["decision"] + 2)
    assert not again.done()
    worker.pause()


def test_calls_act_between_steps_of_a_run(start: Start) -> None:
    worker = start("slow=0.02")
    running = worker.submit("run")
    positions = [worker.call(double.position) for _ in range(5)]
    assert positions[0] < positions[-1]
    assert not running.done()
    assert worker.call(double.process_of) == worker.pid
    assert str(worker.evaluate()).startswith("validation")
    assert not running.done()


def test_a_person_answers_during_a_run(start: Start) -> None:
    worker = start("slow=0.02")
    running = worker.submit("run")
    at = worker.snapshot()["decision"]
    outcome = worker.commit(0, by="human")
    assert outcome.decision.by == "human"
    assert outcome.decision.proposal.decision > at
    assert not running.done()
    done = outcome.decision.proposal.decision
    with pytest.raises(TieError, match=f"decision {done}, which has been answered already"):
        worker.commit(0, decision=done)
    with pytest.raises(TieError, match="has not been asked yet"):
        worker.commit(0, decision=done + 100)
    with pytest.raises(TieError, match="Expected an action from 0 to"):
        worker.commit(17)
    assert not running.done()
    with pytest.raises(LayertieError, match=r"paused run for begin"):
        worker.begin(0)
    worker.pause()
    answered = [outcome.decision.by for outcome in running.result(1)]
    assert answered.count("human") == 1


def test_a_slow_run_shows_each_proposal_and_takes_an_answer_for_it(start: Start) -> None:
    worker = start(throttle=0.1)
    shown: list[Any] = []
    came: list[DecisionFinished] = []
    worker.subscribe(lambda e: shown.append(e.proposal) if isinstance(e, Proposed) else None)
    worker.subscribe(lambda e: came.append(e) if isinstance(e, DecisionFinished) else None)
    worker.submit("run")
    until(lambda: shown)
    # Two more proposals come within the ten seconds that the agent would wait at each.
    begun = time.monotonic()
    for _ in range(2):
        proposal = shown[-1]
        outcome = worker.commit(1, decision=proposal.decision)
        assert outcome.decision.proposal == proposal
        until(lambda open=proposal: shown[-1] != open)
    assert time.monotonic() - begun < 10, "an answer need not wait for the throttle"
    count = len(came)
    worker.set_throttle(0)
    until(lambda: len(came) > count + 20)


def test_a_run_is_replaced_by_the_next(start: Start) -> None:
    worker = start("slow=0.01")
    first = worker.submit("run")
    second = worker.submit("run", 2)
    assert len(second.result(5)) == 2
    assert first.result(0) == []
    third = worker.submit("run")
    assert worker.step().decision.by == "agent"
    assert len(third.result(0)) <= 1
    assert worker.run(0) == []
    assert worker.snapshot()["status"] in ("ready", "paused")


def test_what_a_pause_interrupts_says_so(start: Start) -> None:
    worker = start(SLOW)
    worker.wait_ready()
    commit = worker.submit("commit", 0)
    second = worker.submit("commit", 0)
    pause = worker.submit("pause")
    assert pause.result(2)["phase"] == "training"
    with pytest.raises(LayertieError, match=r"decision 1 was interrupted with .* steps left. Its answer stands"):
        commit.result(0)
    with pytest.raises(LayertieError, match="Nothing was committed"):
        second.result(0)
    assert worker.step().decision.by == "human"
    step = worker.submit("step")
    worker.pause()
    with pytest.raises(LayertieError, match="interrupted"):
        step.result(0)


@pytest.mark.parametrize(
    ("function", "kind", "says"),
    [
        (double.fail, WorkerError, "The command call failed: ValueError: no such luck."),
        (double.fail_politely, CorpusError, "Expected more. Give more."),
        (double.leave, WorkerError, "SystemExit: 7"),
        (double.unsendable, WorkerError, "The command call failed"),
    ],
)
def test_errors_come_back_as_sentences(start: Start, tmp_path: Path, function: Any, kind: type, says: str) -> None:
    worker = start()
    with pytest.raises(kind, match=says.replace(".", r"\.")) as caught:
        worker.call(function)
    if kind is WorkerError:
        trace = Path(str(caught.value).rsplit("The full trace is in ")[-1].rstrip("."))
        assert trace.parent.parent == tmp_path / "run"
        assert "Traceback" in trace.read_text()
    assert worker.step(), "the process goes on"


@pytest.mark.parametrize(
    ("behaviour", "kind", "says"),
    [
        ("diverges=6", DivergedError, "Expected a finite loss at step 3. Lower the rate."),
        ("breaks=6", WorkerError, "Training failed: ZeroDivisionError: inside a step."),
    ],
)
def test_an_error_in_training_ends_the_run_but_not_the_process(
    start: Start, behaviour: str, kind: type, says: str
) -> None:
    worker = start(behaviour)
    seen: list[Any] = []
    worker.subscribe(seen.append)
    with pytest.raises(kind, match=says.replace(".", r"\.")) as caught:
        worker.run()
    assert [entry.sentence for entry in seen if isinstance(entry, Failed)] == [str(caught.value)]
    assert worker.snapshot()["status"] == "paused"
    assert worker.evaluate() == "validation None at 6"


def test_a_run_that_cannot_start_says_why(start: Start) -> None:
    worker = start("unreadable")
    waiting = worker.submit("run")
    with pytest.raises(CorpusError, match="Expected text, but got none"):
        waiting.result(10)
    with pytest.raises(CorpusError):
        worker.wait_ready(1)
    with pytest.raises(CorpusError):
        worker.propose()
    until(lambda: not worker.alive)
    assert (worker.status, worker.lost) == ("failed", False)


def test_an_unexpected_error_on_starting(start: Start, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(WorkerError, match=r"Starting the run failed: ZeroDivisionError: on starting. The full trace"):
        start("explodes").wait_ready(10)


def test_what_cannot_be_asked(start: Start) -> None:
    worker = start()

    def local(session: Any) -> None: ...

    for function in (local, lambda session: None, "no function", double.Double(double.config(), "/tmp").evaluate):
        with pytest.raises(LayertieError, match="function at the top level of a module"):
            worker.call(function)
    with pytest.raises(WorkerError, match="a Call of values that can be sent"):
        worker.call(double.echo, value=lambda: None)
    with pytest.raises(LayertieError, match=r"Expected a command, but got 'fly'. Commands: propose, begin"):
        worker.submit("fly")
    with pytest.raises(TypeError):
        worker.submit("commit")
    with pytest.raises(TypeError):
        worker.submit("propose", timeout=1)
    with pytest.raises(LayertieError, match="throttle of 0 or more"):
        worker.set_throttle(-1)
    with pytest.raises(WorkerError, match="Give one, or resume=True"):
        Worker(None, "nowhere")
    with pytest.raises(ConfigError):
        double.config(layers=0)


def test_values_travel_as_themselves(start: Start) -> None:
    worker = start()
    value = {"a": [1, 2.5, None], "b": (b"x", {3})}
    assert worker.call(double.echo, value=value) == value
    large = b"x" * 3_000_000
    assert worker.call(double.echo, value=large) == large


def test_a_wait_ends_in_time(start: Start) -> None:
    worker = start()
    with pytest.raises(WorkerTimeout, match=r"answer to call\(\) within 0.05 s") as caught:
        worker.ask(Call.of(double.nap, seconds=0.5), timeout=0.05)
    assert isinstance(caught.value, TimeoutError)
    assert worker.call(double.echo, value=1) == 1


def test_subscribers_may_not_wait_and_may_fail(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    worker = start()
    caught: list[BaseException] = []
    good: list[Any] = []

    def waits(entry: Any) -> None:
        try:
            worker.evaluate()
        except WorkerError as error:
            caught.append(error)
            raise

    worker.subscribe(waits)
    stop = worker.subscribe(good.append)
    worker.step()
    assert "waited for inside a subscriber" in str(caught[0])
    assert len(caught) == 1, "a subscriber that fails is dropped"
    assert "subscriber" in caplog.text
    stop()
    count = len(good)
    worker.step()
    assert len(good) == count


def test_commands_from_many_threads(start: Start) -> None:
    worker = start()
    worker.submit("run")
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(worker.call(double.echo, value=n))) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(20))


def test_heartbeats(start: Start) -> None:
    worker = start()
    worker.run(2)
    until(lambda: worker.last_heartbeat is not None and worker.last_heartbeat.step == 8)
    beat = worker.last_heartbeat
    assert beat is not None
    assert (beat.status, beat.decision, beat.dropped) == ("ready", 2, 0)
    assert beat.step_seconds is not None
    assert 1e6 < beat.resident_bytes < 1e9
    assert abs(beat.time - time.time()) < 2
