"""What can be compared, as a list to choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from ..listeners import Listeners
from ..messages import flag, text
from ..panel import Panel


class CompareList(Panel, files=("compare_list.js", "compare_list.css")):
    """A row per run, branch, sweep or example, with a box; sorted by any column.

    Presses leave as messages (see `on_press`): "list" when the list comes into sight, and
    every few seconds while it is and something in it goes on, "choose" one or take it back,
    "clear" the choice, "offer" when the offered comparison is wanted, "resume" a sweep.

    Args:
        offer: What the button says that opens a comparison at once; "" for none.

    Attributes:
        entries: Dicts of id, kind, name, policy, corpus, seed, decisions, budget, loss (or None), state, note,
            can_choose, can_resume, running, runs (how many stand behind it).
        chosen: Ids of those that are chosen.
        ready: Whether the list has been read.
        folded: Grows each time the list is to fold itself, so that what was chosen is in sight.
        sentence: What could not be done, or what goes on; "" for nothing.
        alarm: Whether the sentence is about something that went wrong.
    """

    HEARS = {
        "list": {},
        "choose": {"entry": text(), "on": flag},
        "clear": {},
        "offer": {},
        "resume": {"entry": text()},
    }

    entries = traitlets.List(traitlets.Dict()).tag(sync=True)
    chosen = traitlets.List(traitlets.Unicode()).tag(sync=True)
    ready = traitlets.Bool(False).tag(sync=True)
    offer = traitlets.Unicode("").tag(sync=True)
    folded = traitlets.Int(0).tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        self._presses = Listeners()
        super().__init__(**state)

    def on_press(self, callback: Callable[[str, Mapping[str, Any]], Any]) -> Callable[[], None]:
        """Call `callback(kind, message)` with each press; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown as the sentence.
        """
        return self._presses.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        if kind != "list":
            self.show(sentence="", alarm=False)
        self._presses.call(kind, message)
