"""Which run is shown, and the list of those that can be opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from .listeners import Listeners
from .panel import Panel


class RunMenu(Panel, files=("run_menu.js", "run_menu.css"), refusal="problem"):
    """The name of the run on the page, and a menu of others; the list is asked for each time the menu opens.

    Args:
        list_runs: Returns one dict of short texts per run: name, status, what, reached, loss, when. Held as given, so
            it must not hold the menu's owner.

    Attributes:
        current: Name of the run that is shown; "" for none.
        about: A line on it.
        runs: The list, as last asked for.
        problem: A sentence on why a run or the list could not be opened; "" if nothing is wrong.
    """

    current = traitlets.Unicode("").tag(sync=True)
    about = traitlets.Unicode("").tag(sync=True)
    runs = traitlets.List(traitlets.Dict()).tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)

    def __init__(self, list_runs: Callable[[], Sequence[Mapping[str, str]]]) -> None:
        self._list_runs = list_runs
        self._opens = Listeners()
        super().__init__()

    def on_open(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call `callback(name)` when a run is chosen; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown below the menu.
        """
        return self._opens.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        if kind == "list":
            self.show(runs=[dict(run) for run in self._list_runs()], problem="")
        elif kind == "open":
            self.problem = ""
            self._opens.call(message["name"])

    def _answer(self, kind: str, message: Mapping[str, Any], good: bool) -> None:
        if kind in ("list", "open"):
            self.send({"kind": f"{kind}ed", "name": message.get("name", "")})
