"""Where a run stands, read off its events."""

from __future__ import annotations

from typing import Any

from pretend_run import PretendSession

from layertie_lab.core.events import DecisionFinished, DecisionMade
from layertie_lab.core.notices import Proposed, StatusChanged
from layertie_lab.explorer.shown_state import ShownState


def started() -> tuple[PretendSession, ShownState, list[Any]]:
    session, state = PretendSession(layers=4), ShownState(clock=lambda: 0.0)
    state.take(session.opening())
    state.take(StatusChanged("ready"))
    state.take(Proposed(session.propose()))
    entries: list[Any] = []
    session.subscribe(entries.append)
    return session, state, entries


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
