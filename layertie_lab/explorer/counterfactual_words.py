"""What the tab "Did it matter?" reads, says and draws, as plain functions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from ..core.durations import in_time
from ..core.errors import LayertieError, RecordError
from ..counterfactual.questions import Question, questions
from ..counterfactual.runner import StudyProgress
from ..counterfactual.spec import in_words
from ..counterfactual.study import Study
from ..records.directory import is_run
from ..records.studies import missing_studies
from ..records.tree import as_row, damaged_moments, last_decision, leaving_of, make_branch, moment_name, tree_of
from .study_form import PRESENT, planned
from .study_times import of_pairs
from .study_watch import Going, Traces, going_of, traces

# Verdicts (scipy) and charts (polars) are imported where a study is there: a page without one is not to wait.

ABOUT = (
    "Decide in the agent's place, or choose a decision: then both futures are trained from the same moment, several"
    " times, and compared."
)
EXAMPLE = (
    "A recorded example: what was asked of it can be read, and its branches opened. Nothing is added to it; New run"
    " trains one that you can ask."
)
NO_BRANCH = "No branch is made of a recorded example; those that it has can be opened."
EXPECTATIONS = {"better": "better", "worse": "worse", "no difference that matters": "no different"}
"""What may be expected of an override (`spec.Expected`) -> words on its button."""
CANCELLED_EARLY = "Cancelled before the first replicate; Go on in the list runs {}."
FILES = {"html": "Keep it as a page (HTML)", "json": "Keep it as data (JSON)"}
"""Format -> words on the button that keeps a study."""
EXTENDING = "The longer plan is written down before the first of the added replicates starts."
FILLED_IN = (
    "The form is filled in for a new hypothesis about the same decision: say what you expect, and state it. It runs on"
    " replicates of its own."
)
WRITING = "The file is being written."
STATING = "The hypothesis is written down before the first replicate starts."


# -- reading -----------------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """What a run has on disk for this tab.

    Args:
        moments: The form's moments, the latest first.
        stored: Decisions whose moment is stored, the latest first: a branch from before one begins there at once.
        last: The last decision; a branch can leave from before each from 1 on.
        tree: The tree's runs.
        studies: The list's rows, the latest first.
        note: What holds for all studies.
        going: The studies that somebody runs.
        overruled: The last decision and its layer, where a person overruled the agent in it; None otherwise.
        stated: Decisions about which a study has been stated; a pilot states nothing.
        pace: Seconds of an optimizer step in their pairs; 0 where none has come.
        traces: Of the studies, as they were just before they were read.
    """

    moments: list[dict[str, Any]]
    stored: list[int]
    last: int
    tree: list[dict[str, Any]]
    studies: list[dict[str, Any]]
    note: str
    going: list[Going] = []
    overruled: tuple[int, int] | None = None
    stated: frozenset[int] = frozenset()
    pace: float = 0.0
    traces: Traces = {}


def read(path: Path, *, judged: bool = True) -> Found:
    """A run's moments, tree and studies.

    Args:
        path: Its folder.
        judged: Whether the studies are listed, with their verdicts, which load scipy.

    Raises:
        LayertieError: The run cannot be read.
    """
    if not is_run(path):  # it has only just been made
        return Found([], [], 0, [], [], "")
    before = traces(path)
    damage: list[str] = []
    asked: list[Question] = []
    try:
        damage += damaged_moments(path)
        asked = questions(path)
    except RecordError as error:
        damage.append(str(error))
    moments = [_moment(found) for found in sorted(asked, key=lambda found: (not found.overridden, -found.decision))]
    stored = [found.decision for found in asked]
    tree = [{"id": node.name, **as_row(node)} for node in tree_of(path)]
    for row in tree:
        row["parent"] = tree[0]["id"] if row["parent"] == "" else row["parent"]
    last = next((row["decisions"] for row in tree if row["id"] == path.name), 0)
    studies, damaged = Study.all_of(path)
    notes = [*(_family(path, studies) if judged else ()), *damage, *damaged]
    notes += [f"{row['name']}: {row['note']}" for row in tree if row["note"]]
    overruled = next(((each.decision, each.layer) for each in asked if each.overridden and each.by == "human"), (0, 0))
    return Found(
        moments,
        stored,
        last,
        tree,
        _rows(studies) if judged else [],
        " ".join(notes),
        going_of(studies),
        # One under way has no outcome yet, and is not among the tree's.
        overruled if overruled[0] and overruled[0] >= last else None,
        frozenset(study.spec.decision for study in studies if not study.spec.is_pilot),
        of_pairs(studies),
        before,
    )


def opening(example: bool, stopped: str) -> str:
    """What is said when a run is shown; `stopped` names the study of the run before that still ran."""
    about = EXAMPLE if example else ABOUT
    left = f"{stopped} of the run before was stopped; its finished replicates are kept, and Go on continues it there. "
    return f"{left if stopped else ''}{about}"


def _brief(layer: int, source: int) -> str:
    return "own" if source == layer else f"to {source}"


def _moment(found: Question) -> dict[str, Any]:
    opening = f"{found.decision}, layer {found.layer}"
    agent = f"agent: {_brief(found.layer, found.proposed)}"
    words = f"{opening} ({agent})"
    if found.answered is not None and found.overridden:
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
        "id": PRESENT,
        "words": f"{state.asked}, layer {state.layer}, at hand (agent: {agent})",
        "layer": state.layer,
        "proposed": state.proposed,
        "legal": list(state.legal),
        "answered": None,
    }


def asking(decision: int, layer: int) -> str:
    """What is asked of an override, before the answers to it: it stands beside the decision that follows."""
    return f"Did decision {decision} (layer {layer}) matter? I expect it to be"


def offer(event: Any) -> str:
    """What is said when a person has overruled the agent."""
    return (
        f"You had layer {event.layer} {in_words(event.layer, event.choice)}, where the agent would have had it "
        f"{in_words(event.layer, event.proposed)}. Did it matter? Say what you expect, and run the pairs."
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


def undone(path: Path, made: Path) -> str:
    """What is said when an undo has put a branch on the page in place of a run."""
    left = leaving_of(made)
    where = "" if left is None else f", from before decision {left.decision}"
    return (
        f"The page now shows {made.name}, a new branch{where}. {path.name} stays as it is; click its line to go back."
    )


# -- running and judging -----------------------------------------------------------------------------------------------


def judge_of(study: Study) -> Callable[[list[dict[str, Any]]], bool] | None:
    """What ends a study before its last replicate: its plan of interim analyses. A pilot has none."""
    from ..counterfactual.judging import is_decided

    if study.spec.is_pilot:
        return None
    return lambda replicates: is_decided(study, replicates)


def how_far(progress: StudyProgress) -> str:
    """A study's progress in a sentence."""
    done = f"{progress.replicates} of at most {progress.wanted} replicates"
    if progress.seconds_left is None:
        return f"{done}. Both futures are being trained."
    return f"{done}; at most {in_time(progress.seconds_left)} more. The run may go on meanwhile."


def ended(study: Study, progress: StudyProgress) -> str:
    """What is said when a study has ended."""
    if progress.state == "failed":
        return progress.error
    if progress.state == "cancelled":
        done = progress.replicates
        which = "which is kept" if done == 1 else "which are kept"
        kept = f"after {_replicates(done)}, {which}" if done else "before the first one"
        return f"Cancelled {kept}; Go on in the list continues it."
    return f"{study.name} has ended after {_replicates(progress.replicates)} in {in_time(progress.seconds)}."


def _replicates(count: int) -> str:
    return f"{count} replicate{'' if count == 1 else 's'}"


def verdict_traits(study: Study) -> dict[str, Any]:
    """The panel's attributes for what a study has come to."""
    from ..counterfactual.judging import refusal_of, verdicts_of_run
    from ..counterfactual.wording import headline_of, outcome_in_words, sentence_of

    replicates, stated = study.replicates(), study.spec
    if refusal := refusal_of(stated, replicates):
        return {"outcome": "", "label": "No verdict", "headline": "", "verdict": refusal, "forecast": ""}
    label = (
        f"Expected: {stated.expected}. Verdict" if stated.primary else "Pilot" if study.spec.is_pilot else "Exploratory"
    )
    if study.spec.is_pilot:
        sentence = _forecast(study, replicates) if len(replicates) == stated.replicates else ""
        return {"outcome": "", "label": "", "headline": "", "verdict": "", "forecast": sentence}
    verdict = verdicts_of_run(Study.all_of(study.run)[0]).get(study.name)
    if verdict is None:
        words = f"There is no verdict before the first interim analysis, at {stated.plan.first} replicates."
        words = words if replicates else ""
        return {"outcome": "", "label": label if words else "", "headline": "", "verdict": words, "forecast": ""}
    return {
        "outcome": outcome_in_words(verdict),
        "label": label,
        "headline": headline_of(verdict),
        "verdict": sentence_of(verdict),
        "forecast": "",
    }


def files_of(study: Study) -> dict[str, str]:
    """As which files a study can be kept: none before there is something to keep."""
    return FILES if study.replicates() else {}


def offers(study: Study) -> list[dict[str, str]]:
    """What can honestly be done after a plan that was used up without a verdict; nothing otherwise.

    Args:
        study: The study.
    """
    from ..counterfactual.extension import extended
    from ..counterfactual.judging import verdicts_of_run
    from ..counterfactual.onward import fresh, is_used_up

    verdict = verdicts_of_run(Study.all_of(study.run)[0]).get(study.name)
    if verdict is None or not is_used_up(study, verdict):
        return []
    longer = extended(study.spec.plan)
    words = "" if longer.plan is None else f"Extend it to {longer.plan.last} replicates"
    found = fresh(verdict, planned()) if verdict.interval is not None else None
    anew = "State a new hypothesis"
    if found is not None and found.name:
        anew += f" with up to {planned()[found.name].last} replicates"
    return [
        {"kind": "extend", "words": words, "why": longer.why},
        {"kind": "fresh", "words": anew, "why": "" if found is None else found.words},
        {"kind": "stop", "words": "Stop here", "why": "Not decided is a result too; it stays in the list and counts."},
    ]


def extend(study: Study) -> Study:
    """The study with a longer plan.

    Raises:
        LayertieError: It cannot be made longer.
    """
    from ..counterfactual import onward

    return onward.extend(study)


def stopped(study: Study) -> str:
    """What is said when a person leaves it at a study that was not decided."""
    return f"{study.name} stays as it is: not decided after {_replicates(len(study.replicates()))}."


def fresh_form(study: Study, moments: list[str], at_hand: int | None) -> dict[str, str]:
    """The form's fields for a new hypothesis about a study's decision, with a plan that would probably decide.

    Args:
        study: The study that was not decided.
        moments: Ids of the moments that can be chosen.
        at_hand: The decision that waits for its action, where there is one among these.

    Raises:
        RecordError: The decision's moment is no longer stored, or nobody goes on to make it.
    """
    from ..counterfactual.judging import verdicts_of_run
    from ..counterfactual.onward import fresh

    spec = study.spec
    moment = PRESENT if spec.decision == at_hand else moment_name(spec.decision)
    if moment not in moments and last_decision(study.run) < spec.decision:
        raise RecordError(
            f"Expected decision {spec.decision} to be made or at hand, but this run was stopped before it.",
            "Press Step, and ask again.",
        )
    if moment not in moments:
        raise RecordError(
            f"Expected the moment before decision {spec.decision} to be stored still, but it is not.",
            f"Branch from before decision {spec.decision}, and state it about that branch.",
        )
    verdict = verdicts_of_run(Study.all_of(study.run)[0]).get(study.name)
    plan = fresh(verdict, planned()).name if verdict is not None and verdict.interval is not None else ""
    return {
        "moment": moment,
        "answer": str(spec.answered),
        "expected": "",
        "statement": "",
        "plan": plan or "open",
        "horizon": str(spec.horizon),
        "metric": spec.metric,
        "smallest_difference": f"{spec.smallest_difference:g}",
        "after": spec.after,
        "answers": " ".join(map(str, spec.answers)),
        "probe": spec.probe,
    }


def keep(study: Study, format: str, *, beside: bool) -> tuple[str, bytes, str]:
    """A study as a file.

    Args:
        study: The study.
        format: One of `FILES`.
        beside: Whether it is kept in the study's folder too.

    Returns:
        The file's name, its content, and what is said of it.

    Raises:
        LayertieError: The study cannot be read, or the disk has no room.
    """
    from ..counterfactual.study_page import kept

    content = kept(study, format)
    name = f"{study.run.name}-{study.name}.{format}"
    said = f"{name} ({len(content) / 1e3:,.0f} kB) is handed to your browser, which keeps it where it keeps downloads"
    if not beside:
        return name, content, f"{said}."
    return name, content, f"{said}; the same is written to {study.keep(format, content)}."


def _forecast(study: Study, replicates: list[dict[str, Any]]) -> str:
    from ..counterfactual.forecast import forecast_of
    from ..counterfactual.interim import GroupSequential

    found = forecast_of(study.spec, replicates, GroupSequential())
    return "No forecast: the replicates do not differ." if found is None else found.sentence


def pictures(study: Study) -> dict[str, Any]:
    """Title -> spec of a study's live panels."""
    from ..charts.comparisons.paired import twin_specs
    from ..counterfactual.frames import stated_for_charts

    return twin_specs(stated_for_charts(study.spec, study.replicates()), height=190)


def rows(study: Study) -> dict[str, list[dict[str, Any]]]:
    """A study's rows, by table."""
    from ..counterfactual.frames import tables_of

    try:
        return {name: frame.to_dicts() for name, frame in tables_of(study.spec, study.replicates()).items()}
    except LayertieError:  # a branch diverged, which the sentence says
        return {}


def _rows(studies: list[Study]) -> list[dict[str, Any]]:
    if not studies:  # a verdict needs scipy, which a page without studies is not to wait for
        return []
    from ..counterfactual.judging import verdicts_of_run

    verdicts = verdicts_of_run(studies)
    return [_row(study, verdicts[study.name]) for study in reversed(studies)]


def _row(study: Study, verdict: Any) -> dict[str, Any]:
    from ..counterfactual.judging import refusal_of
    from ..counterfactual.wording import outcome_in_words

    stated, replicates = study.spec, study.replicates()
    count, refused = len(replicates), bool(refusal_of(stated, replicates))
    words = stated.statement if stated.primary else f"(exploratory) {stated.statement or stated.compared}"
    open_still = count < stated.replicates and not refused and (verdict is None or not verdict.decided)
    return {
        "name": study.name,
        "statement": words,
        "expected": stated.expected if stated.primary else "",
        "outcome": "refused" if refused else "" if verdict is None or stated.is_pilot else outcome_in_words(verdict),
        "estimate": "" if verdict is None else _estimate(verdict),
        "replicates": count,
        "horizon": stated.horizon,
        "running": (running := study.running),
        "can_resume": open_still and not running,
    }


def _estimate(verdict: Any) -> str:
    unit, value = verdict.hypothesis.unit, f"{verdict.estimate:+.4g}" if verdict.estimate else "0"
    if verdict.interval is None:
        return f"{value} {unit} in every replicate"
    return f"{value} [{float(verdict.interval.low):+.4g}, {float(verdict.interval.high):+.4g}] {unit}"


def _family(path: Path, studies: list[Study]) -> list[str]:
    missing = missing_studies(path, studies)
    stated = sum(study.spec.primary for study in studies) + len(missing)
    words = (
        f"{stated} hypotheses have been stated about this run; verdicts are corrected for that (Holm), and one that is "
        "taken back has its later analyses left (Go on)."
    )
    gone = f"Of these {', '.join(missing)} cannot be read any more, and count all the same."
    return [*([words] if stated > 1 else []), *([gone] if missing else [])]
