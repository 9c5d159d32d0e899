"""Why an action of a higher value was passed over, as the view reasons says it."""

from __future__ import annotations

from typing import Any

from layertie_lab.inspection.views.reasons import Reasons


def said(**proposal: Any) -> str:
    whole = {
        "decision": 3, "layer": 2, "present": 0, "legal": [0, 1, 2], "q_values": [0.0, 0.5, -0.1], "greedy": 1,
        "choice": 1, "explored": False, "epsilon": 0.2, "policy": "paper", "reads": "the map", "meaning": "",
        "unit": "", "reasons": [],
    }  # fmt: skip
    facts = {"proposal": whole | proposal, "answered": None, "no_agreement": "Too few."}
    return " ".join(Reasons().words(facts))


def test_a_random_draw_passes_over_the_highest_value_and_says_so() -> None:
    words = said(choice=2, explored=True)
    assert "Tied to 1 has the highest value, +0.5, and was passed over" in words
    assert "(on its own, -0.1) is there to explore" in words


def test_nothing_is_said_where_the_highest_value_is_proposed_or_no_draw_decided() -> None:
    assert "passed over" not in said()
    assert "passed over" not in said(explored=True)  # the draw came upon it
    assert "passed over" not in said(choice=0)  # the agent's own reasons have it
    assert "passed over" not in said(q_values=None, explored=True, choice=2)
