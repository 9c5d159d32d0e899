"""What the tab "Did it matter?" reads, states, says and draws, as plain functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..core.errors import ConfigError, LayertieError, RecordError
from ..core.statements import METRICS
from ..records.studies import StudyFolder, list_studies, missing_studies, state_study
from ..records.tree import as_row, last_decision, make_branch, moment_name, tree_of

ABOUT = (
    "Answer in the agent's place, or choose a decision: then both futures are trained from the same moment, several"
    " times, and compared."
)
EXAMPLE = "A recorded example can be looked at; press Start above to train a run that can be asked."
HINT = "Did it matter? See the tab of that name, below the charts."
CANCELLED_EARLY = "Cancelled before the first replicate; Go on in the list runs {}."
STATING = "The hypothesis is written down before the first replicate starts."
FARTHEST = 100_000
"""Optimizer steps of the longest horizon: it would take an afternoon."""
PILOT = 4
"""Replicates of a pilot."""
DEFAULTS = {
    "expected": "worse", "horizon": "100", "smallest_difference": "0.003", "after": "continue-locked", "plan": "looks",
    "metric": "last", "answers": "", "probe": "", "statement": "",
}  # fmt: skip
PLANS = {"looks": (4, 8, 16), "two": (4, 8), "open": None}


def offers() -> dict[str, list[list[str]]]:
    """The form's choices."""
    return {
        "expected": [[name, name] for name in ("worse", "better", "no difference that matters")],
        "metric": [
            [name, metric.label + (f" ({metric.unit})" if metric.unit else "")] for name, metric in METRICS.items()
        ],
        "after": [
            ["continue-locked", "agent goes on, layer locked"],
            ["continue", "the agent goes on"],
            ["hold", "the tie map is held"],
            ["recorded", "a list of answers"],
        ],
        "plan": [
            ["looks", "after 4, 8 and 16 replicates"],
            ["two", "after 4 and 8 replicates"],
            ["open", "after each one, up to 64 (confidence sequence)"],
        ],
    }


# -- reading -----------------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """What a run has on disk for this tab.

    Args:
        moments: The form's moments, the latest first.
        stored: Decisions from before which a branch can leave.
        tree: The tree's runs.
        studies: The list's rows, the latest first.
        note: What holds for all studies.
        others: Whether a study runs.
    """

    moments: list[dict[str, Any]]
    stored: list[int]
    tree: list[dict[str, Any]]
    studies: list[dict[str, Any]]
    note: str
    others: bool = False


def read(path: Path) -> Found:
    """A run's moments, tree and studies.

    Raises:
        LayertieError: The run cannot be read.
    """
    from ..counterfactual.questions import questions

    try:
        asked = questions(path)
    except RecordError:  # it has only just been made
        return Found([], [], [], [], "")
    moments = [_moment(found) for found in sorted(asked, key=lambda found: (not found.overridden, -found.decision))]
    last = max((found.decision for found in asked), default=0)
    stored = sorted({found.decision for found in asked} | set(range(max(1, last - 20), last + 1)), reverse=True)
    tree = [{"id": node.name, **as_row(node)} for node in tree_of(path)]
    for row in tree:
        row["parent"] = tree[0]["id"] if row["parent"] == "" else row["parent"]
    studies, damaged = list_studies(path)
    notes = [*_family(path, studies), *damaged]
    return Found(moments, stored, tree, _rows(studies), " ".join(notes), any(study.running for study in studies))


def opening(example: bool, stopped: str) -> str:
    """What is said when a run is shown; `stopped` names the study of the run before that still ran."""
    about = EXAMPLE if example else ABOUT
    left = f"{stopped} of the run before was stopped; its finished replicates are kept, and Go on continues it there. "
    return f"{left if stopped else ''}{about}"


def _act(layer: int, source: int) -> str:
    return "on its own" if source == layer else f"tied to {source}"


def _brief(layer: int, source: int) -> str:
    return "own" if source == layer else f"to {source}"


def _moment(found: Any) -> dict[str, Any]:
    opening = f"decision {found.decision}, layer {found.layer}"
    agent = f"agent: {_brief(found.layer, found.proposed)}"
    words = f"{opening} ({agent})"
    if found.overridden:
        words = f"{opening} (you: {_brief(found.layer, found.answered)}; {agent})"
    return {
        "id": moment_name(found.decision),
        "words": words,
        "layer": found.layer,
        "proposed": found.proposed,
        "legal": list(found.legal),
        "answered": found.answered if found.overridden else None,
    }


def present(state: Any) -> dict[str, Any]:
    """The decision at hand, as the steering panel has it."""
    agent = _brief(state.layer, state.proposed)
    return {
        "id": "present",
        "words": f"decision {state.asked}, layer {state.layer}, at hand (agent: {agent})",
        "layer": state.layer,
        "proposed": state.proposed,
        "legal": list(state.legal),
        "answered": None,
    }


def offer(event: Any) -> str:
    """What is said when a person has overruled the agent."""
    return (
        f"You had layer {event.layer} {_act(event.layer, event.choice)}, where the agent would have had it "
        f"{_act(event.layer, event.proposed)}. Did it matter? Say what you expect, and run the twins."
    )


def folder_of(path: Path, name: str) -> Path:
    """The folder of a run of the tree.

    Raises:
        RecordError: There is no such run in it.
    """
    for node in tree_of(path):
        if node.name == name:
            return node.path
    raise RecordError(f"Expected a run of this tree, but there is no {name}.", "It may have been removed.")


def branch(path: Path, kind: str, decision: int | None, saved: Future[Any] | None) -> Path:
    """Make a branch, once the present is stored where that was asked for.

    Raises:
        LayertieError: It cannot be made.
    """
    if saved is not None:
        saved.result(60)
    if kind == "undo":
        decision = last_decision(path)
        if decision < 1:
            raise RecordError("Expected a decision to undo, but there is none yet.", "Step first.")
        return make_branch(path, decision, why=f"undo of decision {decision}")
    return make_branch(path, decision)


# -- stating -----------------------------------------------------------------------------------------------------------


@dataclass
class Form:
    """What a person has filled in, read.

    Args:
        kind: state, explore or pilot.
        moment: Id of the moment.
        answer: The answer.
        stated: Further fields of a statement.
        wrong: Field -> what is wrong with it.
    """

    kind: str
    moment: str
    answer: int
    stated: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, kind: str, values: Mapping[str, Any]) -> Form:
        """The form's fields as numbers and words, with a sentence for each that is none."""
        form = cls(kind, str(values.get("moment", "")), -1)
        form._number("answer", values, int, "an answer of the list")
        form._number("horizon", values, int, "a whole number of optimizer steps, such as 100")
        form._number("smallest_difference", values, float, "a number, such as 0.003")
        form.answer = form.stated.pop("answer", -1)
        if not 1 <= form.stated.get("horizon", 1) <= FARTHEST:
            form.wrong["horizon"] = f"Expected a horizon of 1 optimizer step or more, up to {FARTHEST:,}; try 100."
        for name in ("expected", "metric", "after", "statement", "probe"):
            form.stated[name] = str(values.get(name, ""))
        if form.stated["after"] == "recorded":
            words = str(values.get("answers", "")).replace(",", " ").split()
            if words and all(word.isdigit() for word in words):
                form.stated["answers"] = tuple(map(int, words))
            else:
                form.wrong["answers"] = "Expected the answers that follow as numbers, such as 0 1 1 3."
        if kind == "state" and not form.stated["statement"].strip():
            form.wrong["statement"] = "Expected a hypothesis in a sentence. Or press Only explore."
        if form.stated["metric"] == "probe" and not form.stated["probe"].strip():
            form.wrong["probe"] = "Expected a few sentences of text."
        form.stated["plan"] = str(values.get("plan", "looks"))
        return form

    def _number(self, name: str, values: Mapping[str, Any], kind: type, words: str) -> None:
        text = str(values.get(name, "")).strip()
        try:
            self.stated[name] = kind(text)
        except ValueError:
            self.wrong[name] = f"Expected {words}, but got {text or 'nothing'}."


def state(path: Path, form: Form, at_hand: int, saved: Future[Any] | None) -> StudyFolder:
    """Write a study down.

    Args:
        path: The run.
        form: What the person filled in.
        at_hand: The decision that waits for its answer.
        saved: Done when the present is stored; None where a stored moment is asked about.

    Raises:
        LayertieError: It cannot be stated.
    """
    from ..counterfactual.questions import plan_values, question, statement_about
    from ..counterfactual.replicates import check_statement, plan_of
    from ..session.moment import Moment

    if saved is not None:
        saved.result(60)
    decision = at_hand if form.moment == "present" else int(form.moment.rpartition("-")[2] or 0)
    found = question(path, decision)
    stated = dict(form.stated)
    name = stated.pop("plan")
    if form.kind == "pilot":
        plan = plan_values((PILOT,))
        stated["statement"] = f"Pilot: {stated['statement']}".strip()
    else:
        plan = plan_values(PLANS.get(name, PLANS["looks"]), open_ended=name == "open")
    statement = statement_about(found, form.answer, path, primary=form.kind == "state", **stated, **plan)
    plan_of(statement)
    # What cannot be is to be said before anything is written: a stated hypothesis counts.
    check_statement(statement, Moment.stored(path, found.checkpoint.name).open())
    return state_study(path, statement, found.checkpoint)


def field_of(error: BaseException) -> str:
    """Which field of the form an error is about; "" if none."""
    if not isinstance(error, ConfigError):
        return ""
    for words, name in (("horizon", "horizon"), ("probe", "probe"), ("recorded", "answers"), ("answer", "answer")):
        if words in str(error):
            return name
    return ""


# -- running and judging -----------------------------------------------------------------------------------------------


def judge_of(folder: StudyFolder) -> Callable[[list[dict[str, Any]]], bool] | None:
    """What ends a study before its last replicate: its plan of looks. A pilot has none."""
    from ..counterfactual.study import is_decided

    if folder.statement.is_pilot:
        return None
    return lambda replicates: is_decided(folder.statement, replicates)


def how_far(progress: Any) -> str:
    """A study's progress in a sentence."""
    done = f"{progress.replicates} of at most {progress.wanted} replicates"
    if progress.seconds_left is None:
        return f"{done}. Both futures are being trained."
    return f"{done}; at most {max(1, round(progress.seconds_left))} s more. The run above may go on meanwhile."


def ended(folder: StudyFolder, progress: Any) -> str:
    """What is said when a study has ended."""
    if progress.state == "failed":
        return progress.error
    if progress.state == "cancelled":
        done = progress.replicates
        kept = f"after {done} replicates, which are kept" if done else "before the first one"
        return f"Cancelled {kept}; Go on in the list continues it."
    seconds = f"{progress.seconds:.0f} s"
    return f"{folder.name} has ended after {progress.replicates} replicates in {seconds}."


def verdict_traits(folder: StudyFolder) -> dict[str, Any]:
    """The panel's attributes for what a study has come to."""
    from ..counterfactual.study import refusal_of, verdicts_of_run
    from ..counterfactual.wording import headline_of, sentence_of

    replicates, stated = folder.replicates(), folder.statement
    if refusal := refusal_of(stated, replicates):
        return {"outcome": "", "label": "No verdict", "headline": "", "verdict": refusal, "forecast": ""}
    label = "Verdict" if stated.primary else "Pilot" if folder.statement.is_pilot else "Exploratory"
    if folder.statement.is_pilot:
        sentence = _forecast(folder, replicates) if len(replicates) == stated.replicates else ""
        return {"outcome": "", "label": "", "headline": "", "verdict": "", "forecast": sentence}
    verdict = verdicts_of_run(list_studies(folder.run)[0]).get(folder.name)
    if verdict is None:
        first = stated.looks.get("replicates", [2])[0]
        words = f"There is no verdict before the first look, at {first} replicates." if replicates else ""
        return {"outcome": "", "label": label if words else "", "headline": "", "verdict": words, "forecast": ""}
    return {
        "outcome": verdict.outcome,
        "label": label,
        "headline": headline_of(verdict),
        "verdict": sentence_of(verdict),
        "forecast": "",
    }


def _forecast(folder: StudyFolder, replicates: list[dict[str, Any]]) -> str:
    from ..counterfactual.forecast import forecast_of
    from ..counterfactual.interim import LookPlan

    found = forecast_of(folder.statement, replicates, LookPlan())
    return "No forecast: the replicates do not differ." if found is None else found.sentence


def pictures(folder: StudyFolder) -> dict[str, Any]:
    """Title -> spec of a study's live panels."""
    from ..charts.comparisons.paired import twin_specs

    return twin_specs(_drawn(folder), height=190)


def _drawn(folder: StudyFolder) -> Any:
    from ..charts.comparisons.paired import Stated

    stated = folder.statement
    metric = METRICS[stated.metric]
    return Stated(
        stated.horizon,
        stated.smallest_difference,
        stated.steps_per_decision,
        metric.label,
        metric.unit,
        stated.metric == "last",
    )


def rows(folder: StudyFolder) -> dict[str, list[dict[str, Any]]]:
    """A study's rows, by table."""
    from ..counterfactual.study import tables_of

    try:
        return {name: frame.to_dicts() for name, frame in tables_of(folder.statement, folder.replicates()).items()}
    except LayertieError:  # a branch diverged, which the sentence says
        return {}


def _rows(studies: list[StudyFolder]) -> list[dict[str, Any]]:
    if not studies:  # a verdict needs scipy, which a page without studies is not to wait for
        return []
    from ..counterfactual.study import verdicts_of_run

    verdicts = verdicts_of_run(studies)
    return [_row(study, verdicts[study.name]) for study in reversed(studies)]


def _row(study: StudyFolder, verdict: Any) -> dict[str, Any]:
    from ..counterfactual.study import refusal_of

    stated, replicates = study.statement, study.replicates()
    count, refused = len(replicates), bool(refusal_of(stated, replicates))
    words = stated.statement if stated.primary else f"(exploratory) {stated.statement}"
    open_still = count < stated.replicates and not refused and (verdict is None or not verdict.decided)
    return {
        "name": study.name,
        "statement": words,
        "expected": stated.expected if stated.primary else "",
        "outcome": "refused" if refused else "" if verdict is None or stated.is_pilot else verdict.outcome,
        "estimate": "" if verdict is None else _estimate(verdict),
        "replicates": count,
        "horizon": stated.horizon,
        "can_resume": open_still and not study.running,
    }


def _estimate(verdict: Any) -> str:
    unit, value = verdict.hypothesis.unit, f"{verdict.difference.value:+.4g}"
    if verdict.interval is None:
        return f"{value} {unit} in every replicate"
    return f"{value} [{float(verdict.interval.low):+.4g}, {float(verdict.interval.high):+.4g}] {unit}"


def _family(path: Path, studies: list[StudyFolder]) -> list[str]:
    missing = missing_studies(path, studies)
    stated = sum(study.statement.primary for study in studies) + len(missing)
    words = f"{stated} hypotheses have been stated about this run; verdicts are corrected for that (Holm)."
    gone = f"Of these {', '.join(missing)} cannot be read any more, and count all the same."
    return [*([words] if stated > 1 else []), *([gone] if missing else [])]
