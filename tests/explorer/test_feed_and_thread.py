"""A run behind the widgets: what they show, what presses do, and that nothing is kept alive."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import polars as pl
import pytest
from pretend_run import PretendSession, Room

from layertie_lab.charts.run.live import live_spec
from layertie_lab.core.commands import Command, Commit, Propose
from layertie_lab.core.errors import LayertieError, TieError, WorkerError
from layertie_lab.core.events import Event, Opened
from layertie_lab.core.notices import Proposed, StatusChanged
from layertie_lab.core.tables import Tabulator
from layertie_lab.explorer import ControlRoom, Feed, SessionThread
from layertie_lab.widgets import LiveChart, SteerPanel, TieMapView

PANELS = {"Loss": live_spec("loss"), "Reward": live_spec("reward"), "History": live_spec("history")}


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    assert condition()


def press(steer: SteerPanel, command: str, **arguments: Any) -> None:
    steer.hear({"kind": "press", "command": command, "id": "test", "arguments": arguments})


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room(PretendSession(layers=6, decisions=40, step_seconds=0.001), PANELS)
    wait_for(lambda: room.steer.can_act)
    yield room
    room.feed.close()
    room.thread.close()


def test_the_first_proposal_is_shown(room: Room) -> None:
    proposal = room.session.propose()
    assert room.steer.status == "paused"
    assert (room.steer.layer, room.steer.asked, room.steer.episode) == (1, 1, 1)
    assert room.steer.legal == list(proposal.legal)
    assert room.steer.proposed == room.tie_map.proposed == proposal.choice
    assert room.steer.q_values == pytest.approx(list(proposal.q_values or ()), rel=1e-4)
    assert room.tie_map.can_act
    assert room.tie_map.sources == [0] * 6
    assert room.tie_map.budget == 40


def test_a_step_is_one_decision_by_the_agent(room: Room) -> None:
    press(room.steer, "step")
    wait_for(lambda: room.steer.can_act and room.steer.asked == 2)
    assert room.session.decision == room.steer.decision == 1
    assert room.tie_map.sources == list(room.session.ties)
    assert room.steer.layer == 2


def test_run_so_many_then_run_to_the_end(room: Room) -> None:
    press(room.steer, "run", decisions=7)
    wait_for(lambda: room.steer.can_act and room.steer.asked == 8)
    press(room.steer, "run")
    wait_for(lambda: room.steer.status == "finished" and room.steer.can_act)
    assert room.session.decision == 40
    assert room.steer.step == 40 * room.session.config.training.steps_per_decision
    assert room.chart._store.thinned(10_000)["decisions"]["decision"] == list(range(1, 41))


def test_pause_comes_between_two_steps_and_opens_a_proposal(room: Room) -> None:
    room.session.step_seconds = 0.02
    press(room.steer, "run")
    wait_for(lambda: room.steer.status == "running")
    press(room.steer, "pause", finish=True)
    wait_for(lambda: room.steer.status == "paused" and room.steer.can_act)
    assert 0 < room.session.decision < 40
    assert room.session.phase == "propose"


def test_an_answer_from_the_tie_map_is_an_override(room: Room) -> None:
    proposal = room.session.propose()
    other = next(answer for answer in proposal.legal if answer != proposal.choice)
    room.tie_map.hear({"kind": "answer", "layer": proposal.layer, "source": other})
    wait_for(lambda: room.steer.asked == 2 and room.steer.can_act)
    assert room.session.ties[1] == other
    assert room.tie_map.overrides == [1]
    row = room.chart._store.thinned(100)["decisions"]
    assert row["overridden"] == [True]
    assert row["by"] == ["human"]


def test_an_answer_from_the_panel(room: Room) -> None:
    press(room.steer, "commit", choice=1, decision=1)
    wait_for(lambda: room.steer.asked == 2)
    assert room.session.ties[1] == 1


def test_a_late_answer_is_refused_in_words(room: Room) -> None:
    press(room.steer, "step")
    wait_for(lambda: room.steer.asked == 2 and room.steer.can_act)
    press(room.steer, "commit", choice=0, decision=1)
    wait_for(lambda: room.steer.error != "")
    assert "decision 2" in room.steer.error
    assert room.session.decision == 1


def test_training_that_fails_says_so_and_can_go_on(room: Room) -> None:
    room.session.fails_at = 2
    press(room.steer, "run")
    wait_for(lambda: room.steer.error != "")
    assert "not a finite number" in room.steer.error
    wait_for(lambda: room.steer.status == "paused" and not room.steer.can_act)
    room.session.fails_at = None
    press(room.steer, "step")
    wait_for(lambda: room.steer.can_act and room.steer.error == "")


def test_save_and_farewell(room: Room) -> None:
    press(room.steer, "save")
    wait_for(lambda: room.session.saved == [None])
    room.steer.hear({"kind": "farewell"})
    assert room.steer.error == ""


def test_commands_are_told_when_they_take_effect(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    acted: list[str] = []
    monkeypatch.setattr(room.steer, "acted", lambda press: acted.append(press.command.verb))
    press(room.steer, "step")
    wait_for(lambda: acted == ["step"])
    press(room.steer, "pause", finish=True)
    wait_for(lambda: acted == ["step", "pause"])


def test_a_press_that_changes_nothing_is_answered_all_the_same(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str, str]] = []
    steer = room.steer
    for name in ("acted", "refused"):
        monkeypatch.setattr(steer, name, lambda press, name=name: told.append((name, press.id, steer.status)))
    press(steer, "run")
    wait_for(lambda: steer.status == "finished")
    # The budget is spent: nothing is trained, so that no status changes either.
    presses = {
        "run": ({}, "acted"),
        "pause": ({"finish": True}, "acted"),
        "commit": ({"choice": 0, "decision": 1}, "refused"),
    }
    for command, (values, came) in presses.items():
        told.clear()
        steer.hear({"kind": "press", "command": command, "id": command, "arguments": values})
        wait_for(lambda: len(told) == 1)
        assert told == [(came, command, "finished")]


def test_a_room_that_is_dropped_ends_its_threads() -> None:
    room = Room(PretendSession(layers=4), PANELS)
    session, thread, feed = weakref.ref(room.session), weakref.ref(room.thread), weakref.ref(room.feed)
    press(room.steer, "run")
    steer = room.steer
    wait_for(lambda: steer.decision > 2)
    before = {worker.name for worker in threading.enumerate()}
    assert {"layertie feed", "layertie session"} <= before
    del room
    gc.collect()
    wait_for(lambda: feed() is None and thread() is None)
    wait_for(lambda: gc.collect() >= 0 and session() is None)


def test_a_feed_does_not_keep_its_source() -> None:
    thread = SessionThread(PretendSession(layers=4))
    feed = Feed(thread, steer=SteerPanel())
    alive = weakref.ref(thread)
    del thread
    gc.collect()
    assert alive() is None
    feed.close()


def test_a_run_that_is_joined_late_is_shown_once() -> None:
    session = PretendSession(layers=5)
    events: list[Event] = [session.opening()]
    session.subscribe(events.append)
    session.run(6)
    chart, tie_map = LiveChart(PANELS), TieMapView()

    def past() -> Iterator[Event]:
        yield from events
        written = len(events)
        session.run(12)  # told by the source, and in the log too
        yield from events[written:]

    feed = Feed(session, chart=chart, tie_map=tie_map, past=past())
    session.run(2)
    wait_for(lambda: tie_map.sources == list(session.ties))
    wait_for(lambda: len(chart._store.thinned(10_000)["decisions"]["decision"]) >= 20)
    decisions = chart._store.thinned(10_000)["decisions"]["decision"]
    assert decisions == list(range(1, 21))
    assert not tie_map.can_act  # a bare session can only be watched
    feed.close()


def test_a_run_that_is_joined_inside_a_decision_without_its_past() -> None:
    session = PretendSession(layers=5)
    session.begin(0, by="agent")
    chart = LiveChart(PANELS)
    feed = Feed(session, chart=chart)
    session.run(2)
    wait_for(lambda: chart._store.thinned(100).get("decisions", {}).get("decision") == [2])
    feed.close()


def test_a_finished_run_in_one_go() -> None:
    session, tabulator = PretendSession(layers=5, decisions=12), Tabulator()
    rows: dict[str, list[dict[str, Any]]] = {}

    def keep(event: Event) -> None:
        for table, row in tabulator.rows(event):
            rows.setdefault(table, []).append(row)

    keep(session.opening())
    session.subscribe(keep)
    session.run()
    chart, tie_map, steer = LiveChart(PANELS), TieMapView(), SteerPanel()
    frames = {table: pl.DataFrame(some) for table, some in rows.items()}
    Feed.show(frames, chart=chart, tie_map=tie_map, steer=steer)
    assert chart._store.thinned(10_000)["decisions"]["decision"] == list(range(1, 13))
    assert tie_map.sources == list(session.ties)
    assert (steer.status, steer.decision, steer.step) == ("finished", 12, session.step)


class Worker:
    """What a worker says of itself, by hand."""

    def __init__(self) -> None:
        self.status = "starting"
        self.submitted: list[Any] = []
        self.callback: Callable[[Any], None] = print

    def subscribe(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        self.callback = callback
        return lambda: None

    def give(self, command: Command[Any], /) -> Future[Any]:
        if self.status == "lost":
            raise WorkerError("Expected a training process to take the command, but it has ended.")
        self.submitted.append(command)
        return Future()


def test_a_worker_that_prepares_then_proposes_then_is_lost() -> None:
    worker, steer, tie_map = Worker(), SteerPanel(), TieMapView()
    feed = Feed(worker, steer=steer, tie_map=tie_map)
    wait_for(lambda: steer.status == "preparing")
    assert steer.status_text == "Starting the training process."
    session = PretendSession(layers=4)
    worker.callback(session.opening())
    worker.callback(StatusChanged("ready"))
    wait_for(lambda: Propose() in worker.submitted)
    worker.callback(Proposed(session.propose()))
    wait_for(lambda: steer.can_act and tie_map.can_act)
    steer.hear({"kind": "press", "command": "commit", "id": "x", "arguments": {"choice": 0, "decision": 1}})
    assert worker.submitted[-1] == Commit(0, decision=1)
    worker.status = "lost"
    worker.callback(StatusChanged("lost", "The training process ended."))
    wait_for(lambda: steer.status == "lost")
    assert steer.error == "The training process ended."
    assert not steer.can_act
    press(steer, "step")
    assert "has ended" in steer.error
    feed.close()


def test_the_second_of_two_clicks_on_an_action_is_the_same_click() -> None:
    worker, steer = Worker(), SteerPanel()
    feed = Feed(worker, steer=steer)
    session = PretendSession(layers=4)
    worker.callback(session.opening())
    worker.callback(StatusChanged("ready"))
    worker.callback(Proposed(session.propose()))
    wait_for(lambda: steer.can_act)
    for _ in range(2):
        press(steer, "commit", choice=0, decision=1)
    press(steer, "commit", choice=1, decision=1)
    given = [command for command in worker.submitted if isinstance(command, Commit)]
    assert given == [Commit(0, decision=1), Commit(1, decision=1)]
    assert steer.error == ""
    feed.close()


def test_what_was_committed_is_shown_until_the_next_proposal() -> None:
    worker, steer = Worker(), SteerPanel()
    feed = Feed(worker, steer=steer)
    session = PretendSession(layers=4)
    worker.callback(session.opening())
    session.subscribe(worker.callback)
    worker.callback(StatusChanged("ready"))
    proposal = session.propose()
    worker.callback(Proposed(proposal))
    wait_for(lambda: steer.can_act)
    assert (steer.choice, steer.by) == (None, "")
    other = next(action for action in proposal.legal if action != proposal.choice)
    session.commit(other, by="human")
    wait_for(lambda: steer.decision == 1)
    assert (steer.layer, steer.proposed, steer.choice, steer.by) == (proposal.layer, proposal.choice, other, "human")
    worker.callback(Proposed(session.propose()))
    wait_for(lambda: steer.asked == 2)
    assert (steer.choice, steer.by) == (None, "")
    assert (steer.last["decision"], steer.last["choice"], steer.last["by"]) == (1, other, "human")
    feed.close()


def test_the_thread_refuses_in_the_sessions_words() -> None:
    thread = SessionThread(PretendSession(layers=4))
    with pytest.raises(TieError):
        thread.submit("commit", 3, by="human").result(2)
    with pytest.raises(TieError):
        thread.submit("commit", 0, by="human", decision=5).result(2)
    with pytest.raises(LayertieError, match="Expected a command"):
        thread.submit("dance").result(2)
    assert thread.submit("propose").result(2).layer == 1
    thread.close()
    assert thread.status == "closed"
    with pytest.raises(LayertieError):
        thread.submit("step")


def test_the_thread_answers_when_things_are_done() -> None:
    session = PretendSession(layers=4, decisions=30, step_seconds=0.001)
    thread = SessionThread(session)
    assert [outcome.decision.proposal.decision for outcome in thread.submit("run", 4).result(5)] == [1, 2, 3, 4]
    assert thread.submit("step").result(5).decision.proposal.decision == 5
    run = thread.submit("run")
    assert thread.submit("commit", 0, by="human").result(5).decision.by == "human"
    thread.submit("pause", finish=True).result(5)
    assert len(run.result(5)) == session.decision - 5
    assert session.phase == "propose"
    session.fails_at = session.step + 1
    with pytest.raises(LayertieError, match="finite"):
        thread.submit("run", 3).result(5)
    thread.close()


def test_the_control_room() -> None:
    session = PretendSession(layers=5)
    room = ControlRoom(session, panels=("loss", "q_values"))
    wait_for(lambda: room.steer.can_act)
    assert [panel["title"] for panel in room.chart.panels] == ["Loss", "Q values"]
    assert not room.steer.can_save
    press(room.steer, "run", decisions=3)
    wait_for(lambda: room.steer.asked == 4)
    assert len(room.submit("run", 2).result(5)) == 2
    assert session.decision == 5
    room.close()
    with pytest.raises(LayertieError, match="closed"):
        room.submit("step")
    session.run(1)


def test_rates_are_read_off() -> None:
    room = Room(PretendSession(layers=5, step_seconds=0.01), PANELS)
    press(room.steer, "run")
    wait_for(lambda: room.steer.steps_per_second > 20 and room.steer.decisions_per_second > 0)
    assert 5 < room.steer.decisions_per_second < 60
    room.feed.close()
    room.thread.close()


def test_opening_says_what_the_past_was_not_seen_for() -> None:
    assert isinstance(PretendSession(layers=3).opening(), Opened)
