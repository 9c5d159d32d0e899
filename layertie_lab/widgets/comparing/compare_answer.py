"""What a comparison came to: one sentence, the choices behind it, and what a reader has to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from ..listeners import Listeners
from ..messages import text
from ..panel import Panel


class CompareAnswer(Panel, files=("compare_answer.js", "compare_answer.css"), refusal="headline"):
    """The sentence, the choices behind it, and what else a reader has to know.

    What is chosen leaves as a message (see `on_choose`) and comes back as state.

    Args:
        choices: Name of a choice -> dicts of `words` and `values` (value -> words).

    Attributes:
        headline: The sentence; "" where nothing is chosen.
        told: "yes" where its interval leaves out no difference, "no" where not, "" without an interval.
        where: What runs are compared at, in words.
        alarm: Whether the headline is about something that went wrong.
        busy: Whether it is being worked out.
        groups: Labels of the groups.
        first: The group that the others are held against.
        other: The group of the headline.
        chosen: Name of a choice -> the value.
        offered: Names of the choices that make a difference now.
        left_out: A sentence for each reason why something was left out.
        notes: What a reader has to know.
    """

    HEARS = {"choose": {"name": text(), "value": text()}}

    headline = traitlets.Unicode("").tag(sync=True)
    told = traitlets.Unicode("").tag(sync=True)
    where = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    groups = traitlets.List(traitlets.Unicode()).tag(sync=True)
    first = traitlets.Unicode("").tag(sync=True)
    other = traitlets.Unicode("").tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    chosen = traitlets.Dict().tag(sync=True)
    offered = traitlets.List(traitlets.Unicode()).tag(sync=True)
    left_out = traitlets.List(traitlets.Unicode()).tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, choices: Mapping[str, tuple[str, Mapping[str, str]]], **state: Any) -> None:
        self._listeners = Listeners()
        super().__init__(
            choices={name: {"words": words, "values": dict(values)} for name, (words, values) in choices.items()},
            chosen={name: next(iter(values)) for name, (_, values) in choices.items()},
            **state,
        )

    def on_choose(self, callback: Callable[[str, str], Any]) -> Callable[[], None]:
        """Call `callback(name, value)` when something else is chosen; the result ends it.

        The name is first, other, or one of the choices. A bound method is held weakly.
        """
        return self._listeners.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        name, value = message["name"], message["value"]
        if name in ("first", "other"):
            known = value in self.groups
        else:
            known = value in self.choices.get(name, {}).get("values", {})
        if known:
            self._listeners.call(name, value)
