"""The form of "Did it matter?": its fields, made of the study's spec, and a study written down from what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..core.serialize import Setting, coerce, settings_of
from ..counterfactual.extension import extended
from ..counterfactual.interim import GroupSequential, OpenEnded, Plan, plan_at
from ..counterfactual.spec import AFTERWARDS, METRICS, StudyChoices, labels
from ..counterfactual.study import Study

# What opens a moment (torch) is imported when a study is stated: a page is there before that.

PRESENT = "present"
"""Id of the decision at hand, among the moments of the form."""
UNSAID = "Choose what you expect: it is written down before the first pair runs. Or press Only explore."
PILOT = 4
"""Replicates of a pilot."""
PLANS: dict[str, tuple[str, Plan]] = {
    "looks": ("after 4, 8 and 16 replicates", GroupSequential()),
    "two": ("after 4 and 8 replicates", plan_at((4, 8))),
    "32": ("after 8, 16 and 32 replicates", plan_at((8, 16, 32))),
    "64": ("after 16, 32 and 64 replicates", plan_at((16, 32, 64))),
    "128": ("after 32, 64 and 128 replicates", plan_at((32, 64, 128))),
    "open": ("after each one, up to 64 (confidence sequence)", OpenEnded()),
}
"""Plans of interim analyses that can be chosen: name -> (words, plan)."""
_FIRST = ("expected", "horizon", "statement", "metric", "smallest_difference", "after", "answers", "probe")
FIELDS = (*_FIRST, *(name for name in labels() if name not in _FIRST))
"""Fields of the spec that are asked for, those with a label, in this order."""
UNFOLDED = ("moment", "answer", "expected", "horizon", "statement")
"""Those that are always in sight."""
_SETTINGS = {setting.name: setting for setting in settings_of(StudyChoices)}
_WORDS = {
    "metric": {name: metric.label + (f" ({metric.unit})" if metric.unit else "") for name, metric in METRICS.items()},
    "after": dict(AFTERWARDS),
}


def fields() -> list[dict[str, Any]]:
    """The form's fields, as `widgets.forms.hypothesis_panel` takes them."""
    found = [
        {"name": "moment", "label": "Which decision", "kind": "choice", "help": "", "value": ""},
        {"name": "answer", "label": "Action in place of the agent's", "kind": "choice", "help": "", "value": ""},
        *(_field(_SETTINGS[name], words) for name, words in labels().items()),
        {
            "name": "plan",
            "label": "Interim analyses",
            "kind": "choice",
            "choices": [[name, f"{words}{_longer(plan)}"] for name, (words, plan) in PLANS.items()],
            "help": "When replicates that are still coming in are judged, and the study may end. Fewer than 8"
            " decide only what is far beyond doubt. A plan that can be extended may be made longer when it was used up"
            " without a verdict, and errs no more often for that.",
            "value": "looks",
        },
    ]
    order = ["moment", "answer", *FIELDS[: FIELDS.index("answers")], "plan", *FIELDS[FIELDS.index("answers") :]]
    by_name = {entry["name"]: {"choices": [], **entry, "folded": entry["name"] not in UNFOLDED} for entry in found}
    return [by_name[name] for name in order]


def planned() -> dict[str, Plan]:
    """The plans of stated analyses that can be chosen, by their names."""
    return {name: plan for name, (_, plan) in PLANS.items() if isinstance(plan, GroupSequential)}


def _longer(plan: Plan) -> str:
    return "" if extended(plan).plan is None else "; can be extended"


def _field(setting: Setting, label: str) -> dict[str, Any]:
    if setting.name == "expected":
        # Nobody's expectation is chosen for them.
        return {
            "name": setting.name,
            "label": label,
            "kind": "choice",
            "choices": [["", "choose"], *([choice, choice] for choice in setting.choices)],
            "help": setting.explained,
            "value": "",
        }
    words = _WORDS.get(setting.name, {choice: choice for choice in setting.choices})
    kind = "choice" if words else {int: "number", float: "number"}.get(setting.kind, "text")
    return {
        "name": setting.name,
        "label": label,
        "kind": "long" if setting.name == "probe" else kind,
        "choices": [[value, said] for value, said in words.items()],
        "help": setting.explained,
        "value": "" if setting.default == () else str(setting.default),
    }


@dataclass
class Form:
    """What a person has filled in, read.

    Args:
        kind: state, explore or pilot.
        moment: Id of the moment.
        action: The action to hold against the agent's; -1 for none.
        choices: What was chosen; the defaults where something is wrong.
        plan: The plan of interim analyses.
        wrong: Field -> what is wrong with it.
    """

    kind: str
    moment: str
    action: int = -1
    choices: StudyChoices = field(default_factory=StudyChoices)
    plan: Plan = field(default_factory=GroupSequential)
    wrong: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, kind: str, values: Mapping[str, Any]) -> Form:
        """The form's fields as numbers and words, with a sentence for each that is none."""
        form = cls(kind, str(values.get("moment", "")))
        typed = {name: str(values.get(name, "")).strip() for name in ("answer", "plan", *FIELDS)}
        # What is hidden does not count.
        hidden = {"answers": typed["after"] != "recorded", "probe": typed["metric"] != "probe"}
        chosen: dict[str, Any] = {}
        unsaid = not typed["expected"]
        for name in FIELDS:
            if not hidden.get(name) and not (name == "expected" and unsaid):
                try:
                    chosen[name] = _read(_SETTINGS[name], typed[name])
                except ConfigError as error:
                    form.wrong[name] = str(error)
        if _is_number(typed["answer"]):
            form.action = int(typed["answer"])
        else:
            form.wrong["answer"] = f"Expected an action of the list, but got {typed['answer'] or 'nothing'}."
        if not hidden["answers"] and not chosen.get("answers", True):
            form.wrong["answers"] = "Expected the actions that follow as numbers, such as 0 1 1 3."
        if not hidden["probe"] and not chosen["probe"]:
            form.wrong["probe"] = "Expected a few sentences of text."
        if kind == "state" and unsaid:
            form.wrong["expected"] = UNSAID
        elif kind == "state" and not chosen["statement"]:
            form.wrong["statement"] = "Expected a hypothesis in a sentence. Or press Only explore."
        if not form.wrong:
            form.choices = StudyChoices(**chosen)
        form.plan = PLANS.get(typed["plan"], PLANS["looks"])[1]
        if kind == "pilot":
            form.plan = plan_at((PILOT,))
            form.choices = replace(form.choices, statement=f"Pilot: {form.choices.statement}".strip())
        return form


def _read(setting: Setting, text: str) -> Any:
    """A text as the setting's kind.

    Raises:
        ConfigError: It is none, or out of range.
    """
    value: Any = text
    if setting.kind in (int, float):
        try:
            value = setting.kind(text)
        except ValueError:
            value = text
    elif setting.kind is not str:
        words = text.replace(",", " ").split()
        return tuple(map(int, words)) if all(map(_is_number, words)) else ()
    value = coerce(setting, value)
    if setting.range is not None:
        setting.range.check(setting.name, value, setting.default)
    return value


def _is_number(word: str) -> bool:
    """Whether a word is the number of a layer."""
    return word.isascii() and word.isdecimal() and len(word) < 10


def state(path: Path, form: Form, at_hand: int, saved: Future[Any] | None) -> Study:
    """Write a study down.

    Args:
        path: The run.
        form: What the person filled in.
        at_hand: The decision that waits for its action.
        saved: Done when the present is stored; None where a stored moment is asked about.

    Raises:
        LayertieError: It cannot be stated.
    """
    from ..counterfactual import questions

    if saved is not None:
        saved.result(60)
    decision = at_hand if form.moment == PRESENT else int(form.moment.rpartition("-")[2] or 0)
    found = questions.question(path, decision)
    primary = form.kind == "state"
    spec = questions.spec_about(found, form.action, path, form.choices, primary=primary, plan=form.plan)
    return questions.state(path, spec, found)


def field_of(error: BaseException) -> str:
    """Which field of the form an error is about; "" if none."""
    if not isinstance(error, ConfigError):
        return ""
    for words, name in (("horizon", "horizon"), ("probe", "probe"), ("recorded", "answers"), ("action", "answer")):
        if words in str(error):
            return name
    return ""
