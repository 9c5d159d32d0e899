"""The set-up form: a few settings in a row, all others in a fold, what is wrong beside what it is about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from ...core.config import RunConfig
from ...core.errors import LayertieError
from ..assets import module, style
from ..listeners import Listeners
from .form import Draft, back_to_preset, change, config_of, draft_of, fields, problems


class SettingsForm(anywidget.AnyWidget):
    """Settings of a run, generated from `RunConfig`, and a button that starts it.

    Args:
        draft: What it holds at first.
        suggestions: Path of a text setting -> (value, description) of what may stand there; other texts stay possible.
        note: A sentence beside the button.

    What is typed leaves as a message and comes back checked, so that no cell is run again. All methods are thread-safe.

    Attributes:
        fields: The fields with their values (`layertie_lab.widgets.forms.form.fields`).
        problems: Path of a setting -> what is wrong with it; "" for what no single setting is to blame for.
        suggestions: As given, as lists.
        note: A sentence beside the button; "" for none.
        alarm: Whether the note is about something that went wrong.
    """

    _esm = module("shared.js", "settings_form.js")
    _css = style("shared.css", "settings_form.css")

    fields = traitlets.List(traitlets.Dict()).tag(sync=True)
    problems = traitlets.Dict().tag(sync=True)
    suggestions = traitlets.Dict().tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        draft: Draft | None = None,
        *,
        suggestions: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        note: str = "",
    ) -> None:
        self._lock = threading.RLock()
        self._starts, self._changes = Listeners(), Listeners()
        self._draft = draft or Draft()
        super().__init__(
            fields=fields(self._draft),
            problems=problems(self._draft),
            suggestions={path: [list(pair) for pair in pairs] for path, pairs in (suggestions or {}).items()},
            note=note,
        )
        self.on_msg(self._receive)

    @property
    def draft(self) -> Draft:
        """What the form holds."""
        return self._draft

    def show(self, settings: Draft | RunConfig) -> None:
        """Put other settings into the form."""
        self._set(settings if isinstance(settings, Draft) else draft_of(settings))

    def say(self, note: str, *, alarm: bool = False) -> None:
        """Show a sentence beside the button."""
        with self._lock, self.hold_sync():
            self.note, self.alarm = note, alarm

    def blame(self, path: str, sentence: str) -> None:
        """Say below a setting what is wrong with it, until something is changed."""
        with self._lock, self.hold_sync():
            self.problems = {**self.problems, path: sentence}
            self.note = ""

    def on_start(self, callback: Callable[[RunConfig], Any]) -> Callable[[], None]:
        """Call `callback(config)` when a run is to be started; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown beside the button.
        """
        return self._starts.add(callback)

    def on_change(self, callback: Callable[[Draft], Any]) -> Callable[[], None]:
        """Call `callback(draft)` when a setting was changed; as `on_start`."""
        return self._changes.add(callback)

    def _set(self, draft: Draft) -> None:
        with self._lock, self.hold_sync():
            self._draft = draft
            self.fields = fields(draft)
            self.problems = problems(draft)

    def _receive(self, widget: object, message: Any, buffers: object) -> None:
        kind = message.get("kind") if isinstance(message, dict) else None
        try:
            if kind == "change":
                self._set(change(self._draft, message["path"], message["value"]))
                self.say("")
                self._changes.call(self._draft)
            elif kind == "reset":
                self._set(back_to_preset(self._draft))
                self.say("")
                self._changes.call(self._draft)
            elif kind == "start":
                self._starts.call(config_of(self._draft))
        except LayertieError as error:
            # A setting's own sentence stands below it already.
            self.say("" if str(error) in self.problems.values() else str(error), alarm=True)
        finally:
            # After the state that answers it, so that a view knows which of its changes the state has in it.
            if kind:
                self.send({"kind": "ack", "id": message.get("id", "")})
