"""The tab "Audit": what the run's records claim, beside what is true of it."""

# Imports in functions are for the start of the explorer: an audit loads torch.

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from ...core.descriptions import Description
from ...core.errors import LayertieError
from ...widgets.ask_panel import AskPanel
from ...widgets.cards import Card, Cards
from ...widgets.layout import Part, Rows
from ..tab import Page, Tab
from .registry import TABS

if TYPE_CHECKING:
    from ...analysis.audit.run_audit import Audit
    from ...charts.comparisons.audit import Quantity

ABOUT = "What the run claims, beside what is true of it."
BOOKS = (
    "The two books at the latest decisions, each pair as claimed | as true. Gradient, a sign for each layer from layer "
    "0 on: o alone trains its weights, + adds its part to that of others with the same weights, . gives none (a copy "
    "whose part is dropped, or frozen)."
)
WORKING = "Reading the run's records; training goes on meanwhile."
PICTURES: dict[str, Quantity] = {"Layers": "layers", "Parameters": "parameters", "Memory, claimed and true": "memory"}
"""Title of a picture -> what it compares."""
ROWS = 12
"""Latest decisions to list."""
GRADIENTS = {"owner": "o", "summed": "+", "none": "."}
SHOWN_BY = {
    1: "Where gradients flow",
    2: "Layers",
    3: "Layers",
    4: "Where gradients flow",
    5: "Where gradients flow",
    7: "Layers",
    9: "Parameters",
    10: "Memory, claimed and true",
}
"""Departure -> the picture that shows it."""


_WORK = ThreadPoolExecutor(1, thread_name_prefix="layertie audit")
"""One audit at a time, however many pages ask: training is what the cores are for."""


@TABS.register(Description("audit", "Audit", ABOUT))
class AuditTab(Tab):
    """A button, a card for each departure with its picture, the two books, and all of it as files."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.panel, self.cards = AskPanel({"audit": "Audit this run"}), Cards()
        self.books = AskPanel({}, files={"json": "Download JSON", "csv": "Download CSV"})
        self._found: Audit | None = None
        self.panel.on_ask(self._ask)
        self.books.on_download(self._download)

    @property
    def layout(self) -> Part:
        return Rows((self.panel, self.cards, self.books))

    def show(self) -> None:
        self._found = None
        self.cards.set(())
        self.books.show(text="", sentence="", alarm=False)
        self.panel.show(can_ask=True, share=None, alarm=False, sentence=ABOUT)

    def begin(self) -> None:
        self._ask("")

    def _ask(self, _: str) -> None:
        path = self.run.folder
        self.panel.show(share=-1.0, alarm=False, sentence=WORKING)
        # From its records, so that it works whoever trains the run; in a thread, since a long log takes seconds.
        self.when_done(_WORK.submit(audit, path), self._audited)

    def _audited(self, done: Future[Audited]) -> None:
        if (error := done.exception()) is not None:
            self.panel.show(share=None, alarm=True, sentence=str(error))
            return
        self._found, sentence, text, cards, pictures = done.result()
        self.cards.set(cards, pictures)
        self.books.show(text=text, sentence=BOOKS, alarm=False)
        self.panel.show(share=None, alarm=False, sentence=sentence)

    def _download(self, format: str) -> None:
        if self._found is None:
            raise LayertieError("Expected an audit to download, but none is shown.", "Press Audit this run first.")
        self.books.hand_over(*file_of(self._found, self.run.folder.name, format))


class Audited(NamedTuple):
    """An audit, and how the page shows it; `pictures` are Vega-Lite specs by title."""

    found: Audit
    sentence: str
    text: str
    cards: list[Card]
    pictures: dict[str, Any]


def file_of(found: Audit, stem: str, format: str) -> tuple[str, bytes]:
    """An audit as a file: json, all that `layertie audit --json` prints, or csv, its table.

    In csv a list is one field, its entries joined by spaces.

    Returns:
        The file's name and content.
    """
    if format == "json":
        text = json.dumps(found.to_dict(), indent=1)
    else:
        lists = [name for name, kind in found.frame.schema.items() if isinstance(kind, pl.List)]
        text = found.frame.with_columns(pl.col(lists).cast(pl.List(pl.String)).list.join(" ")).write_csv()
    return f"{stem}-audit.{format}", text.encode()


def audit(path: Path) -> Audited:
    """The audit of a run as far as its records have come.

    Raises:
        LayertieError: The run cannot be read, or has not begun.
    """
    from ...analysis.audit.departures import DEPARTURES, REPOSITORY
    from ...analysis.audit.run_audit import audit_run
    from ...charts.captions import captioned
    from ...charts.comparisons.audit import CAPTIONS, claimed_and_true, gradient_flow

    found = audit_run(path)
    charts = {
        title: claimed_and_true(found.frame, what, width="container", height=150) for title, what in PICTURES.items()
    }
    pictures = {title: captioned(chart.to_dict(), CAPTIONS["audit"]) for title, chart in charts.items()}
    flow = gradient_flow(found.frame, width="container", height=150).to_dict()
    pictures["Where gradients flow"] = captioned(flow, CAPTIONS["gradient_flow"])
    cards = [
        Card(
            f"{finding.number} {finding.title}",
            finding.verdict,
            finding.verdict == "exhibited",
            (
                ("The paper", told.paper),
                ("The official code", told.code),
                ("Where it does that", told.where),
                ("This run", finding.sentence),
            ),
            SHOWN_BY.get(finding.number, ""),
        )
        for finding, told in zip(found.findings, DEPARTURES, strict=True)
    ]
    sentence = (
        f"As of decision {found.run['decisions']}: {len(found.exhibited)} of {len(found.findings)} departures of the "
        f"official code (github.com/{REPOSITORY}) from the paper are exhibited."
    )
    untold = sum(finding.verdict == "cannot be told" for finding in found.findings)
    if untold:
        sentence += f" Of {untold} it cannot be told."
    if found.run["status"] == "damaged":
        sentence = f"The log is damaged, and audited as far as it can be read. {sentence}"
    text = "\n".join([*found.notes, *([""] if found.notes else []), *_table(found.frame.tail(ROWS).to_dicts())])
    return Audited(found, sentence, text, cards, pictures)


def _table(rows: list[dict[str, Any]]) -> list[str]:
    """The two books at the latest decisions, in columns of fixed width: each pair claimed | true."""
    lines = ["decision  independent  trainable parameters    memory (MB)  gradient"]
    for row in rows:
        needed = "?" if row["true_bytes"] is None else f"{row['true_bytes'] / 1e6:.2f}"
        layers = f"{row['claimed_independent']} | {row['true_blocks']}"
        counts = f"{row['claimed_parameters']:,} | {row['true_parameters']:,}"
        memory = f"{row['claimed_bytes'] / 1e6:.2f} | {needed}"
        flow = "".join(GRADIENTS[kind] for kind in row["gradient"] or ())
        lines.append(f"{row['decision']:>8}  {layers:>11}  {counts:>20}  {memory:>13}  {flow}")
    return lines
