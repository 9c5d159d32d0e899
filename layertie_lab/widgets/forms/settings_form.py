"""The set-up form: a few settings in a row, all others in groups with their help, what is wrong beside its control."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from ...core.config import RunConfig
from ...core.descriptions import Choices
from ...core.errors import LayertieError
from ..listeners import Listeners
from ..messages import LONGEST_TEXT, flag, scalar, text, whole
from ..panel import Panel
from ..sight import Sight
from .form import Draft, back_to_preset, change, config_of, draft_of, fields, problems
from .upload import MOST_BYTES, PIECE_BYTES, Upload
from .wording import GROUPS, Departure, in_labels


class SettingsForm(
    Panel,
    files=("setting_rows.js", "own_text.js", "settings_form.js", "settings_form.css", "own_text.css"),
    refusal="note",
):
    """Settings of a run, generated from `RunConfig`, and a button that starts it.

    Args:
        draft: What it holds at first.
        choices: Path of a setting -> what is registered under the names that it may have.
        suggestions: Path of a text setting -> (value, description, group) of what may stand there; other texts stay
            possible. A value that is a path is shown by its description alone.
        departures: Those of the official code, by which help names them.
        readers: Path of a text setting -> what turns the words typed there into its value, or raises LayertieError.
        note: A sentence beside the button.

    What is typed leaves as a message and comes back checked, so that no cell is run again. A text that is pasted or
    chosen as a file leaves in pieces, and is handed on as a whole (`on_text`).

    Attributes:
        fields: The fields with their values (`layertie_lab.widgets.forms.form.fields`).
        problems: Path of a setting -> what is wrong with it; "" for what no single setting is to blame for.
        suggestions: As given, as lists.
        groups: Name of a group of fields -> its title, in order.
        departures: As given, as lists.
        limits: Bytes of a file that is sent, and of a piece of it, at most.
        columns: (name, beginning of its first text, whether it holds text) of the file of rows that is chosen.
        text_problems: Path of a setting of the text -> why the text cannot be read; the form can then not be started.
        upload_problem: Why what was pasted or chosen as a file was not taken.
        preview: What a run would read: reading (whether that is being found out), said (a sentence meanwhile), head
            (how the text begins), facts ([label, words]), splits ([name, tokens, share, words on what repeats]), notes.
        note: A sentence beside the button; "" for none.
        alarm: Whether the note is about something that went wrong.
    """

    HEARS = {
        "change": {"path": text(), "value": scalar(LONGEST_TEXT)},
        "reset": {},
        "start": {},
        "seen": {"seen": flag, "view": text()},
        "upload": {"name": text(), "size": whole(), "at": whole(), "data": text(LONGEST_TEXT)},
    }

    fields = traitlets.List(traitlets.Dict()).tag(sync=True)
    problems = traitlets.Dict().tag(sync=True)
    suggestions = traitlets.Dict().tag(sync=True)
    groups = traitlets.Dict(GROUPS).tag(sync=True)
    departures = traitlets.List().tag(sync=True)
    limits = traitlets.List([MOST_BYTES, PIECE_BYTES]).tag(sync=True)
    columns = traitlets.List().tag(sync=True)
    text_problems = traitlets.Dict().tag(sync=True)
    upload_problem = traitlets.Unicode("").tag(sync=True)
    preview = traitlets.Dict().tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        draft: Draft | None = None,
        *,
        choices: Choices | None = None,
        suggestions: Mapping[str, Sequence[tuple[str, ...]]] | None = None,
        readers: Mapping[str, Callable[[str], str]] | None = None,
        departures: Sequence[Departure] = (),
        note: str = "",
    ) -> None:
        self._starts, self._changes, self._texts, self._holds = (Listeners() for _ in range(4))
        self._draft, self._choices, self._readers = draft or Draft(), choices, dict(readers or {})
        self._departures, self._upload = tuple(departures), Upload()
        self._sights = Sight()
        super().__init__(
            fields=fields(self._draft, choices, departures),
            problems=self._problems(),
            suggestions={path: [list(entry) for entry in entries] for path, entries in (suggestions or {}).items()},
            departures=[list(departure) for departure in departures],
            note=note,
        )

    @property
    def draft(self) -> Draft:
        """What the form holds."""
        return self._draft

    def put(self, settings: Draft | RunConfig) -> None:
        """Put other settings into the form."""
        self._hold(lambda _: settings if isinstance(settings, Draft) else draft_of(settings))

    def choose(self, path: str, value: Any) -> None:
        """Change a setting, from any thread; those who are told of a person's changes are not told of it."""
        self._hold(lambda draft: change(draft, path, value))

    def offer(self, path: str, entries: Sequence[tuple[str, ...]]) -> None:
        """Offer other values for a text setting."""
        with self._lock:
            self.suggestions = {**self.suggestions, path: [list(entry) for entry in entries]}

    def blame_text(self, path: str, sentence: str) -> None:
        """Say below a setting of the text why the text cannot be read, until another is looked at; "" for no more."""
        self.show(text_problems={path: in_labels(sentence)} if sentence else {}, preview={})

    def say(self, note: str, *, alarm: bool = False) -> None:
        """Show a sentence beside the button."""
        self.show(note=note, alarm=alarm)

    def blame(self, path: str, sentence: str) -> None:
        """Say below a setting what is wrong with it, until something is changed."""
        with self._lock:
            self.show(problems={**self.problems, path: in_labels(sentence)}, note="")

    def on_start(self, callback: Callable[[RunConfig], Any]) -> Callable[[], None]:
        """Call `callback(config)` when a run is to be started; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown beside the button.
        """
        return self._starts.add(callback)

    def on_change(self, callback: Callable[[Draft], Any]) -> Callable[[], None]:
        """Call `callback(draft)` when a setting was changed; as `on_start`."""
        return self._changes.add(callback)

    def on_text(self, callback: Callable[[str, bytes], Any]) -> Callable[[], None]:
        """Call `callback(name, content)` with a text that was pasted or chosen as a file; as `on_start`."""
        return self._texts.add(callback)

    def on_seen(self, callback: Callable[[bool], Any]) -> Callable[[], None]:
        """Call `callback(seen)` when a page begins to show the form and when none does any more; as `on_start`."""
        return self._sights.add(callback)

    def on_hold(self, callback: Callable[[], Any]) -> Callable[[], None]:
        """Call `callback()` when the form holds other settings, whoever has put them there; as `on_start`."""
        return self._holds.add(callback)

    def _problems(self) -> dict[str, str]:
        return {path: in_labels(said) for path, said in problems(self._draft, self._choices).items()}

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        match kind:
            case "change":
                self._change(message["path"], message["value"])
            case "reset":
                self._take(back_to_preset)
            case "start":
                if not self.text_problems:  # they stand beside their controls already
                    self._starts.call(config_of(self._draft))
            case "upload":
                content = self._upload.take(message["name"], message["size"], message["at"], message["data"])
                if content is not None:
                    self.upload_problem = ""
                    self._texts.call(message["name"], content)
            case "seen":
                self._sights.note(message["view"], message["seen"])

    def _change(self, path: str, value: Any) -> None:
        wrong = ""
        if path in self._readers:
            try:
                value = self._readers[path](str(value))
            except LayertieError as error:
                wrong = in_labels(str(error))
        self._take(lambda draft: change(draft, path, value))
        if wrong:
            # What was typed stays, so that it can be corrected; what it does to the whole is no second mistake.
            with self._lock:
                self.show(problems={place: said for place, said in self.problems.items() if place} | {path: wrong})

    def _hold(self, make: Callable[[Draft], Draft]) -> None:
        """Hold another draft, made of the present one."""
        with self._lock:
            self._draft = make(self._draft)
            shown = fields(self._draft, self._choices, self._departures)
            self.show(fields=shown, problems=self._problems())
        self._holds.call()

    def _take(self, make: Callable[[Draft], Draft]) -> None:
        """A draft that the person has made."""
        self._hold(make)
        self.show(note="", alarm=False, upload_problem="")
        self._changes.call(self._draft)

    def _refuse(self, kind: str, sentence: str) -> None:
        if kind == "upload":
            self.upload_problem = in_labels(sentence)
            return
        # A setting's own sentence stands below it already.
        said = in_labels(sentence)
        self.say("" if said in self.problems.values() else said, alarm=True)

    def _answer(self, kind: str, message: Mapping[str, Any], good: bool) -> None:
        news = {"good": good} if kind == "upload" else {}
        self.send({"kind": "ack", "id": message["id"]} | news)
