"""The tab "Decisions": each decision of the run, live, and the table as a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...core.descriptions import Description
from ...records.export import frame_bytes
from ...records.log.reader import load_run
from ...widgets.decision_table import DecisionTable
from ...widgets.layout import Part
from ..feed import RowTaker
from ..tab import Page, Tab
from .registry import TABS


@TABS.register(Description("decisions", "Decisions", "Each decision: which layer, what was done, by whom and why."))
class Decisions(Tab):
    """The table of decisions."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.table = DecisionTable()
        self.table.on_download(self._download)

    @property
    def layout(self) -> Part:
        return self.table

    @property
    def row_takers(self) -> Sequence[RowTaker]:
        return (self.table,)

    def on_look(self, callback: Callable[[int], Any]) -> None:
        self.table.on_look(callback)

    def _download(self, format: str) -> None:
        self.table.hand_over(*decisions_file(self.run.folder, format))


def decisions_file(path: Path, format: str) -> tuple[str, bytes]:
    """A run's table of decisions as a file: its name and content.

    Raises:
        RecordError: The run cannot be read.
    """
    frame = load_run(path, damaged="keep").decisions
    return f"{path.name}-decisions.{format}", frame_bytes(frame, format)
