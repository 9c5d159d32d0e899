"""A control room over a session that has been used: it begins with all that has happened."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from layertie_lab import RunConfig, Session
from layertie_lab.core.config import RunConfig as Config
from layertie_lab.core.events import Opened
from layertie_lab.explorer import ControlRoom
from layertie_lab.session import recorder


def tiny(text_file: Path) -> Config:
    return RunConfig.preset("tiny", decisions=40, corpus=str(text_file), evaluate_every=5)


def used(session: Session) -> int:
    """Six decisions, an override, three more, and one under way; the layer of the override."""
    session.run(6)
    proposal = session.propose()
    session.commit(next(choice for choice in proposal.legal if choice != proposal.choice))
    session.run(3)
    session.begin(session.propose().choice, by="agent")
    session.advance()
    return proposal.layer


@pytest.mark.parametrize("is_recorded", [True, False])
def test_it_begins_with_the_whole_history(text_file: Path, tmp_path: Path, is_recorded: bool) -> None:
    session = Session(tiny(text_file), tmp_path / "run" if is_recorded else None)
    layer = used(session)
    room = ControlRoom(session)
    held = room.chart._store.thinned(10_000)
    assert held["decisions"]["decision"] == list(range(1, 11))
    assert held["decisions"]["overridden"].index(True) == 6
    assert held["steps"]["step"] == list(range(1, session.step + 1))
    assert held["evaluations"]["step"][0] == 0
    assert held["reference"]["name"] == ["unigram"]
    assert (room.steer.decision, room.steer.step) == (10, session.step)
    history = room.tie_map._history
    assert (history.last, history.overrides()) == (10, [(7, layer)])
    # What comes then is added to it, once.
    room.submit("run", 2).result(60)
    until = time.monotonic() + 20
    while room.steer.decision < session.decision and time.monotonic() < until:
        time.sleep(0.01)
    room.close()
    assert room.chart._store.thinned(10_000)["decisions"]["decision"] == list(range(1, session.decision + 1))
    session.close()


def test_of_a_long_run_that_is_not_recorded_the_latest_is_remembered(
    text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "REMEMBERED", 30)
    session = Session(tiny(text_file))
    session.run(12)
    past = session.past()
    assert len(past) == 31
    assert past[0].decision == 0
    assert past[-1].decision == 12
    # A fork remembers nothing: it begins where it is.
    assert [type(event) for event in session.fork().past()] == [Opened]
