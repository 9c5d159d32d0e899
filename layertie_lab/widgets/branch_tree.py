"""The tree of a run: trunk and branches as a picture, from which one is opened, and the controls that make more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from ..charts.palette import SEMANTIC_COLOURS
from .listeners import Listeners
from .messages import optional, text, whole
from .panel import Panel


class BranchTree(Panel, files=("branch_tree.js", "branch_tree.css")):
    """A lane per run over its decisions; a branch leaves its parent's lane where it was made.

    Presses leave as messages (see `on_press`): "open" (with the run's `id`), "branch" (with `decision`: the one that
    the branch will take anew; None = the present), and "undo".

    Attributes:
        runs: One dict per run of the tree, parents first: `id`, `name`, `parent` (id or None), `decision` (where it
            left), `why`, `by`, `decisions` (done), `loss` (validation, nats per token, or None), `status`.
        current: The id of the run on the page.
        stored: Decisions whose moment is stored: a branch from before one begins there at once.
        last: The last decision; a branch can leave from before each from 1 on.
        sentence: What came of a press.
        alarm: Whether it went wrong.
        busy: Whether a branch is being made.
        can_branch: Whether one can be made.
    """

    HEARS = {"open": {"id": text()}, "branch": {"decision": optional(whole(1))}, "undo": {}}

    runs = traitlets.List(traitlets.Dict()).tag(sync=True)
    current = traitlets.Unicode("").tag(sync=True)
    stored = traitlets.List(traitlets.Int()).tag(sync=True)
    last = traitlets.Int(0).tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    can_branch = traitlets.Bool(False).tag(sync=True)
    semantic = traitlets.Dict(SEMANTIC_COLOURS).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        self._presses = Listeners()
        super().__init__(**state)

    def on_press(self, callback: Callable[[str, dict[str, Any]], Any]) -> Callable[[], None]:
        """Call `callback(kind, values)` with each press; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown as the sentence.
        """
        return self._presses.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        self.show(sentence="", alarm=False)
        self._presses.call(kind, {name: value for name, value in message.items() if name in self.HEARS[kind]})
