"""Questions to a run that take a moment: buttons, a sentence on how far it is, and a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import traitlets

from ..core.errors import LayertieError
from .listeners import Listeners
from .messages import LONGEST_TEXT, flag, optional, table, text, whole
from .panel import Panel
from .sight import Sight

MOST_EVERY = 1_000_000
"""Decisions between two askings, at most."""


@dataclass(frozen=True)
class Typed:
    """A field that a person types into.

    Args:
        words: Before it.
        value: What stands in it at first.
        help: Below it.
        lines: Whether it has several lines; Enter asks, Shift and Enter begins another.
    """

    words: str
    value: str = ""
    help: str = ""
    lines: bool = False


class AskPanel(Panel, files=("ask_panel.js", "ask_panel.css")):
    """Buttons that ask something, and what comes of it.

    Args:
        questions: Name of a question -> words on its button.
        repeats: Offer to ask again every so many decisions, under these words; "" offers nothing.
        sentence: What is said at first.
        files: Format of a file -> words on the button that downloads it, shown beside a text.
        cancellable: Whether what is under way can be cancelled (see `on_cancel`).
        choices: Name of a choice -> (words before it, value -> words for it); the first value is chosen at first.
        fields: Name of a field -> what it is. Nothing is asked while somebody types: that is for Enter and the buttons.

    Attributes:
        sentence: What is going on, or came of it.
        alarm: Whether the sentence is about something that went wrong.
        share: How much is done, 0 to 1; None where nothing is under way, below 0 where nobody knows.
        text: A longer text, shown as it is; "" for none.
        can_ask: Whether the buttons work.
        every: Ask again after so many decisions; 0 = only on demand.
        chosen: Name of a choice -> the chosen value.
        typed: Name of a field -> what stands in it, as far as the page has said: when a question is asked, and when a
            field is left.
        wrong: Name of a field -> what is wrong with what stands in it, shown below it.
        pressed: The question that was asked last, which Enter asks again; "" for none yet.
    """

    HEARS = {
        "ask": {"name": text(), "typed": optional(table(text(LONGEST_TEXT)))},
        "type": {"typed": table(text(LONGEST_TEXT))},
        "choose": {"name": text(), "value": text()},
        "cancel": {},
        "every": {"every": whole(0, MOST_EVERY)},
        "download": {"format": text()},
        "seen": {"seen": flag, "view": text()},
    }

    questions = traitlets.Dict().tag(sync=True)
    repeats = traitlets.Unicode("").tag(sync=True)
    files = traitlets.Dict().tag(sync=True)
    cancellable = traitlets.Bool(False).tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)
    share = traitlets.Float(None, allow_none=True).tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    can_ask = traitlets.Bool(False).tag(sync=True)
    every = traitlets.Int(0).tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    chosen = traitlets.Dict().tag(sync=True)
    fields = traitlets.Dict().tag(sync=True)
    typed = traitlets.Dict().tag(sync=True)
    wrong = traitlets.Dict().tag(sync=True)
    pressed = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        questions: Mapping[str, str],
        *,
        repeats: str = "",
        sentence: str = "",
        files: Mapping[str, str] | None = None,
        cancellable: bool = False,
        choices: Mapping[str, tuple[str, Mapping[str, str]]] | None = None,
        fields: Mapping[str, Typed] | None = None,
    ) -> None:
        self._asks, self._cancels, self._choices, self._downloads = (Listeners() for _ in range(4))
        offered, blanks = choices or {}, fields or {}
        self._sights = Sight()
        super().__init__(
            questions=dict(questions),
            repeats=repeats,
            sentence=sentence,
            files=dict(files or {}),
            cancellable=cancellable,
            choices={name: {"words": words, "values": dict(values)} for name, (words, values) in offered.items()},
            chosen={name: next(iter(values)) for name, (_, values) in offered.items()},
            fields={name: asdict(field) for name, field in blanks.items()},
            typed={name: field.value for name, field in blanks.items()},
        )

    def reveal(self) -> None:
        """Bring it into sight, with what stands below it, where it is scrolled away."""
        self.send({"kind": "reveal"})

    def on_ask(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call `callback(name)` with each question; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown as the sentence.
        """
        return self._asks.add(callback)

    def on_cancel(self, callback: Callable[[], Any]) -> Callable[[], None]:
        """Call `callback()` when what is under way is to end; the result ends it. A bound method is held weakly."""
        return self._cancels.add(callback)

    def on_seen(self, callback: Callable[[bool], Any]) -> Callable[[], None]:
        """Call `callback(seen)` when a page begins to show the panel and when none does any more; as `on_cancel`."""
        return self._sights.add(callback)

    def on_choose(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call `callback(name)` when another value of a choice is chosen; as `on_ask`."""
        return self._choices.add(callback)

    def on_download(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call `callback(format)` when what was found is wanted as a file (see `hand_over`); as `on_ask`."""
        return self._downloads.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        match kind:
            case "ask":
                if message["name"] not in (self.questions or {"": ""}):
                    raise LayertieError(f"Expected one of {', '.join(self.questions)}.", "Press a button.")
                self._keep(message["typed"] or {})
                self.pressed = message["name"]
                self._asks.call(message["name"])
            case "type":
                self._keep(message["typed"])
            case "choose":
                if message["value"] in self.choices.get(message["name"], {}).get("values", {}):
                    self.chosen = {**self.chosen, message["name"]: message["value"]}
                    self._choices.call(message["name"])
            case "cancel":
                self._cancels.call()
            case "every":
                self.every = message["every"]
            case "download":
                if message["format"] not in self.files:
                    raise LayertieError(f"Expected a file out of {', '.join(self.files)}.", "Press a button.")
                self._downloads.call(message["format"])
            case "seen":
                self._sights.note(message["view"], message["seen"])

    def _keep(self, typed: Mapping[str, str]) -> None:
        self.typed = self.typed | {name: value for name, value in typed.items() if name in self.fields}
