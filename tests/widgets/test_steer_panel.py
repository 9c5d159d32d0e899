"""The steering panel's Python side: commands, acknowledgements, errors, and who is kept alive."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from sent_messages import record

from layertie_lab.core.commands import Commit, Run
from layertie_lab.core.errors import TieError
from layertie_lab.widgets import Press, SteerPanel
from layertie_lab.widgets.listeners import Listeners


def press(command: str, press_id: str, **arguments: Any) -> dict[str, Any]:
    return {"kind": "press", "command": command, "id": press_id, "arguments": arguments}


@pytest.fixture
def panel() -> SteerPanel:
    return SteerPanel()


@pytest.fixture
def messages(panel: SteerPanel, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    return record(panel, monkeypatch)


def test_a_press_is_a_command_and_is_acknowledged(panel: SteerPanel, messages: list[Any]) -> None:
    heard: list[Press] = []
    panel.on_press(heard.append)
    panel.hear(press("run", "a-1", decisions=20) | {"sent": 5.5})
    assert heard == [Press(Run(20), "a-1", 5.5)]
    assert messages == [{"kind": "ack", "id": "a-1", "good": True}]
    panel.acted(heard[0])
    assert messages[-1] == {"kind": "acted", "id": "a-1"}


def test_an_error_stands_beside_the_controls_until_the_next_press(panel: SteerPanel, messages: list[Any]) -> None:
    def refuse(press: Press) -> None:
        if isinstance(press.command, Commit):
            raise TieError("Expected an action from 0 to 3, but got 9.", "Choose one of them.")

    panel.on_press(refuse)
    panel.hear(press("commit", "a-1", choice=9, decision=1))
    assert panel.error == "Expected an action from 0 to 3, but got 9. Choose one of them."
    assert messages == [{"kind": "ack", "id": "a-1", "good": False}]
    panel.hear(press("step", "a-2"))
    assert panel.error == ""


def test_who_asks_whether_anybody_is_there_is_answered_and_asks_nothing_of_the_run(
    panel: SteerPanel, messages: list[Any]
) -> None:
    heard: list[Press] = []
    panel.on_press(heard.append)
    panel.hear({"kind": "ping"})
    assert messages == [{"kind": "pong"}]
    assert heard == []


def test_a_farewell_needs_no_answer(panel: SteerPanel, messages: list[Any]) -> None:
    heard: list[Press] = []
    panel.on_press(heard.append)
    panel.hear({"kind": "farewell", "sent": 1.0})
    assert heard == [Press(None, sent=1.0)]
    assert messages == []


@pytest.mark.parametrize("arguments", [{"decisions": -1}, {"tokens": 3}, {"decisions": True}])
def test_a_press_that_cannot_be_is_refused_in_words(panel: SteerPanel, messages: list[Any], arguments: Any) -> None:
    heard: list[Press] = []
    panel.on_press(heard.append)
    panel.hear(press("run", "a-1", **arguments))
    assert panel.error.startswith("Expected a ")
    assert heard == []
    assert not messages[-1]["good"]


@pytest.mark.parametrize("verb", ["call", "close", "fly", None])
def test_only_its_buttons_are_heard(panel: SteerPanel, messages: list[Any], verb: Any) -> None:
    heard: list[Press] = []
    panel.on_press(heard.append)
    panel.hear(press(verb, "a-1"))
    assert "Expected a button out of step, run" in panel.error
    assert heard == []


@pytest.mark.parametrize("message", ["text", {"kind": "ready"}, {"kind": "unknown", "id": "x"}, {}])
def test_what_is_no_command_is_not_heard(panel: SteerPanel, message: Any) -> None:
    heard: list[Press] = []
    panel.on_press(heard.append)
    panel.hear(message)
    assert heard == []


def test_state_changes_travel_together(panel: SteerPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[Any] = []
    monkeypatch.setattr(panel, "send_state", lambda key=None: states.append(set(key or ())))
    panel.show(status="paused", layer=3, legal=[0, 1, 2, 3], q_values=[0.1, 0.2, 0.3, 0.4], can_act=True)
    assert len(states) == 1
    assert {"status", "layer", "legal", "q_values", "can_act"} <= states[0]


def test_listeners_hold_methods_weakly_and_functions_strongly() -> None:
    heard: list[str] = []

    class Owner:
        def listen(self, word: str) -> None:
            heard.append(word)

    listeners, owner = Listeners(), Owner()
    listeners.add(owner.listen)
    stop = listeners.add(lambda word: heard.append(word.upper()))
    assert listeners.call("one")
    alive = weakref.ref(owner)
    del owner
    gc.collect()
    assert alive() is None
    listeners.call("two")
    stop()
    assert heard == ["one", "ONE", "TWO"]
    assert not listeners.call("three")
