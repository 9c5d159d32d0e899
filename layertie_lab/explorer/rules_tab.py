"""The tab "Rules": rules that stand, put into force in the run on the page."""

from __future__ import annotations

import weakref
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ..core.commands import SetRules
from ..core.config import RunConfig
from ..core.errors import ConfigError, LayertieError
from ..core.events import RulesChanged
from ..core.rules import Rules
from ..widgets.forms.rules_panel import RulesPanel
from ..workers.pool import Handle
from .held_run import Hold

ABOUT = "They mask the legal answers, for the agent and for you. A layer follows when it is asked about."


class Ruling:
    """The panel and what is behind it.

    Args:
        hold: The run on the page.
    """

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self.panel = RulesPanel(sentence=ABOUT)
        self.panel.on_apply(self._apply)

    def clear(self, config: RunConfig, last: str | None) -> None:
        """Another run is on the page.

        Args:
            config: Its settings.
            last: The rules that its log put into force last; None where it has not changed them.
        """
        self.panel.show(sentence=ABOUT, alarm=False, can_apply=False)
        self._show(Rules.parse(config.ties.rules if last is None else last))

    def allow(self, can: bool) -> None:
        """Whether there is a process to take other rules."""
        self.panel.show(can_apply=can)

    def heard(self, entry: Any) -> None:
        """An entry of the run, in one of its threads."""
        if isinstance(entry, RulesChanged):
            self._show(Rules.parse(entry.rules))

    def _show(self, rules: Rules) -> None:
        self.panel.show(
            independent=", ".join(map(str, rules.independent)),
            most_owners=rules.most_owners,
            neighbours=rules.neighbours,
            locked=", ".join(map(str, rules.locked)),
            in_force=rules.in_words,
        )

    def _apply(self, values: dict[str, Any]) -> None:
        source = self._hold.source
        if not isinstance(source, Handle):
            raise LayertieError("Expected a run that this page trains.", "Press Start, or Step on a stopped run.")
        future = source.give(SetRules(str(_read(values))))
        told = weakref.WeakMethod(self._told)
        future.add_done_callback(lambda done: (method := told()) and method(done))

    def _told(self, done: Future[Any]) -> None:
        error = done.exception()
        sentence = "They are in force from the next decision on." if error is None else str(error)
        self.panel.show(sentence=sentence, alarm=error is not None)


def _read(values: dict[str, Any]) -> Rules:
    """The rules of the panel's fields.

    Raises:
        ConfigError: Numbers that are none.
    """
    most = str(values.get("most_owners") or "0").strip()
    parts = [
        f"independent={values['independent']}" if str(values.get("independent", "")).strip() else "",
        f"most-owners={most}" if most != "0" else "",
        "neighbours" if values.get("neighbours") else "",
        f"locked={values['locked']}" if str(values.get("locked", "")).strip() else "",
    ]
    try:
        return Rules.parse("; ".join(filter(None, parts)))
    except ConfigError as error:
        raise ConfigError(error.message, "Write numbers of layers like 0, 3, -1.") from None


def rules_in_force(path: Path) -> str | None:
    """The rules that a run's log put into force last; None where it has not changed them."""
    from ..core.events import parse
    from ..records.log.cursor import LineCursor

    lines = [line for line in LineCursor(path / "events.jsonl").read_lines() if b'"event":"ruled"' in line[:60]]
    event = parse(lines[-1]) if lines else None
    return event.rules if isinstance(event, RulesChanged) else None
