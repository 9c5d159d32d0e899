"""The panes of "Look inside", made from what each view says of itself: its buttons, its choices, its table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ...inspection.answer import asked, coloured, sentences, tables
from ...inspection.question import Question
from ...inspection.views.registry import VIEWS, Ask, ViewDescription
from ...widgets.ask_panel import AskPanel
from ...widgets.layout import Part, Rows
from ...widgets.pictures import Pictures
from ...widgets.rows_table import RowsTable
from ...widgets.token_text import TokenText
from .place import Place

Found = dict[str, Any]
"""What came of a question: `frames` (name -> rows), `facts`, and `pictures` (title -> spec)."""


@dataclass(frozen=True)
class Asked:
    """What a button asks, and of which view."""

    view: ViewDescription
    ask: Ask

    def decision(self, place: Place) -> int:
        """The decision after which it looks."""
        return max(0, place.decision - self.ask.back)


class Pane:
    """A view on the page: buttons, a sentence, pictures, and where it has them a text of tokens and a table.

    It is told of a press by `Questions`; nothing here asks by itself.

    Args:
        view: The view that heads it.
        beside: Views whose buttons stand behind its own.

    Attributes:
        title: Of what it stands under.
        of_token: Whether it is about the picked token alone.
        reveals: Whether its next answer is brought into sight: somebody has just asked for it elsewhere on the page.
        asks: Words on a button -> what it asks. A pane without a button on the page has one entry all the same.
    """

    def __init__(self, view: ViewDescription, beside: list[ViewDescription]) -> None:
        self.title, self.of_token = view.tab or view.title, view.picks
        shared = [view, *beside]
        self.asks = {ask.words: Asked(each, ask) for each in shared for ask in each.asks or (Ask(each.title),)}
        self.panel = AskPanel(
            {ask.words: ask.words for each in shared for ask in each.asks if ask.words},
            cancellable=True,
            repeats=view.repeats,
            choices={each.option: (each.words, each.values) for each in view.choices},
        )
        self.pictures = Pictures(columns=view.across)
        self.text = TokenText(view.text) if view.text else None
        self.table = RowsTable(view.table, by=view.by) if view.table else None
        self.seen = False
        self.chosen = ""
        self.future: Future[Found] | None = None
        self.shown: tuple[Any, ...] = ()
        self.reveals = False

    def layout(self, within: Sequence[Pane] = ()) -> Part:
        """Its widgets, from top to bottom; panes about a token of its text right below that text."""
        inner = [pane.layout() for pane in within]
        parts = (self.panel, self.text, *inner, self.pictures, self.table)
        return Rows(tuple(each for each in parts if each is not None))

    @property
    def button(self) -> str:
        """The button pressed last, or the first."""
        return self.chosen or next(iter(self.asks))

    def clear(self, *, can_ask: bool = False, sentence: str = "", alarm: bool = False) -> None:
        """Show no answer, and say why."""
        self.shown = ()
        self.pictures.set({})
        if self.text is not None:
            self.text.set([], [])
        if self.table is not None:
            self.table.set([])
        self.panel.show(sentence=sentence, alarm=alarm, share=None, can_ask=can_ask, text="", lead="")

    def show(self, found: Found) -> None:
        """Show an answer."""
        facts = found["facts"]
        self.pictures.set(found["pictures"])
        if "prompt" in facts:
            words, lead = facts["text"], facts["prompt"]
        else:
            words, lead = "\n".join(sentences(facts)), ""
        if self.text is not None and (text := coloured(found)) is not None:
            if len(text.pieces) > 1:  # the probe set, where the pick stays marked
                mark = (self.text.picked[0], self.text.picked[1]) if self.text.picked else None
            else:
                mark = None if text.picked is None else (0, text.picked)
            self.text.set(text.pieces, text.values, text.tips, legend=text.legend, picked=mark)
        if self.table is not None:
            first = tables(found)[0]
            self.table.set(first.rows, first.sentence)
        self.panel.show(share=None, alarm=False, sentence=asked(facts), text=words, lead=lead)
        if self.reveals:
            self.reveals = False
            self.panel.reveal()

    def options(self, place: Place) -> dict[str, Any]:
        """The options of what it asks, as they stand on the page."""
        asks = self.asks[self.button]
        options = dict(asks.ask.options) | self.panel.chosen
        if "other" in asks.view.options and place.other is not None:
            path, decision = place.other
            options["other"] = {"run": str(path), "decision": decision}
        if self.of_token and place.picked is not None:
            options["sequence"], options["position"] = place.picked
        return options

    def standing(self, place: Place) -> tuple[Any, ...]:
        """What its answer depends on, the decision last."""
        options = json.dumps(self.options(place), sort_keys=True)
        return *place.shown, self.button, options, place.decision

    def question(self, place: Place) -> Question:
        """What is asked, there."""
        asks = self.asks[self.button]
        # What came of a decision goes on to be known; pictures of it are as of now.
        latest = {"until": place.stored[-1]} if "until" in asks.view.options else {}
        return Question(
            run=str(place.run),
            view=asks.view.name,
            decision=asks.decision(place),
            sequences=place.sequences or 8,
            text=place.text or None,
            options=self.options(place) | latest,
            keep=not place.example,
        )


def make_panes() -> Mapping[str, Pane]:
    """Name of a view -> the pane that it heads, in the order of the page."""
    every = list(VIEWS)
    return {
        view.name: Pane(view, [other for other in every if other.beside == view.name])
        for view in every
        if not view.beside
    }
