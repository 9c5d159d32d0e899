"""The explorer over a session of this process: map, charts and steering act on it; what needs records says so."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layertie_lab import Explorer, RunConfig, Session
from layertie_lab.core.errors import LayertieError
from layertie_lab.explorer import ControlRoom, shown
from layertie_lab.explorer.held_run import UNRECORDED
from layertie_lab.explorer.own_session import OwnSession


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    assert condition()


def press(explorer: Explorer, command: str, **arguments: Any) -> None:
    explorer.steer.hear({"kind": "press", "command": command, "id": command, "arguments": arguments})


def session_of(text_file: Path, directory: Path | None = None) -> Session:
    settings = RunConfig.preset("tiny", decisions=40, corpus=str(text_file), evaluate_every=5)
    return Session(settings, directory)


def view(explorer: Explorer, kind: str) -> Any:
    return next(panel for panel in explorer.panels if type(panel).__name__ == kind)


def test_a_recorded_session_is_shown_from_its_start_and_steered(text_file: Path, tmp_path: Path) -> None:
    session = session_of(text_file, tmp_path / "runs" / "mine")
    session.run(5)
    gone = steered(Explorer(session), session, tmp_path / "runs")
    wait_for(lambda: gc.collect() >= 0 and gone() is None)
    wait_for(lambda: goes_on(session))
    session.close()


def goes_on(session: Session) -> bool:
    """Train for one decision, if nobody else holds the session any more."""
    try:
        return bool(session.run(1))
    except LayertieError:
        return False


def steered(explorer: Explorer, session: Session, runs: Path) -> weakref.ref[Explorer]:
    assert (explorer.menu.current, explorer.root) == ("mine", runs)
    assert (explorer.signs.decision, explorer.form.draft.changes["decisions"]) == (5, 40)
    wait_for(lambda: explorer.steer.can_act)
    press(explorer, "step")
    wait_for(lambda: explorer.steer.asked == 7 and explorer.steer.can_act)
    proposal = session.propose()
    other = next(choice for choice in proposal.legal if choice != proposal.choice)
    explorer.tie_map.hear({"kind": "answer", "layer": proposal.layer, "source": other})
    wait_for(lambda: explorer.steer.asked == 8 and explorer.steer.can_act)
    assert session.decision == 7
    assert explorer.chart._store.thinned(1000)["decisions"]["overridden"] == [False] * 6 + [True]
    # Rules hold for it, and what is stored of it can be looked at.
    explorer.tabs["rules"].panel.hear({"kind": "apply", "values": {"most_owners": "2"}})  # pyright: ignore
    wait_for(lambda: str(session.rules) != "")
    time_panel = view(explorer, "TimePanel")
    wait_for(lambda: 7 in time_panel.stored)
    # While it is on the page nobody else trains it.
    with pytest.raises(LayertieError, match="control room"):
        session.run(1)
    with pytest.raises(LayertieError, match="control room"):
        ControlRoom(session)
    with pytest.raises(LayertieError, match="control room"):
        Explorer(session)
    # A page that is reloaded finds it as it was: the session lives in the kernel.
    explorer._outlives = True
    explorer.steer.hear({"kind": "farewell"})
    press(explorer, "step")
    # To its end: a decision that is cut off would be completed by what runs next.
    wait_for(lambda: session.decision == 8 and session.phase == "propose")
    # Another run in its place, and it again.
    explorer.open("laptop-lab")
    assert explorer.menu.current == "laptop-lab"
    session.run(1)
    explorer.open("mine")
    wait_for(lambda: explorer.steer.can_act)
    wait_for(lambda: explorer.signs.decision == 9)
    press(explorer, "step")
    wait_for(lambda: session.decision == 10)
    return weakref.ref(explorer)


@pytest.mark.parametrize("kind", [Explorer, ControlRoom])
def test_what_a_cell_shows_stays_until_a_cell_shows_the_session_again(text_file: Path, kind: Any) -> None:
    session = session_of(text_file)
    # As the last line of a cell: the host keeps the widget alone.
    frame = kind(session)._display_()
    gc.collect()
    with pytest.raises(LayertieError, match="control room"):
        session.run(1)
    room = weakref.ref(next(each.what for each in shown._HERE.shown if each.of is session))
    again = kind(session)
    again._display_()
    assert frame.comm is None
    wait_for(lambda: gc.collect() >= 0 and room() is None)
    # One that no cell has shown does not give way.
    again.close()
    named = kind(session)
    with pytest.raises(LayertieError, match="control room"):
        kind(session)
    named.close()
    session.run(1)
    session.close()


def test_what_a_visitor_was_shown_ends_with_the_thread_of_the_visit(text_file: Path) -> None:
    session = session_of(text_file)
    visit = threading.Thread(target=lambda: Explorer(session)._display_())
    visit.start()
    visit.join()
    wait_for(lambda: gc.collect() >= 0 and goes_on(session))
    session.close()


def test_what_needs_records_says_so_of_a_session_without_any(text_file: Path, tmp_path: Path) -> None:
    session = session_of(text_file)
    session.run(3)
    explorer = Explorer(session)
    assert (explorer.menu.current, explorer.menu.can_label) == (OwnSession.NAME, False)
    assert (explorer.signs.decision, explorer.steer.can_save) == (3, False)
    assert view(explorer, "TimePanel").about == UNRECORDED
    audit = explorer.tabs["audit"].panel  # pyright: ignore[reportAttributeAccessIssue]
    audit.hear({"kind": "ask", "name": "audit"})
    assert audit.sentence == UNRECORDED
    table = view(explorer, "DecisionTable")
    table.hear({"kind": "download", "format": "csv"})
    assert table.problem == UNRECORDED
    press(explorer, "run", decisions=2)
    wait_for(lambda: explorer.signs.decision == 5 and explorer.steer.can_act)
    explorer.open("laptop-lab")
    session.run(1)
    other = Explorer(session)
    other.close()
    session.run(1)
    session.close()


def test_only_a_session_is_taken_for_one() -> None:
    with pytest.raises(LayertieError, match=r"Expected a folder of runs, a run or a Session, but got int\."):
        Explorer(3)  # pyright: ignore[reportArgumentType]
