"""Rules that stand: which answers are legal at all, for the agent and for the person."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from ...core.errors import LayertieError
from ..assets import module, style
from ..listeners import Listeners


class RulesPanel(anywidget.AnyWidget):
    """Fields for a `core.rules.Rules`, put into force by a button. A press leaves as a message (see `on_apply`).

    Attributes:
        independent: Layers that have to train on their own, as text ("0, -1"; -1 is the last).
        most_owners: Most independent layers at a time; 0 for no limit.
        neighbours: Whether a layer may only be tied to the one before it.
        locked: Layers whose source stays as it is, as text.
        in_force: The rules that stand, as a sentence.
        sentence: What came of the last press.
        alarm: Whether it was refused.
        can_apply: Whether there is a run to put rules into force in.
    """

    _esm = module("shared.js", "rules_panel.js")
    _css = style("shared.css", "rules_panel.css")

    independent = traitlets.Unicode("").tag(sync=True)
    most_owners = traitlets.Int(0).tag(sync=True)
    neighbours = traitlets.Bool(False).tag(sync=True)
    locked = traitlets.Unicode("").tag(sync=True)
    in_force = traitlets.Unicode("").tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)
    can_apply = traitlets.Bool(False).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        self._lock = threading.RLock()
        self._applied = Listeners()
        super().__init__(**state)
        self.on_msg(self._receive)

    def show(self, **state: Any) -> None:
        """Set several attributes at once, in one message. Thread-safe."""
        with self._lock, self.hold_sync():
            for name, value in state.items():
                setattr(self, name, value)

    def on_apply(self, callback: Callable[[dict[str, Any]], Any]) -> Callable[[], None]:
        """Call `callback(values)` with the fields as they stand in the browser; the result ends it.

        A bound method is held weakly. A LayertieError that the callback raises is shown as the sentence.
        """
        return self._applied.add(callback)

    def _receive(self, widget: object, message: Any, buffers: object) -> None:
        if not isinstance(message, dict) or message.get("kind") != "apply":
            return
        try:
            self._applied.call(dict(message["values"]))
        except LayertieError as error:
            self.show(sentence=str(error), alarm=True)
