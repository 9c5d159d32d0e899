"""The panes of "Look inside", made from what each view says of itself: its buttons, its choices, its table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any

from ...core.errors import OptionError
from ...inspection.answer import asked, coloured, sentences, tables, written
from ...inspection.question import Question
from ...inspection.views.registry import VIEWS, Ask, ViewDescription
from ...widgets.ask_panel import AskPanel, Typed
from ...widgets.layout import Part, Rows
from ...widgets.pictures import Pictures
from ...widgets.rows_table import RowsTable
from ...widgets.token_text import TokenText
from ...widgets.written_texts import WrittenTexts
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
        fields: Option -> the field that is typed into.
        typed: Option -> its value when somebody asked last, where it is not the view's own.
        said: The sentence with the answer that is shown; "" for none.
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
            fields={
                each.option: Typed(each.words, str(each.value), each.help, lines=each.range is None)
                for each in view.fields
            },
        )
        self.fields = {each.option: each for each in view.fields}
        self.typed: dict[str, Any] = {}
        self.pictures = Pictures(columns=view.across)
        self.text = TokenText(view.text) if view.text else None
        self.written = WrittenTexts() if view.writes else None
        self.table = RowsTable(view.table, by=view.by) if view.table else None
        self.seen = False
        self.chosen = ""
        self.future: Future[Found] | None = None
        self.shown: tuple[Any, ...] = ()
        self.said = ""
        self.reveals = False

    def layout(self, within: Sequence[Pane] = ()) -> Part:
        """Its widgets, from top to bottom; panes about a token of its text right below that text."""
        inner = [pane.layout() for pane in within]
        parts = (self.panel, self.text, *inner, self.written, self.pictures, self.table)
        return Rows(tuple(each for each in parts if each is not None))

    @property
    def button(self) -> str:
        """The button pressed last, or the first."""
        return self.chosen or next(iter(self.asks))

    def clear(self, *, can_ask: bool = False, sentence: str = "", alarm: bool = False) -> None:
        """Show no answer, and say why."""
        self.shown, self.said = (), ""
        self.pictures.set({})
        if self.written is not None:
            self.written.set([])
        if self.text is not None:
            self.text.set([], [])
        if self.table is not None:
            self.table.set([])
        self.panel.show(sentence=sentence, alarm=alarm, share=None, can_ask=can_ask, text="", wrong={})

    def show(self, found: Found) -> None:
        """Show an answer."""
        facts = found["facts"]
        self.pictures.set(found["pictures"])
        words = sentences(facts)
        if self.written is not None:
            self.written.set([asdict(each) for each in written(found)], words)
            words = []
        if self.text is not None and (text := coloured(found)) is not None:
            if len(text.pieces) > 1:  # the probe set, where the pick stays marked
                mark = (self.text.picked[0], self.text.picked[1]) if self.text.picked else None
            else:
                mark = None if text.picked is None else (0, text.picked)
            self.text.set(text.pieces, text.values, text.tips, legend=text.legend, picked=mark)
        if self.table is not None:
            first = tables(found)[0]
            self.table.set(first.rows, first.sentence)
        self.said = asked(facts)
        self.panel.show(share=None, alarm=False, sentence=self.said, text="\n".join(words), wrong={})
        if self.reveals:
            self.reveals = False
            self.panel.reveal()

    def read(self) -> bool:
        """Take what stands in the fields from now on; where something there cannot stand, say so beside it."""
        typed, wrong = {}, {}
        for option, field in self.fields.items():
            try:
                value = field.read(self.panel.typed[option])
            except OptionError as error:
                wrong[option] = str(error)
            else:
                if value != field.value:
                    typed[option] = value
        self.panel.wrong = wrong
        if not wrong:
            self.typed = typed
        return not wrong

    def refuse(self, error: OptionError) -> None:
        """Say what is wrong with a field. The answer that is shown stays: it is of what was asked before."""
        self.panel.show(share=None, alarm=False, sentence=self.said, wrong={error.option: str(error)})

    def options(self, place: Place) -> dict[str, Any]:
        """The options of what it asks, as they stand on the page; typed ones as they stood when somebody asked."""
        asks = self.asks[self.button]
        options = dict(asks.ask.options) | self.panel.chosen | self.typed
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
