"""The decisions as a live table: which layer, what was done, by whom and why, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import traitlets

from ..charts.palette import SEMANTIC_COLOURS
from .listeners import Listeners
from .live.pacer import Pacer
from .live.row_store import short
from .messages import text, whole
from .panel import Panel

SHOWN = 500
"""Newest decisions held and shown; a download has all."""
FLUSH_SECONDS = 0.4
"""Least time between two messages with rows."""

_COLUMNS = (
    "decision", "episode", "layer", "present", "proposed", "choice", "by", "overridden", "explored", "epsilon",
    "q_choice", "q_highest", "reward", "train_loss", "owners", "trainable_share",
)  # fmt: skip


class DecisionTable(Panel, files=("decision_table.js", "decision_table.css"), refusal="problem"):
    """Rows of the table `decisions` (`layertie_lab.core.tables`), the newest on top, sortable by each column.

    Rows travel as messages, so that sorting and scrolling survive.

    Attributes:
        problem: A sentence on why a download failed; "" if nothing is wrong.
    """

    HEARS = {"ready": {}, "download": {"format": text()}, "look": {"decision": whole()}}

    problem = traitlets.Unicode("").tag(sync=True)
    semantic = traitlets.Dict(SEMANTIC_COLOURS).tag(sync=True)

    def __init__(self) -> None:
        self._downloads, self._looks = Listeners(), Listeners()
        self._rows: list[list[Any]] = []
        self._pending: list[list[Any]] = []
        self._count = 0
        self._shown = False
        self._pacer = Pacer(self, "flush", FLUSH_SECONDS)
        super().__init__()

    def on_download(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call `callback(format)` when the table is wanted as a file, parquet or csv (see `hand_over`).

        The result ends it. A bound method is held weakly. A LayertieError that the callback raises is shown.
        """
        return self._downloads.add(callback)

    def on_look(self, callback: Callable[[int], Any]) -> Callable[[], None]:
        """Call `callback(decision)` when a row is pressed; the result ends it. A bound method is held weakly."""
        return self._looks.add(callback)

    def push(self, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Append rows, by table; those of other tables are passed over."""
        with self._lock:
            fresh = self._take(rows)
            self._pending += fresh
        if fresh:
            self._pacer.request()

    def reset(self, rows: Mapping[str, Iterable[Mapping[str, Any]]] | None = None) -> None:
        """Forget all rows, and begin again with the given ones."""
        with self._lock:
            self._rows, self._count = [], 0
            self._take(rows or {})
            self._send_all()

    def flush(self) -> None:
        """Send what is waiting. Nothing is sent before a view has asked for its rows."""
        with self._lock:
            if self._shown and self._pending and not self.may_send:
                self._pending = self._pending[-SHOWN:]
                return  # `go_on` sends it
            pending, self._pending = self._pending, []
            if self._shown and pending:
                self.send({"kind": "append", "rows": pending[-SHOWN:], "count": self._count})

    def _resend(self, lost: bool) -> None:
        if lost:
            self._send_all()
        else:
            self.flush()

    def _take(self, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[list[Any]]:
        fresh = [[short(row.get(name)) for name in _COLUMNS] for row in rows.get("decisions", ())]
        self._count += len(fresh)
        self._rows = (self._rows + fresh)[-SHOWN:]
        return fresh

    def _send_all(self) -> None:
        self._pending = []
        if self._shown:
            self.send({"kind": "reset", "columns": _COLUMNS, "rows": self._rows, "count": self._count})

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        if kind == "ready":
            with self._lock:
                self._shown = True
                self._send_all()
        elif kind == "look":
            self._looks.call(message["decision"])
        elif kind == "download":
            self._downloads.call(message["format"])
            self.problem = ""
