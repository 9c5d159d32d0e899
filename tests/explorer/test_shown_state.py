"""Where a run stands, read off its events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pretend_run import PretendSession

from layertie_lab.core.config import RunConfig
from layertie_lab.core.events import DecisionFinished, DecisionMade
from layertie_lab.core.notices import Proposed, StatusChanged
from layertie_lab.explorer.bar_scale import TENTH, BarScale
from layertie_lab.explorer.shown_state import ShownState
from layertie_lab.explorer.still_run import state_of
from layertie_lab.records.log.cursor import read_events
from layertie_lab.records.log.reader import load_run
from layertie_lab.session.session import Session


def started() -> tuple[PretendSession, ShownState, list[Any]]:
    session, state = PretendSession(layers=4), ShownState(clock=lambda: 0.0)
    state.take(session.opening())
    state.take(StatusChanged("ready"))
    state.take(Proposed(session.propose()))
    entries: list[Any] = []
    session.subscribe(entries.append)
    return session, state, entries


def test_bars_have_one_scale_in_a_sweep_whoever_looks_and_since_when(text_file: Path, tmp_path: Path) -> None:
    config = RunConfig.preset("tiny", corpus=str(text_file), decisions=9, threads=1)
    watched, seen = ShownState(clock=lambda: 0.0), []
    with Session(config, tmp_path / "run") as session:
        session.subscribe(watched.take)
        for _ in range(7):
            session.run(1)
            seen.append(watched.panel_traits()["q_scale"])
        session.propose()
    layers = config.model.layers
    assert seen[: layers - 1] == sorted(seen[: layers - 1])
    assert max(seen) > 0
    # A page that comes later has the log alone, and one of a run that stands still its tables.
    run = load_run(tmp_path / "run")
    joined = ShownState(clock=lambda: 0.0)
    for event in read_events(run.directory):
        joined.take(event)
    assert joined.panel_traits()["q_scale"] == seen[-1]
    still = state_of(run, example=True)
    assert still["asked"] == 7
    assert still["q_scale"] == pytest.approx(seen[-1], rel=1e-3)


def test_bars_are_whole_at_the_end_of_the_longest_interval() -> None:
    scale = BarScale()
    hand = {"episode": 1, "legal": [0, 1], "q_values": [0.1, 0.3], "q_deviations": [0.0, 0.1], "present": 0}
    assert scale.take(hand) == pytest.approx(0.2 + TENTH * 0.1)
    # Where the present tie's own value is uncertain there is no interval of the difference.
    assert scale.take(hand | {"q_deviations": [0.1, 0.1]}) == pytest.approx(0.2 + TENTH * 0.1)
    assert scale.take(hand | {"episode": 2, "q_deviations": [0.1, 0.1]}) == pytest.approx(0.2)
    assert scale.take(hand | {"episode": 2, "q_values": [0.0, float("nan")]}) == pytest.approx(0.2)
    assert scale.take(hand | {"episode": 3, "legal": [], "q_values": []}) == 0.0


def test_the_map_and_the_true_sharing_change_together() -> None:
    session, state, entries = started()
    assert state.open_decision == 1
    session.commit(1)
    for entry in entries:
        state.take(entry)
        traits = state.map_traits()
        assert traits["blocks"] == traits["sources"]
        assert traits["sources"] == ([0, 1, 0, 0] if isinstance(entry, DecisionFinished) else [0, 0, 0, 0])
        assert not state.awaiting
        assert traits["layer"] == 1
    assert isinstance(entries[0], DecisionMade)


def test_an_override_is_marked_until_the_layer_is_answered_again() -> None:
    session, state, entries = started()
    session.commit(1 - session.propose().choice)
    for _ in range(3):
        session.commit(session.propose().choice, by="agent")
    marks = []
    for entry in entries:
        state.take(entry)
        if isinstance(entry, DecisionFinished):
            marks.append(state.map_traits()["overrides"])
    assert marks == [[1], [1], [1], []]


def test_a_proposal_that_was_answered_meanwhile_is_not_shown() -> None:
    session, state, entries = started()
    old = session.propose()
    session.commit(0)
    for entry in entries:
        state.take(entry)
    state.take(Proposed(old))
    assert not state.awaiting
    state.take(Proposed(session.propose()))
    assert state.open_decision == 2


def test_nothing_is_at_hand_in_a_lost_run() -> None:
    _, state, _ = started()
    state.take(StatusChanged("lost", "The training process ended."))
    traits = state.panel_traits()
    assert (traits["status"], traits["layer"], traits["can_act"]) == ("lost", None, False)
    assert state.failure == "The training process ended."


def test_values_that_are_no_numbers_are_left_out() -> None:
    session, state, _ = started()
    values = session.propose()
    broken = type(values)(**(vars(values) | {"q_values": (float("nan"), 1.0)}))
    state.take(Proposed(broken))
    assert state.panel_traits()["q_values"] == []


def test_a_decision_counts_once_it_has_an_outcome_and_a_step_as_it_is_made() -> None:
    session, state, entries = started()
    session.commit(1)
    counted = []
    for entry in entries:
        state.take(entry)
        shown = state.panel_traits()
        counted.append((type(entry).__name__, shown["decision"], shown["step"]))
    assert counted == [
        ("DecisionMade", 0, 0),
        *(("Stepped", 0, step) for step in range(1, 5)),
        ("DecisionFinished", 1, 4),
    ]
