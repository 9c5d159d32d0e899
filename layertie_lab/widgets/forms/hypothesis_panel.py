"""Did it matter? The form in which a person states a hypothesis before paired runs, and the verdict that came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from ..listeners import Listeners
from ..messages import LONGEST_TEXT, flag, optional, scalar, table, text
from ..panel import Panel
from ..sight import Sight

_FILLED_IN = {"values": optional(table(optional(scalar(LONGEST_TEXT))))}


class HypothesisPanel(Panel, files=("hypothesis_panel.js", "hypothesis_panel.css")):
    """What is compared, what is expected of it, and (once replicates have come) what they say.

    Presses leave as messages (see `on_press`): "state" a hypothesis and run its pairs, "explore" the same without one,
    run a "pilot", "cancel" what runs. What the person has filled in stays in the browser until then. After a plan that
    was used up: "extend" it, state a "fresh" hypothesis, or "stop". "keep" hands the study over as a file, with the
    `format` as its only value.

    Args:
        fields: In their order, dicts of `name`, `label`, `kind` (choice, number, text, long), `choices`
            ([[value, words], ...]), `value` (what stands in it at first), `help`, and `folded` (out of sight at first).
            Those named moment and answer take their choices from `moments`.

    Attributes:
        moments: What can be asked about, the latest first: dicts of `id`, `words` (in a person's words), `layer`,
            `proposed`, `legal` (actions) and `answered` (the person's own, or None).
        chosen: The moment that the page suggests (its id); the person may choose another one.
        wrong: Name of a field -> a sentence beside it.
        sentence: What goes on, or what could not be done.
        timing: What a duration is made of before a study is stated: `seconds` of an optimizer step, `processes` at a
            time, `replicates` (plan -> at most so many) and those of a `pilot`; empty where nothing was measured.
        elsewhere: What others run of the same run's studies; "" for nothing.
        alarm: Whether the sentence is about something that went wrong.
        share: How much of what runs is done, 0 to 1; None if nothing runs, below 0 if nobody knows.
        forecast: What so many replicates would show and how long they take; "" before a pilot.
        outcome: As `counterfactual.wording.outcome_in_words` says it; "" before a verdict.
        label: What was expected and "Verdict", "Exploratory" or what else stands before the outcome.
        headline: What came out, in one plain sentence.
        verdict: The whole verdict, in sentences.
        offers: What can honestly be done after a plan that was used up without a verdict: dicts of `kind` (of the
            press), `words` (on its button; "" for none) and `why` (beside it).
        filled: What the page fills into the form: `number` (of the filling, so that each is done once) and `values`
            (name of a field -> value; "" lets the person choose; without an `answer` the rest of the form stays as it
            is). Empty at first.
        files: Format -> words on the button that keeps the study that is shown; empty where none is.
        kept: What became of a file.
        ready: Whether there is a run of which something can be asked.
        recorded: Whether the run is a recorded example: there is nothing to fill in then.
    """

    HEARS = {
        **dict.fromkeys(("state", "pilot", "explore", "cancel", "extend", "fresh", "stop"), _FILLED_IN),
        "keep": {"format": text()},
        "seen": {"seen": flag, "view": text()},
    }

    fields = traitlets.List(traitlets.Dict()).tag(sync=True)
    moments = traitlets.List(traitlets.Dict()).tag(sync=True)
    chosen = traitlets.Unicode("").tag(sync=True)
    wrong = traitlets.Dict().tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)
    timing = traitlets.Dict().tag(sync=True)
    elsewhere = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)
    share = traitlets.Float(None, allow_none=True).tag(sync=True)
    forecast = traitlets.Unicode("").tag(sync=True)
    outcome = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    headline = traitlets.Unicode("").tag(sync=True)
    verdict = traitlets.Unicode("").tag(sync=True)
    offers = traitlets.List(traitlets.Dict()).tag(sync=True)
    filled = traitlets.Dict().tag(sync=True)
    files = traitlets.Dict().tag(sync=True)
    kept = traitlets.Unicode("").tag(sync=True)
    ready = traitlets.Bool(False).tag(sync=True)
    recorded = traitlets.Bool(False).tag(sync=True)

    def __init__(self, fields: Sequence[Mapping[str, Any]], **state: Any) -> None:
        self._presses, self._sights = Listeners(), Sight()
        super().__init__(fields=[dict(field) for field in fields], **state)

    def on_press(self, callback: Callable[[str, dict[str, Any]], Any]) -> Callable[[], None]:
        """Call `callback(kind, values)` with each press; the result ends it. A bound method is held weakly.

        `values` has the fields as the person left them, as text. A LayertieError that the callback raises is shown.
        """
        return self._presses.add(callback)

    def on_seen(self, callback: Callable[[bool], Any]) -> Callable[[], None]:
        """Call `callback(seen)` when a page begins to show the panel and when none does any more; as `on_press`."""
        return self._sights.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        if kind == "seen":
            self._sights.note(message["view"], message["seen"])
            return
        if kind == "keep":
            self._presses.call(kind, {"format": message["format"]})
            return
        self.show(wrong={}, alarm=False)
        values = message["values"] or {}
        self._presses.call(kind, {name: value for name, value in values.items() if value is not None})
