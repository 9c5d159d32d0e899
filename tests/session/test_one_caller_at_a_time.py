"""Several threads hold one session: they take turns, whoever has claimed it is named, and nothing is lost."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import torch

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.core.errors import LayertieError, TieError, WorkerError
from layertie_lab.core.events import DecisionMade, Stepped
from layertie_lab.explorer import ControlRoom, SessionThread
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.state.checkpoints import list_checkpoints, load_checkpoint
from layertie_lab.session.moment import Moment
from layertie_lab.session.replay import Log, Replay
from layertie_lab.session.turns import Turns

DEADLINE = 60.0
"""Seconds after which something hangs, on any machine."""
ALGORITHMS = ("lab", "paper", "official-code")


def tiny(text: Path, **changes: Any) -> RunConfig:
    defaults = {
        "corpus": str(text),
        "layers": 3,
        "width": 8,
        "context": 8,
        "batch_size": 2,
        "decisions": 1_000,
        "steps_per_decision": 2,
        "windows": 2,
        "evaluation_windows": 2,
        "evaluate_every": 1,
        "sample_every": 3,
        "sample_tokens": 2,
        "threads": 1,
    }
    return RunConfig.preset("tiny", **(defaults | changes))


@pytest.fixture
def restless() -> Any:
    """The interpreter changes threads a hundred times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


def in_thread(work: Callable[[], Any]) -> Future[Any]:
    """What comes of a call in a thread of its own."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


class Gate:
    """A subscriber that holds the session up inside its first optimizer step, until it is let go."""

    def __init__(self, session: Session) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        session.subscribe(self.take)

    def take(self, entry: Any) -> None:
        if isinstance(entry, Stepped):
            self.reached.set()
            assert self.open.wait(DEADLINE)


def test_a_second_caller_waits_for_the_first(text_file: Path) -> None:
    session = Session(tiny(text_file))
    gate = Gate(session)
    running = in_thread(lambda: session.run(2))
    assert gate.reached.wait(DEADLINE)
    committing, reading = in_thread(lambda: session.commit(0)), in_thread(session.evaluate)
    assert [call for call in (running, committing, reading) if call.done()] == []
    gate.open.set()
    assert [outcome.decision.proposal.decision for outcome in running.result(DEADLINE)] == [1, 2]
    reading.result(DEADLINE)
    assert committing.result(DEADLINE).decision.proposal.decision == session.decision == 3


def test_who_reads_comes_between_two_steps_of_a_long_run(text_file: Path) -> None:
    session = Session(tiny(text_file))
    enough = threading.Event()
    running = in_thread(lambda: session.run(should_stop=enough.is_set))
    for _ in range(5):
        # Each in a thread of its own, which waits its turn and gets it although the run never pauses.
        calls = (session.evaluate, session.sample, session.summary, session.fork, lambda: Moment.of(session))
        for call in calls:
            in_thread(call).result(DEADLINE)
        assert not running.done()
    enough.set()
    running.result(DEADLINE)


def test_a_claimed_session_says_who_holds_it(text_file: Path, tmp_path: Path) -> None:
    with Session(tiny(text_file), tmp_path / "run") as session:
        room = SessionThread(session)
        running = room.submit("run")
        calls: tuple[Callable[[], object], ...] = (
            lambda: session.commit(0),
            lambda: session.begin(0),
            session.advance,
            session.finish,
            session.complete,
            lambda: session.run(1),
            lambda: session.set_rules("neighbours"),
            session.conclude,
            session.close,
            lambda: session.claim("a cell"),
            lambda: SessionThread(session),
        )
        for call in calls:
            with pytest.raises(LayertieError, match=r"a control room .* holds this one") as caught:
                call()
            assert "room.submit" in caught.value.remedy
        assert session.evaluate().loss > 0
        assert session.save("mine") is not None
        fork = session.fork()
        fork.run(1)
        room.submit("pause", finish=True).result(DEADLINE)
        before = session.decision
        assert len(running.result(DEADLINE)) == before
        room.close()
        session.commit(session.propose().choice)
        assert session.decision == before + 1
    assert Moment.stored(tmp_path / "run", "mine").open().decision <= before


def test_a_second_control_room_is_refused_until_the_first_is_closed(text_file: Path) -> None:
    session = Session(tiny(text_file))
    room = ControlRoom(session)
    with pytest.raises(LayertieError, match="a control room"):
        ControlRoom(session)
    room.close()
    other = ControlRoom(session)
    assert len(other.submit("run", 1).result(DEADLINE)) == 1
    other.close()


def test_a_proposal_asked_for_in_a_runs_last_decision_is_given_when_it_ends(text_file: Path) -> None:
    session = Session(tiny(text_file))
    gate = Gate(session)
    room = SessionThread(session)
    running = room.submit("run", 1)
    assert gate.reached.wait(DEADLINE)
    asked = room.submit("propose")
    gate.open.set()
    assert len(running.result(DEADLINE)) == 1
    assert asked.result(DEADLINE).decision == 2
    room.close()


def test_a_proposal_asked_for_before_a_run_that_is_ended_inside_a_decision_is_refused(text_file: Path) -> None:
    session = Session(tiny(text_file))
    gate = Gate(session)
    room = SessionThread(session)
    running = room.submit("run")
    assert gate.reached.wait(DEADLINE)
    asked, nothing = room.submit("propose"), room.submit("run", 0)
    gate.open.set()
    assert running.result(DEADLINE) == nothing.result(DEADLINE) == []
    with pytest.raises(LayertieError, match="decision 1 is under way"):
        asked.result(DEADLINE)
    room.close()


def test_a_subscriber_may_call_back(text_file: Path) -> None:
    session = Session(tiny(text_file))
    heard: list[float] = []

    def take(entry: Any) -> None:
        if isinstance(entry, Stepped):
            heard.append(session.evaluate().loss)
            session.fork()
        elif isinstance(entry, DecisionMade):
            session.set_rules("neighbours" if not session.rules else "")
            with pytest.raises(LayertieError, match="between two calls"):
                session.claim("a subscriber")

    session.subscribe(take)
    in_thread(lambda: session.run(2)).result(DEADLINE)
    assert len(heard) == session.step == 4


@pytest.mark.usefixtures("restless")
def test_a_fork_that_trains_in_another_thread_draws_its_own_dropout(text_file: Path) -> None:
    session = Session(tiny(text_file, dropout=0.5, layers=6))
    forks = [session.fork() for _ in range(2)]
    alone = [outcome.train_loss for outcome in session.run(10)]
    together = [in_thread(lambda fork=fork: fork.run(10)) for fork in forks]
    for running in together:
        assert [outcome.train_loss for outcome in running.result(DEADLINE)] == alone


def test_a_callback_that_would_wait_for_ever_is_refused() -> None:
    turns, inside, done = Turns(), threading.Event(), threading.Event()

    def change() -> None:
        with turns.change():
            inside.set()
            assert done.wait(DEADLINE)

    changing = in_thread(change)
    assert inside.wait(DEADLINE)
    with turns.use(), pytest.raises(LayertieError, match="nobody else is changing"), turns.change():
        raise AssertionError("it was let in")
    done.set()
    changing.result(DEADLINE)
    with turns.use(), turns.change():
        pass


def test_who_waits_is_let_in_in_turn_and_may_give_up() -> None:
    turns, order = Turns(), []
    started: list[threading.Thread] = []

    def enter(number: int) -> None:
        with turns.use():
            order.append(number)

    with turns.use():
        for number in range(8):
            waiting = len(turns._uses._waiting)
            started.append(threading.Thread(target=enter, args=(number,), daemon=True))
            started[-1].start()
            while len(turns._uses._waiting) == waiting:
                threading.Event().wait(0.001)
    for thread in started:
        thread.join(DEADLINE)
        assert not thread.is_alive()
    assert order == list(range(8))


def check_refusal(error: BaseException | None) -> None:
    """Refuse what is no refusal: a disk that cannot be written, a loss that is no number, torch's own."""
    assert error is None or type(error) in (LayertieError, TieError, WorkerError), error


class Cell:
    """A thread that calls a session, directly or through its room, as chance says.

    Args:
        seed: Names what it does.
        session: What it calls.
        room: What may be running the session.
    """

    def __init__(self, seed: str, session: Session, room: SessionThread) -> None:
        self._random, self._session, self._room = random.Random(seed), session, room
        self._given: list[Future[Any]] = []

    def work(self) -> None:
        """Call, and let nothing pass but a refusal."""
        names = [name for name in dir(self) if name.startswith("do_")]
        for _ in range(self._random.randint(3, 8)):
            try:
                getattr(self, self._random.choice(names))()
            except LayertieError as error:
                check_refusal(error)
        for future in self._given:
            check_refusal(future.exception(DEADLINE))

    def do_commit(self) -> None:
        self._session.commit(self._random.randrange(2))

    def do_step(self) -> None:
        self._session.run(1)

    def do_give(self) -> None:
        command = self._random.choice(["run", "step", "pause", "save", "propose", "commit"])
        arguments = {"commit": (0,), "run": (2,)}.get(command, ())
        self._given.append(self._room.submit(command, *arguments))

    def do_pause(self) -> None:
        self._given.append(self._room.submit("pause", finish=True))

    def do_fork(self) -> None:
        fork = self._session.fork(self._random.choice([None, 1]))
        fork.run(1)
        fork.model.stack.check_books()

    def do_moment(self) -> None:
        Moment.of(self._session).open(self._session.data).run(1)

    def do_save(self) -> None:
        self._session.save(self._random.choice([None, "mine"]))

    def do_look(self) -> None:
        assert self._session.evaluate().loss > 0
        assert self._session.sample(2)
        assert self._session.summary()["decisions"] >= 0

    def do_propose(self) -> None:
        assert self._session.propose().legal

    def do_close(self) -> None:
        chance = self._random.random()
        if chance < 0.5:
            self._room.close()
        elif chance < 0.8:
            self._session.close()


def interleave(seed: int, text: Path, folder: Path) -> None:
    """One session, run by a room, called by two cells; then what it left is held against a run of the same actions."""
    draw = random.Random(seed)
    config = tiny(
        text,
        algorithm=ALGORITHMS[seed % 3],
        layers=draw.choice([2, 3]),
        dropout=draw.choice([0.0, 0.1]),
        checkpoint_seconds=draw.choice([0.0, 0.02, 1e6]),
        moment_every=draw.choice([0, 2]),
    )
    session = Session(config, folder / "run")
    room = SessionThread(session)
    started = room.submit("run")
    cells = [in_thread(Cell(f"{seed}/{number}", session, room).work) for number in range(2)]
    for cell in cells:
        cell.result(DEADLINE)
    room.close(timeout=DEADLINE)
    assert room.status == "closed"
    assert started.exception(DEADLINE) is None
    session.close(save=draw.random() < 0.5)
    compare(folder, config)


def compare(folder: Path, config: RunConfig) -> None:
    """The log reads whole and is that of a run of the same actions; so is the best model; every checkpoint loads."""
    with Session.resume(folder / "run") as resumed:
        resumed.model.stack.check_books()
        resumed.components.optimizer.check_books()
        resumed.run(1)
    assert load_run(folder / "run").decisions.height == resumed.decision
    again = Session(config, folder / "again")
    Replay(Log.read(folder / "run"), config).give(again)
    again.close()
    assert (folder / "run/events.jsonl").read_bytes() == (folder / "again/events.jsonl").read_bytes()
    directory = RunDirectory.open(folder / "run")
    assert not [info.name for info in list_checkpoints(directory) if info.damage]
    for info in list_checkpoints(directory):
        load_checkpoint(directory, info.name)
    best = RunDirectory.open(folder / "again").path / "checkpoints" / "best.safetensors"
    assert best.exists() == (directory.path / "checkpoints" / "best.safetensors").exists()
    if best.exists():
        found, wanted = (load_checkpoint(RunDirectory.open(folder / name), "best") for name in ("run", "again"))
        assert found.meta["decision"] == wanted.meta["decision"]
        assert not [name for name, tensor in wanted.tensors.items() if not torch.equal(tensor, found.tensors[name])]


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("seed", range(20))
def test_callers_in_any_order_lose_nothing(seed: int, text_file: Path, tmp_path: Path) -> None:
    interleave(seed, text_file, tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("first", range(20, 200, 20))
def test_callers_in_any_order_lose_nothing_at_length(first: int, text_file: Path, tmp_path: Path) -> None:
    for seed in range(first, first + 20):
        interleave(seed, text_file, tmp_path / str(seed))
