"""The hypotheses of a run and what came of each, as a list to choose from."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from ..core.errors import LayertieError
from .assets import module, style
from .listeners import Listeners

KINDS = ("show", "resume")


class StudyList(anywidget.AnyWidget):
    """A row per study, the latest first. Presses leave as messages (see `on_press`): "show" one, "resume" one.

    Attributes:
        studies: Dicts of `name`, `statement`, `expected`, `outcome` ("" before a verdict), `estimate` (with its
            interval, in words), `replicates`, `horizon`, `state` ("exploratory", "pilot" or "stated"), `can_resume`.
        current: The name of the study that is shown.
        note: What holds for all of them, such as how many they were corrected for.
    """

    _esm = module("shared.js", "study_list.js")
    _css = style("shared.css", "study_list.css")

    studies = traitlets.List(traitlets.Dict()).tag(sync=True)
    current = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **state: Any) -> None:
        self._lock = threading.RLock()
        self._presses = Listeners()
        super().__init__(**state)
        self.on_msg(self._receive)

    def show(self, **state: Any) -> None:
        """Set several attributes at once, in one message. Thread-safe."""
        with self._lock, self.hold_sync():
            for name, value in state.items():
                setattr(self, name, value)

    def on_press(self, callback: Callable[[str, str], Any]) -> Callable[[], None]:
        """Call `callback(kind, name)` with each press; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown as the note.
        """
        return self._presses.add(callback)

    def _receive(self, widget: object, message: Any, buffers: object) -> None:
        kind = message.get("kind") if isinstance(message, dict) else None
        if kind not in KINDS:
            return
        try:
            self._presses.call(kind, str(message["name"]))
        except LayertieError as error:
            self.show(note=str(error))
