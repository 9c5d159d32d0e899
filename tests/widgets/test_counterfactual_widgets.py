"""The counterfactual lab's widgets, Python side: presses come in, state goes out, errors are shown."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from layertie_lab.core.errors import ConfigError
from layertie_lab.widgets.branch_tree import BranchTree
from layertie_lab.widgets.forms.hypothesis_panel import HypothesisPanel
from layertie_lab.widgets.forms.rules_panel import RulesPanel
from layertie_lab.widgets.study_list import StudyList


def hypothesis() -> HypothesisPanel:
    return HypothesisPanel([{"name": "horizon", "label": "After", "kind": "number", "value": "100", "folded": False}])


MADE = {
    "hypothesis": (hypothesis, {"kind": "state", "values": {"moment": "m", "horizon": 50}},
                   ("state", {"moment": "m", "horizon": 50})),
    "pilot": (hypothesis, {"kind": "pilot"}, ("pilot", {})),
    "studies": (StudyList, {"kind": "resume", "name": "study-002"}, ("resume", "study-002")),
    "tree": (BranchTree, {"kind": "branch", "decision": 7, "sent": 1.0}, ("branch", {"decision": 7})),
    "present": (BranchTree, {"kind": "branch", "decision": None}, ("branch", {"decision": None})),
    "rules": (RulesPanel, {"kind": "apply", "values": {"independent": "0"}}, ({"independent": "0"},)),
}  # fmt: skip


def listen(widget: Any, callback: Any) -> Any:
    return widget.on_apply(callback) if isinstance(widget, RulesPanel) else widget.on_press(callback)


@pytest.mark.parametrize("name", MADE)
def test_a_press_comes_in_as_it_was_made(name: str) -> None:
    make, message, expected = MADE[name]
    widget, heard = make(), []
    end = listen(widget, lambda *values: heard.append(values))
    widget.hear(message)
    assert heard == [expected]
    end()
    widget.hear(message)
    assert len(heard) == 1


@pytest.mark.parametrize("name", MADE)
def test_what_a_press_raises_is_shown(name: str) -> None:
    make, message, _ = MADE[name]
    widget = make()

    def refuse(*values: Any) -> None:
        raise ConfigError("Expected less, but got more.", "Take less.")

    listen(widget, refuse)
    widget.hear(message)
    assert (widget.note if widget.has_trait("note") else widget.sentence) == "Expected less, but got more. Take less."
    if widget.has_trait("alarm"):
        assert widget.alarm
    if widget.has_trait("busy"):
        assert not widget.busy
    if widget.has_trait("share"):
        assert widget.share is None


@pytest.mark.parametrize("message", [None, "state", {}, {"kind": "explode"}, {"kind": ["state"]}])
@pytest.mark.parametrize("make", [hypothesis, StudyList, BranchTree, RulesPanel])
def test_other_messages_are_not_heard(make: Any, message: Any) -> None:
    widget, heard = make(), []
    listen(widget, lambda *values: heard.append(values))
    widget.hear(message)
    assert heard == []


@pytest.mark.parametrize(
    ("make", "state"),
    [
        (hypothesis, {"sentence": "3 of 16", "share": 0.2, "outcome": "worse", "verdict": "It is worse."}),
        (StudyList, {"studies": [{"name": "study-001"}], "current": "study-001", "note": "Holm"}),
        (BranchTree, {"runs": [{"id": "a"}], "stored": [7, 3], "last": 9, "busy": True}),
        (
            RulesPanel,
            {
                "independent": "0, -1",
                "most_owners": 3,
                "neighbours": True,
                "in_force": "As you like.",
                "wrong": {"locked": "?"},
            },
        ),
    ],
)
def test_what_is_shown_is_known_to_the_browser(make: Any, state: dict[str, Any]) -> None:
    widget = make()
    widget.show(**state)
    assert {name: getattr(widget, name) for name in state} == state
    assert set(state) <= set(widget.keys)


def test_a_wrong_field_is_blamed_until_the_next_press() -> None:
    panel = hypothesis()
    panel.show(wrong={"horizon": "Expected 1 or more."})
    assert panel.wrong == {"horizon": "Expected 1 or more."}
    panel.hear({"kind": "cancel"})
    assert panel.wrong == {}


@pytest.mark.parametrize("name", ["hypothesis", "studies", "tree", "rules"])
def test_who_listens_is_not_kept_alive(name: str) -> None:
    class Room:
        def heard(self, *values: Any) -> None: ...

    make, message, _ = MADE[name]
    widget, room = make(), Room()
    listen(widget, room.heard)
    gone = weakref.ref(room)
    del room
    gc.collect()
    assert gone() is None
    widget.hear(message)
