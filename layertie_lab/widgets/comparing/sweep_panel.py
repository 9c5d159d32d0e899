"""The form of a sweep: policies, seeds, one setting; how many runs that makes; and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from ..listeners import Listeners
from ..messages import optional, scalar, table
from ..panel import Panel

_FILLED_IN = {"values": table(optional(scalar()))}


class SweepPanel(Panel, files=("sweep_panel.js", "sweep_panel.css")):
    """A form that folds away, a button, and the progress of what it started.

    Presses leave as messages (see `on_press`): a "draft" each time a field changes, which is answered by `plan` and
    `wrong`; "start"; "cancel". What is filled in stays in the browser until then.

    Args:
        fields: policies ([name, title, about] each), settings ([path, words] each), scales, corpora
            ([name, about] each), values (field -> what stands in it at first).

    Attributes:
        plan: How many runs the form makes, and about how long they take.
        wrong: Field -> what is wrong with it.
        sentence: What goes on, or came of it.
        alarm: Whether the sentence is about something that went wrong.
        share: How much of the sweep is done, 0 to 1; None where none runs, below 0 where nobody knows.
    """

    HEARS = {"draft": _FILLED_IN, "start": _FILLED_IN, "cancel": {}}

    fields = traitlets.Dict().tag(sync=True)
    plan = traitlets.Unicode("").tag(sync=True)
    wrong = traitlets.Dict().tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)
    share = traitlets.Float(None, allow_none=True).tag(sync=True)

    def __init__(self, fields: Mapping[str, Any], **state: Any) -> None:
        self._presses = Listeners()
        super().__init__(fields=dict(fields), **state)

    def on_press(self, callback: Callable[[str, dict[str, Any]], Any]) -> Callable[[], None]:
        """Call `callback(kind, values)` with each press; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown as the sentence.
        """
        return self._presses.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        self._presses.call(kind, {name: each for name, each in message.get("values", {}).items() if each is not None})
