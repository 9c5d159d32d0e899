"""Constraints: which actions are legal at all, for the agent and for the person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from ..listeners import Listeners
from ..messages import scalar, table
from ..panel import Panel


class RulesPanel(Panel, files=("rules_panel.js", "rules_panel.css")):
    """Fields for a `core.rules.Rules`, applied by a button. A press leaves as a message (see `on_apply`).

    Attributes:
        independent: Layers that have to train on their own, as text ("0, -1"; -1 is the last).
        most_owners: Most independent layers at a time; 0 for no limit.
        neighbours: Whether a layer may only be tied to the one before it.
        locked: Layers whose source stays as it is, as text.
        in_force: The constraints that apply, as a sentence.
        sentence: What came of the last press.
        alarm: Whether it was refused.
        can_apply: Whether there is a run to apply them to.
        wrong: Name of a field -> what is wrong with it, said beside it.
    """

    HEARS = {"apply": {"values": table(scalar())}}

    independent = traitlets.Unicode("").tag(sync=True)
    most_owners = traitlets.Int(0).tag(sync=True)
    neighbours = traitlets.Bool(False).tag(sync=True)
    locked = traitlets.Unicode("").tag(sync=True)
    in_force = traitlets.Unicode("").tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)
    can_apply = traitlets.Bool(False).tag(sync=True)
    wrong = traitlets.Dict().tag(sync=True)

    def __init__(self, **state: Any) -> None:
        self._applied = Listeners()
        super().__init__(**state)

    def on_apply(self, callback: Callable[[dict[str, Any]], Any]) -> Callable[[], None]:
        """Call `callback(values)` with the fields as they stand in the browser; the result ends it.

        A bound method is held weakly. A LayertieError that the callback raises is shown as the sentence.
        """
        return self._applied.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        if kind == "apply":
            self._applied.call(message["values"])
