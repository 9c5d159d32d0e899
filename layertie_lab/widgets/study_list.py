"""The hypotheses of a run and what came of each, as a list to choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from .listeners import Listeners
from .messages import text
from .panel import Panel


class StudyList(Panel, files=("study_list.js", "study_list.css"), refusal="note"):
    """A row per study, the latest first. Presses leave as messages (see `on_press`): "show" one, "resume" one.

    Attributes:
        studies: Dicts of `name`, `statement`, `expected`, `outcome` ("" before a verdict), `estimate` (with its
            interval, in words), `replicates`, `horizon`, `running` (whether somebody adds replicates), `can_resume`.
        current: The name of the study that is shown.
        note: What holds for all of them, such as how many they were corrected for.
    """

    HEARS = {"show": {"name": text()}, "resume": {"name": text()}}

    studies = traitlets.List(traitlets.Dict()).tag(sync=True)
    current = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **state: Any) -> None:
        self._presses = Listeners()
        super().__init__(**state)

    def on_press(self, callback: Callable[[str, str], Any]) -> Callable[[], None]:
        """Call `callback(kind, name)` with each press; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown as the note.
        """
        return self._presses.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        self._presses.call(kind, message["name"])
