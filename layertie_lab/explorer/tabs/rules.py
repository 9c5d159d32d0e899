"""The tab "Rules": constraints on the actions, for the agent and for the person, applied in the run on the page."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ...core.commands import SetRules
from ...core.descriptions import Description
from ...core.errors import ConfigError, RecordError
from ...core.events import RulesChanged
from ...core.notices import Entry
from ...core.paths import shown
from ...core.rules import Rules
from ...records.directory import RunDirectory
from ...records.log.cursor import read_events
from ...widgets.forms.rules_panel import RulesPanel
from ...widgets.layout import Part
from ..tab import Page, Tab
from .registry import TABS

ABOUT = "They constrain the actions, the agent's and yours. A layer follows when it is asked about."
LONGEST = 9
"""Characters of a number that a person types, at most."""
REFUSED = "They were not applied; see beside the fields."


@TABS.register(Description("rules", "Rules", "Constraints on the actions."))
class RulesTab(Tab):
    """Fields for the constraints, and a button that applies them."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.panel = RulesPanel(sentence=ABOUT)
        self.panel.on_apply(self._apply)

    @property
    def layout(self) -> Part:
        return self.panel

    def show(self) -> None:
        last, damage = None, ""
        try:
            last = None if self.run.path is None else rules_in_force(self.run.path)
        except RecordError as error:  # what the run was begun with is shown
            damage = error.message
        self.panel.show(sentence=damage or ABOUT, alarm=bool(damage), can_apply=False, wrong={})
        self._fill(Rules.parse(self.run.config.ties.rules if last is None else last))

    def joined(self) -> None:
        self.panel.show(can_apply=self.run.is_trained)

    def heard(self, entry: Entry) -> None:
        if isinstance(entry, RulesChanged):
            self._fill(Rules.parse(entry.rules))

    def _fill(self, rules: Rules) -> None:
        self.panel.show(
            independent=", ".join(map(str, rules.independent)),
            most_owners=rules.most_owners,
            neighbours=rules.neighbours,
            locked=", ".join(map(str, rules.locked)),
            in_force=rules.in_words,
        )

    def _apply(self, values: dict[str, Any]) -> None:
        wrong = _wrong(values, self.run.config.model.layers)
        self.panel.show(wrong=wrong)
        if wrong:
            self.panel.show(sentence=REFUSED, alarm=True)
            return
        self.when_done(self.run.give(SetRules(str(_read(values)))), self._told)

    def _told(self, done: Future[Any]) -> None:
        error = done.exception()
        sentence = "They apply from the next decision on." if error is None else str(error)
        self.panel.show(sentence=sentence, alarm=error is not None)


def _read(values: dict[str, Any]) -> Rules:
    """The rules of the panel's fields.

    Raises:
        ConfigError: What is no number.
    """
    most = str(values.get("most_owners") or "0").strip()
    if not most.isascii() or not most.isdecimal() or len(most) > LONGEST:
        raise ConfigError(
            f"Expected the most owners as a whole number from 0 on, but got {shown(most)}.", "0 is no limit."
        )
    return Rules(
        independent=_layers(values.get("independent", "")),
        most_owners=int(most),
        neighbours=bool(values.get("neighbours")),
        locked=_layers(values.get("locked", "")),
    )


def _layers(typed: Any) -> tuple[int, ...]:
    """Numbers of layers as a person types them."""
    words = str(typed).replace(",", " ").split()
    if not all(word.removeprefix("-").isascii() and word.removeprefix("-").isdecimal() for word in words) or any(
        len(word) > LONGEST for word in words
    ):
        raise ConfigError(
            f"Expected layers as whole numbers, but got {shown(str(typed))}.",
            "Write them like 0, 3, -1; -1 is the last.",
        )
    return tuple(map(int, words))


def _wrong(values: dict[str, Any], layers: int) -> dict[str, str]:
    """Name of a field -> what is wrong with it by itself, for a model of so many layers."""
    wrong = {}
    for name in ("independent", "most_owners", "locked"):
        try:
            rules = _read({name: values.get(name, "")})
            if rules.most_owners > layers:
                raise ConfigError(
                    f"Expected at most {layers}, since the model has {layers} layers, but got {rules.most_owners}.",
                    "0 is no limit.",
                )
            rules.check_layers(layers)
        except ConfigError as error:
            wrong[name] = str(error)
    return wrong


def rules_in_force(path: Path) -> str | None:
    """The constraints that a run's log says were applied last; None where it has not changed them."""
    events = read_events(RunDirectory.open(path), RulesChanged)
    event = events[-1] if events else None
    return event.rules if isinstance(event, RulesChanged) else None
