"""The tab "Audit": what the run's records claim against what is true."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

from ..core.errors import LayertieError
from ..widgets.ask_panel import AskPanel
from ..widgets.live.live_chart import LiveChart
from . import audit_words as audits
from . import listing
from .held_run import Hold


class Auditing:
    """The panels of the tab Audit.

    Args:
        hold: The run on the page.
    """

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self.panel = AskPanel(
            {"audit": "Audit this run"},
            files={"json": "Download JSON", "csv": "Download CSV"},
            download=partial(_audit_file, hold),
        )
        self.chart = LiveChart({}, columns=2)
        self.panel.on_ask(self._audit)

    def clear(self) -> None:
        """Another run is on the page."""
        self.chart.set_panels({})
        self.panel.show(text="", can_ask=True, share=None, alarm=False, sentence=listing.ABOUT["audit"])

    def _audit(self, _: str) -> None:
        path = self._hold.path
        if path is None:
            raise LayertieError("Expected a run to audit, but none is shown.", "Press Start, or open a run.")
        self.panel.show(share=-1.0, alarm=False, sentence=listing.WORKING["audit"])
        audited = weakref.WeakMethod(self._audited)
        # From its records, so that it works whoever trains the run; in a thread, since a long log takes seconds.
        future = audits.submit(path)
        future.add_done_callback(lambda done: (method := audited()) and method(path, done))

    def _audited(self, path: Any, done: Any) -> None:
        if path != self._hold.path:  # another run has been opened meanwhile
            return
        if (error := done.exception()) is not None:
            self.panel.show(share=None, alarm=True, sentence=str(error))
            return
        self._hold.audit, sentence, text, pictures = done.result()
        self.chart.set_panels(pictures)
        self.panel.show(share=None, alarm=False, sentence=sentence, text=text)


def _audit_file(hold: Hold, format: str) -> tuple[str, bytes]:
    if hold.path is None or hold.audit is None:
        raise LayertieError("Expected an audit to download, but none is shown.", "Press Audit this run first.")
    return audits.file_of(hold.audit, hold.path.name, format)
