"""The doors of the first page, and where they lead."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import LayertieError
from ..widgets.welcome import Door

DOORS = (
    Door(
        "watch",
        "Watch a recorded run",
        "An agent that finds four owners for twelve layers: its reasons for decision 17, and the whole run in Watch.",
    ),
    Door("train", "Train one now", "A small transformer on this machine; the first decisions come within seconds."),
    Door("chance", "Does the agent beat chance?", "Eighty-eight recorded runs against each other, with an interval."),
    Door(
        "doubt",
        "Doubt it",
        "A recorded run of the official code, audited: where it departs from the paper, one by one.",
    ),
)


@dataclass(frozen=True)
class Behind:
    """What a door leads to.

    Args:
        view: The view or drawer that is shown.
        run: The example that is opened; "" for none.
        within: What is shown of the parts of the view; "" leaves that as it is.
        decision: The decision that is looked at; None for the latest.
    """

    view: str
    run: str = ""
    within: str = ""
    decision: int | None = None


BEHIND = {
    "watch": Behind("Look inside", "found-four-owners", "Reasons", 17),
    "train": Behind("New run"),
    "chance": Behind("Compare"),
    "doubt": Behind("Audit", "official-code"),
}
"""Door -> what is behind it."""
AT_ONCE = "train"
"""The door that begins a run with the settings of the form; where those are wrong, it shows them."""


def behind(name: str) -> Behind:
    """What a door leads to.

    Raises:
        LayertieError: There is no such door.
    """
    if name not in BEHIND:
        raise LayertieError(f"Expected a door out of {', '.join(BEHIND)}.", "Reload the page.")
    return BEHIND[name]
