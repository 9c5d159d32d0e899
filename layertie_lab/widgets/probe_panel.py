"""On what one looks inside a run, and against which other model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from ..core.glossary import GLOSSARY
from .listeners import Listeners
from .messages import LONGEST_TEXT, optional, text, whole
from .panel import Panel

_REFUSALS = {"probe": "problem", "other": "other_problem"}
"""Kind of message -> the trait that shows why it could not be acted on."""


class ProbePanel(Panel, files=("probe_panel.js", "probe_panel.css")):
    """The probe set, and another model to compare with.

    A LayertieError that a callback raises is shown beside the control.

    Attributes:
        source: Where the probe set is from, in words.
        sequences: How many windows of the validation split it has; 0 where a text was typed.
        pieces: The probe sequences as text.
        typed: The text that was typed; "" for none.
        warning: What a reader should know of the probe set.
        problem: What is wrong with what was typed; "" for nothing.
        others: Name of another model -> words in the list of what to compare with.
        other: The chosen one; "" for none.
        other_stored: Decisions after which that one is stored.
        other_decision: The one compared with; None for its latest.
        other_problem: What is wrong with that choice; "" for nothing.
        glossary: Word -> what it means.
    """

    HEARS = {
        "probe": {"sequences": whole(), "text": text(LONGEST_TEXT)},
        "other": {"name": text(), "decision": optional(whole())},
    }

    source = traitlets.Unicode("").tag(sync=True)
    sequences = traitlets.Int(8).tag(sync=True)
    pieces = traitlets.List(traitlets.Unicode()).tag(sync=True)
    typed = traitlets.Unicode("").tag(sync=True)
    warning = traitlets.Unicode("").tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)
    others = traitlets.Dict().tag(sync=True)
    other = traitlets.Unicode("").tag(sync=True)
    other_stored = traitlets.List(traitlets.Int()).tag(sync=True)
    other_decision = traitlets.Int(None, allow_none=True).tag(sync=True)
    other_problem = traitlets.Unicode("").tag(sync=True)
    glossary = traitlets.Dict(GLOSSARY).tag(sync=True)

    def __init__(self) -> None:
        self._probes, self._others = Listeners(), Listeners()
        super().__init__()

    def on_probe(self, callback: Callable[[int, str], Any]) -> Callable[[], None]:
        """Call `callback(sequences, text)` when another probe set is wanted; "" = windows.

        The result ends it. A bound method is held weakly.
        """
        return self._probes.add(callback)

    def on_other(self, callback: Callable[[str, int | None], Any]) -> Callable[[], None]:
        """Call `callback(name, decision)` when another model is chosen to compare with; "" = none. As `on_probe`."""
        return self._others.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        if kind == "probe":
            self._probes.call(message["sequences"], message["text"])
        elif kind == "other":
            self._others.call(message["name"], message["decision"])

    def _refuse(self, kind: str, sentence: str) -> None:
        self.show(**{_REFUSALS[kind]: sentence})

    def _answer(self, kind: str, message: Mapping[str, Any], good: bool) -> None:
        # Where nothing has changed, the page would keep what was chosen.
        self.send({"kind": "done"})
