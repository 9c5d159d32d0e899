"""What is asked of the run on the page: a text, a comparison of its layers, an audit of its records."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import audits
import listing
import probes
from holding import Hold

from layertie_lab.core.errors import LayertieError
from layertie_lab.core.events import Came
from layertie_lab.engine.registry import Handle
from layertie_lab.widgets.ask_panel import AskPanel
from layertie_lab.widgets.live_chart import LiveChart
from layertie_lab.widgets.steer_panel import SteerPanel


class Questions:
    """The panels of the tabs Layers, Text and Audit.

    Args:
        hold: The run on the page.
        steer: Knows how far it has come.
    """

    def __init__(self, hold: Hold, steer: SteerPanel) -> None:
        self._hold, self._steer = hold, steer
        self._pictures: dict[str, Any] = {}
        self.sample = AskPanel({"sample": "Write a text now"})
        self.layers = AskPanel(
            {"similarity": "Compare layers", "attribution": "Attribute the loss to layers"}, repeats="Compare again"
        )
        self.layers_chart = LiveChart({})
        self.audit = AskPanel(
            {"audit": "Audit this run"}, files={"json": "Download JSON", "csv": "Download CSV"},
            download=partial(_audit_file, hold),
        )  # fmt: skip
        self.audit_chart = LiveChart({}, columns=2)
        self.sample.on_ask(self._ask)
        self.layers.on_ask(self._ask)
        self.audit.on_ask(self._audit)

    def clear(self) -> None:
        """Another run is on the page."""
        self._pictures = {}
        self.layers_chart.set_panels({})
        self.sample.show(text="", lead="", share=None, alarm=False)
        self.layers.show(share=None, alarm=False)
        self.audit_chart.set_panels({})
        self.audit.show(text="", can_ask=True, share=None, alarm=False, sentence=listing.ABOUT["audit"])

    def allow(self, reason: str) -> None:
        """Whether a training process can be asked; the reason if not, else ""."""
        for panel, about in ((self.sample, "sample"), (self.layers, "layers")):
            panel.show(can_ask=not reason, sentence=reason or listing.ABOUT[about])

    def heard(self, entry: Any) -> None:
        """An entry of the run, in one of its threads."""
        if isinstance(entry, Came):
            every = self.layers.every
            if every and entry.decision % every == 0 and self.layers.share is None:
                with suppress(LayertieError):  # the run has just ended
                    self._ask("similarity")
        elif isinstance(entry, Mapping) and entry["kind"] == "progress" and self.layers.share is not None:
            self.layers.share = entry["share"]

    def _ask(self, question: str) -> None:
        source = self._hold.source
        if not isinstance(source, Handle):
            raise LayertieError("Expected a run that this page trains.", "Press Start, or Step on a stopped run.")
        panel = self.sample if question == "sample" else self.layers
        panel.show(share=-1.0, alarm=False, sentence=listing.WORKING[question])
        if question == "sample":
            future = source.submit("sample", seed=time.time_ns() % 2**31)
        else:
            future = source.submit("call", getattr(probes, question))
        answer, path = weakref.WeakMethod(self._answer), self._hold.path
        future.add_done_callback(lambda done: (method := answer()) and method(question, path, done))

    def _answer(self, question: str, path: Any, done: Any) -> None:
        if path != self._hold.path:  # another run has been opened meanwhile
            return
        panel = self.sample if question == "sample" else self.layers
        when = f"As of decision {self._steer.decision}."
        if (error := done.exception()) is not None:
            panel.show(share=None, alarm=True, sentence=str(error))
        elif question == "sample":
            prompt, text = done.result()
            panel.show(share=None, lead=prompt, text=text, sentence=when)
        else:
            self._pictures = self._pictures | listing.pictures(question, done.result())
            self.layers_chart.set_panels(self._pictures)
            panel.show(share=None, sentence=when)

    def _audit(self, _: str) -> None:
        path = self._hold.path
        if path is None:
            raise LayertieError("Expected a run to audit, but none is shown.", "Press Start, or open a run.")
        self.audit.show(share=-1.0, alarm=False, sentence=listing.WORKING["audit"])
        audited = weakref.WeakMethod(self._audited)
        # From its records, so that it works whoever trains the run; in a thread, since a long log takes seconds.
        future = audits.submit(path)
        future.add_done_callback(lambda done: (method := audited()) and method(path, done))

    def _audited(self, path: Any, done: Any) -> None:
        if path != self._hold.path:  # another run has been opened meanwhile
            return
        if (error := done.exception()) is not None:
            self.audit.show(share=None, alarm=True, sentence=str(error))
            return
        self._hold.audit, sentence, text, pictures = done.result()
        self.audit_chart.set_panels(pictures)
        self.audit.show(share=None, alarm=False, sentence=sentence, text=text)


def _audit_file(hold: Hold, format: str) -> tuple[str, bytes]:
    if hold.path is None or hold.audit is None:
        raise LayertieError("Expected an audit to download, but none is shown.", "Press Audit this run first.")
    return audits.file_of(hold.audit, hold.path.name, format)
