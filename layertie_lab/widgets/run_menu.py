"""Which run is shown, and the list of those that can be opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from .listeners import Listeners
from .messages import text
from .panel import Panel


class RunMenu(Panel, files=("run_menu.js", "run_menu.css"), refusal="problem"):
    """The name of the run on the page, and a menu of others; the list is asked for each time the menu opens.

    Attributes:
        current: Name of the run that is shown; "" for none.
        about: A line on it.
        note: What became of the run that was shown before; "" for nothing.
        runs: One dict of short texts per run: name, status, what, reached, loss, when, note.
        problem: A sentence on why a run or the list could not be opened; "" if nothing is wrong.
    """

    HEARS = {"list": {}, "open": {"name": text()}}

    current = traitlets.Unicode("").tag(sync=True)
    about = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    runs = traitlets.List(traitlets.Dict()).tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)

    def __init__(self) -> None:
        self._lists, self._opens = Listeners(), Listeners()
        super().__init__()

    def on_list(self, callback: Callable[[], Any]) -> Callable[[], None]:
        """Call `callback()` when the menu opens, to show `runs`; as `on_open`."""
        return self._lists.add(callback)

    def on_open(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call `callback(name)` when a run is chosen; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown below the menu.
        """
        return self._opens.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        if kind == "list":
            self._lists.call()
            self.problem = ""
        elif kind == "open":
            self.show(problem="", note="")
            self._opens.call(message["name"])

    def _answer(self, kind: str, message: Mapping[str, Any], good: bool) -> None:
        if kind in ("list", "open"):
            self.send({"kind": f"{kind}ed", "name": message.get("name", "")})
