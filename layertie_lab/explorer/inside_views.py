"""The tabs of "Look inside", made from what each view says of itself: its buttons, its choices, its table."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ..inspection.answer import asked, coloured, sentences, tables
from ..inspection.views.registry import VIEWS, Ask, ViewDescription
from ..widgets.ask_panel import AskPanel
from ..widgets.pictures import Pictures
from ..widgets.rows_table import RowsTable
from ..widgets.token_text import TokenText

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a button asks, and of which view."""

    view: ViewDescription
    ask: Ask


@dataclass(eq=False)
class Tab:
    """A view on the page.

    Args:
        title: Of the inner tab that it stands under.
        asks: Words on a button -> what it asks. A tab without a button on the page has one entry all the same.
        panel: Its buttons and sentence.
        pictures: Its charts.
        text: Its text with tokens to pick.
        table: Its table.
    """

    title: str
    asks: Mapping[str, Asked]
    panel: AskPanel
    pictures: Pictures
    text: TokenText | None = None
    table: RowsTable | None = None
    seen: bool = False
    chosen: str = ""
    future: Future[Any] | None = None
    shown: tuple[Any, ...] = ()

    @property
    def widgets(self) -> list[Any]:
        """From top to bottom."""
        return [widget for widget in (self.panel, self.text, self.pictures, self.table) if widget is not None]

    @property
    def button(self) -> str:
        """The button pressed last, or the first."""
        return self.chosen or next(iter(self.asks))

    def clear(self) -> None:
        """Another run is on the page."""
        self.shown = ()
        self.pictures.set({})
        if self.text is not None:
            self.text.set([], [])
        if self.table is not None:
            self.table.set([])
        self.panel.show(sentence="", alarm=False, share=None, can_ask=False, text="", lead="")

    def show(self, found: Found) -> None:
        """Show an answer."""
        facts = found["facts"]
        self.pictures.set(found["pictures"])
        if "prompt" in facts:
            words, lead = facts["text"], facts["prompt"]
        else:
            words, lead = "\n".join(sentences(facts)), ""
        if self.text is not None and (text := coloured(found)) is not None:
            picked = text.picked
            if len(text.pieces) > 1:  # the probe set, where the pick stays marked
                mark = (self.text.picked[0], self.text.picked[1]) if self.text.picked else None
            else:
                mark = None if picked is None else (0, picked)
            self.text.set(text.pieces, text.values, text.tips, legend=text.legend, picked=mark)
        if self.table is not None:
            first = tables(found)[0]
            self.table.set(first.rows, first.sentence)
        self.panel.show(share=None, alarm=False, sentence=asked(facts), text=words, lead=lead)


def make_tabs() -> dict[str, Tab]:
    """Name of a view -> the tab that it heads, in the order of the page."""
    every = list(VIEWS)
    return {
        view.name: _tab(view, [view, *(other for other in every if other.beside == view.name)])
        for view in every
        if not view.beside
    }


def _tab(view: ViewDescription, sharing: list[ViewDescription]) -> Tab:
    asks = {ask.words: Asked(each, ask) for each in sharing for ask in each.asks or (Ask(each.title),)}
    panel = AskPanel(
        {words: words for words in asks if words},
        cancellable=True,
        repeats=view.repeats,
        choices={each.option: (each.words, each.values) for each in view.choices},
    )
    return Tab(
        view.tab or view.title,
        asks,
        panel,
        Pictures(columns=view.across),
        TokenText(view.text) if view.text else None,
        RowsTable(view.table, by=view.by) if view.table else None,
    )
