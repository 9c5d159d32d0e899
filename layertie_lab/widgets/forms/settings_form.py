"""The set-up form: a few settings in a row, all others in a fold, what is wrong beside what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from ...core.config import RunConfig
from ...core.descriptions import Choices
from ...core.errors import LayertieError
from ..listeners import Listeners
from ..messages import LONGEST_TEXT, scalar, text
from ..panel import Panel
from .form import Draft, back_to_preset, change, config_of, draft_of, fields, problems


class SettingsForm(Panel, files=("settings_form.js", "settings_form.css"), refusal="note"):
    """Settings of a run, generated from `RunConfig`, and a button that starts it.

    Args:
        draft: What it holds at first.
        choices: Path of a setting -> what is registered under the names that it may have.
        suggestions: Path of a text setting -> (value, description) of what may stand there; other texts stay possible.
        readers: Path of a text setting -> what turns the words typed there into its value, or raises LayertieError.
        note: A sentence beside the button.

    What is typed leaves as a message and comes back checked, so that no cell is run again.

    Attributes:
        fields: The fields with their values (`layertie_lab.widgets.forms.form.fields`).
        problems: Path of a setting -> what is wrong with it; "" for what no single setting is to blame for.
        suggestions: As given, as lists.
        note: A sentence beside the button; "" for none.
        alarm: Whether the note is about something that went wrong.
    """

    HEARS = {"change": {"path": text(), "value": scalar(LONGEST_TEXT)}, "reset": {}, "start": {}}

    fields = traitlets.List(traitlets.Dict()).tag(sync=True)
    problems = traitlets.Dict().tag(sync=True)
    suggestions = traitlets.Dict().tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        draft: Draft | None = None,
        *,
        choices: Choices | None = None,
        suggestions: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        readers: Mapping[str, Callable[[str], str]] | None = None,
        note: str = "",
    ) -> None:
        self._starts, self._changes = Listeners(), Listeners()
        self._draft, self._choices, self._readers = draft or Draft(), choices, dict(readers or {})
        super().__init__(
            fields=fields(self._draft, choices),
            problems=problems(self._draft, choices),
            suggestions={path: [list(pair) for pair in pairs] for path, pairs in (suggestions or {}).items()},
            note=note,
        )

    @property
    def draft(self) -> Draft:
        """What the form holds."""
        return self._draft

    def put(self, settings: Draft | RunConfig) -> None:
        """Put other settings into the form."""
        draft = settings if isinstance(settings, Draft) else draft_of(settings)
        with self._lock:
            self._draft = draft
            self.show(fields=fields(draft, self._choices), problems=problems(draft, self._choices))

    def say(self, note: str, *, alarm: bool = False) -> None:
        """Show a sentence beside the button."""
        self.show(note=note, alarm=alarm)

    def blame(self, path: str, sentence: str) -> None:
        """Say below a setting what is wrong with it, until something is changed."""
        with self._lock:
            self.show(problems={**self.problems, path: sentence}, note="")

    def on_start(self, callback: Callable[[RunConfig], Any]) -> Callable[[], None]:
        """Call `callback(config)` when a run is to be started; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown beside the button.
        """
        return self._starts.add(callback)

    def on_change(self, callback: Callable[[Draft], Any]) -> Callable[[], None]:
        """Call `callback(draft)` when a setting was changed; as `on_start`."""
        return self._changes.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        match kind:
            case "change":
                self._change(message["path"], message["value"])
            case "reset":
                self._take(back_to_preset(self._draft))
            case "start":
                self._starts.call(config_of(self._draft))

    def _change(self, path: str, value: Any) -> None:
        wrong = ""
        if path in self._readers:
            try:
                value = self._readers[path](str(value))
            except LayertieError as error:
                wrong = str(error)
        self._take(change(self._draft, path, value))
        if wrong:
            # What was typed stays, so that it can be corrected; what it does to the whole is no second mistake.
            with self._lock:
                self.show(problems={place: said for place, said in self.problems.items() if place} | {path: wrong})

    def _take(self, draft: Draft) -> None:
        """A draft that the person has made."""
        self.put(draft)
        self.say("")
        self._changes.call(draft)

    def _refuse(self, kind: str, sentence: str) -> None:
        # A setting's own sentence stands below it already.
        self.say("" if sentence in self.problems.values() else sentence, alarm=True)

    def _answer(self, kind: str, message: Mapping[str, Any], good: bool) -> None:
        self.send({"kind": "ack", "id": message["id"]})
