"""Which run is shown, and the list of those that can be opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from .listeners import Listeners
from .messages import text
from .panel import Panel


class RunMenu(Panel, files=("run_menu.js", "run_menu.css"), refusal="problem"):
    """The name of the run on the page, which can be changed, and a menu of others.

    The list is asked for each time the menu opens.

    Attributes:
        current: Name of the folder of the run that is shown; "" for none.
        title: What it is called.
        named: Whether a person has called it so.
        remark: A person's note on it; "" for none.
        can_label: Whether its name and note can be changed.
        about: A line on it.
        company: Who else shows it; "" for nobody.
        note: What became of the run that was shown before, or of the folder of runs; "" for nothing.
        runs: One dict of short texts per run, the latest first: name (of the folder), title (a person's, or ""),
            status, policy, corpus, seed, reached, loss, when, changed (seconds since 1970), note.
        problem: A sentence on what could not be opened, listed or written; "" if nothing is wrong.
    """

    HEARS = {"list": {}, "open": {"name": text()}, "label": {"name": text(), "title": text(), "remark": text(10_000)}}

    current = traitlets.Unicode("").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    named = traitlets.Bool(False).tag(sync=True)
    remark = traitlets.Unicode("").tag(sync=True)
    can_label = traitlets.Bool(False).tag(sync=True)
    about = traitlets.Unicode("").tag(sync=True)
    company = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    runs = traitlets.List(traitlets.Dict()).tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)

    def __init__(self) -> None:
        self._lists, self._opens, self._labels = Listeners(), Listeners(), Listeners()
        super().__init__()

    def on_list(self, callback: Callable[[], Any]) -> Callable[[], None]:
        """Call `callback()` when the menu opens, to show `runs`; as `on_open`."""
        return self._lists.add(callback)

    def on_open(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call `callback(name)` when a run is chosen; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown below the menu.
        """
        return self._opens.add(callback)

    def on_label(self, callback: Callable[[str, str, str], Any]) -> Callable[[], None]:
        """Call `callback(name, title, remark)` when a person renames a run or notes something on it; as `on_open`."""
        return self._labels.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        if kind == "list":
            self._lists.call()
            self.problem = ""
        elif kind == "open":
            self.show(problem="", note="")
            self._opens.call(message["name"])
        elif kind == "label":
            self.problem = ""
            self._labels.call(message["name"], message["title"], message["remark"])

    def _answer(self, kind: str, message: Mapping[str, Any], good: bool) -> None:
        self.send({"kind": f"{kind}ed", "name": message.get("name", ""), "good": good})
