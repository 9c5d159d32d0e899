"""The doors of the first page, and where they lead."""

from __future__ import annotations

from ..core.errors import LayertieError
from ..widgets.welcome import Door

DOORS = (
    Door("watch", "Watch a recorded run", "An agent that finds four owners for twelve layers, and why it does."),
    Door("train", "Train one now", "A small transformer on this machine; the first decisions come within seconds."),
    Door("chance", "Does the agent beat chance?", "Eighty-eight recorded runs against each other, with an interval."),
    Door("doubt", "Doubt it", "The official code against the paper, departure by departure, in a run of its own."),
)
BEHIND = {
    "watch": ("found-four-owners", "Watch"),
    "train": ("", "New run"),
    "chance": ("", "Compare"),
    "doubt": ("official-code", "Audit"),
}
"""Door -> (the example that is opened, "" for none; the view or drawer that is shown)."""
AT_ONCE = "train"
"""The door that begins a run with the settings of the form; where those are wrong, it shows them."""


def behind(name: str) -> tuple[str, str]:
    """The example that a door opens ("" for none), and the view or drawer that it leads to.

    Raises:
        LayertieError: There is no such door.
    """
    if name not in BEHIND:
        raise LayertieError(f"Expected a door out of {', '.join(BEHIND)}.", "Reload the page.")
    return BEHIND[name]
