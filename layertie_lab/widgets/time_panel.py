"""Which moment of a run is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from .listeners import Listeners
from .messages import optional, whole
from .panel import Panel


class TimePanel(Panel, files=("time_panel.js", "time_panel.css"), refusal="about"):
    """A scrubber over the stored decisions of a run.

    Attributes:
        stored: Decisions after which the run is stored, ascending; 0 = before the first.
        decision: The one looked at; None before there is any.
        follows: Whether it is the latest, and moves on with the run.
        about: What is known of that moment, in words; or why another could not be looked at.
    """

    HEARS = {"move": {"decision": optional(whole())}}

    stored = traitlets.List(traitlets.Int()).tag(sync=True)
    decision = traitlets.Int(None, allow_none=True).tag(sync=True)
    follows = traitlets.Bool(True).tag(sync=True)
    about = traitlets.Unicode("").tag(sync=True)

    def __init__(self) -> None:
        self._moves = Listeners()
        super().__init__()

    def on_move(self, callback: Callable[[int | None], Any]) -> Callable[[], None]:
        """Call `callback(decision)` when another moment is to be looked at; None = the latest, and on with the run.

        The result ends it. A bound method is held weakly. A LayertieError that the callback raises is shown.
        """
        return self._moves.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        self._moves.call(message["decision"])

    def _answer(self, kind: str, message: Mapping[str, Any], good: bool) -> None:
        # Where nothing has changed, the page would keep what was chosen.
        self.send({"kind": "done"})
