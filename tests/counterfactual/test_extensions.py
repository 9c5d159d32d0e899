"""A plan that was used up without a verdict is made longer under its error, or it is said why it cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from branching import made_up, other_answer, small

from layertie_lab import Session
from layertie_lab.core.errors import AnalysisError
from layertie_lab.counterfactual.extension import LONGEST_OPEN, LONGEST_PLANNED, extended
from layertie_lab.counterfactual.interim import FAMILY_ERROR, GroupSequential, OpenEnded, Plan, plan_at
from layertie_lab.counterfactual.judging import verdicts_of_run
from layertie_lab.counterfactual.looking import look
from layertie_lab.counterfactual.onward import extend, fresh, is_used_up
from layertie_lab.counterfactual.questions import question, spec_about, state
from layertie_lab.counterfactual.runner import StudyRunner
from layertie_lab.counterfactual.spec import StudyChoices
from layertie_lab.counterfactual.study import Study
from layertie_lab.counterfactual.verdict import Verdict, classify
from layertie_lab.counterfactual.wording import sentence_of

CAN = [plan_at((4, 8)), plan_at((8,)), plan_at((12,)), plan_at((4,)), plan_at((2,)), OpenEnded(), OpenEnded(rule="t")]
CANNOT = [plan_at(), plan_at((8, 16, 32)), plan_at((16,)), plan_at((32,)), plan_at((8, 12)), OpenEnded(at_most=256)]
PATHS = 6_000
ERROR = 3 * (0.05 * 0.95 / PATHS) ** 0.5


def to_its_end(plan: Plan) -> Plan:
    while (longer := extended(plan).plan) is not None:
        if longer.last > LONGEST_OPEN:
            break
        plan = longer
    return plan


@pytest.mark.parametrize("plan", CAN)
def test_what_leaves_error_can_be_extended_and_says_so(plan: Plan) -> None:
    longer, why = extended(plan).plan, extended(plan).why
    assert longer is not None
    assert why.startswith("This plan can be extended, ")
    assert str(longer.last) in why
    # All that was analysed before is as it was: the same counts at the same levels.
    counts = plan.reached(plan.last)
    assert longer.reached(plan.last) == counts
    assert longer.alpha_at(counts).tolist() == plan.alpha_at(counts).tolist()
    assert longer.last == 2 * plan.last
    assert longer.rule == plan.rule
    assert longer.total <= max(plan.total, FAMILY_ERROR) + 1e-12


@pytest.mark.parametrize("plan", CANNOT)
def test_what_has_spent_its_error_cannot_and_says_why(plan: Plan) -> None:
    assert extended(plan).plan is None
    assert extended(plan).why.startswith("This plan cannot be extended: ")


def test_plans_end() -> None:
    assert to_its_end(OpenEnded()).last == LONGEST_OPEN
    ends = [to_its_end(plan) for plan in CAN if isinstance(plan, GroupSequential)]
    assert all(plan.last <= LONGEST_PLANNED and plan.total <= FAMILY_ERROR + 1e-12 for plan in ends)


def normal(draw: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return draw.standard_normal(size)


def gamma(draw: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return draw.gamma(2.0, size=size) - 1.678347  # its median


def some_away(draw: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A fifth lies 3 away: what the rule finds hardest of all that was simulated (data/verdicts)."""
    return draw.standard_normal(size) + np.where(draw.random(size) < 0.2, 3.0, 0.0) - 0.3118


@pytest.mark.parametrize("shape", [normal, gamma, some_away])
@pytest.mark.parametrize(
    "plan", [plan_at((4, 8)), plan_at((12,)), pytest.param(OpenEnded(), marks=pytest.mark.slow)], ids=str
)
def test_extended_whenever_it_can_be_a_plan_still_errs_no_more_than_it_says(plan: Plan, shape: Any) -> None:
    longest = to_its_end(plan)
    assert longest != plan
    draws, wrong = shape(np.random.default_rng(11), (PATHS, longest.last)), np.zeros(PATHS, dtype=bool)
    for count in longest.reached(longest.last):
        going = np.flatnonzero(~wrong)
        seen = look(draws[going, :count], longest, 0.0)
        wrong[going] = classify(seen.low, seen.high, 0.0) != 0
    assert wrong.mean() <= FAMILY_ERROR + ERROR


@pytest.fixture(scope="module")
def run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a stored moment before decision 5."""
    path = tmp_path_factory.mktemp("extensions") / "run"
    with Session(small(text_file), path) as session:
        session.run(4)
        session.save("decision-00005")
        (path / "answer").write_text(str(other_answer(session)))
    return path


def stated(run: Path, plan: Plan, **more: Any) -> Study:
    found = question(run, 5)
    choices = StudyChoices(statement="It matters.", horizon=4, smallest_difference=0.0)
    spec = spec_about(found, int((run / "answer").read_text()), run, choices, plan=plan, **more)
    return state(run, spec, found)


def verdict_of(study: Study) -> Verdict:
    found = verdicts_of_run(Study.all_of(study.run)[0])[study.name]
    assert found is not None
    return found


def test_a_study_is_extended_goes_on_and_says_so(run: Path) -> None:
    study = stated(run, plan_at((4, 8)))
    with pytest.raises(AnalysisError, match="whose plan has been used up without a verdict, but of study-001 it has"):
        extend(study)
    made_up(study, [0.01, -0.01, 0.012, -0.008, 0.02, -0.015, 0.003, 0.006])
    assert is_used_up(study, verdict_of(study))
    other = stated(run, plan_at((4, 8)))
    longer = extend(study)
    assert not is_used_up(longer, verdict_of(longer))
    assert longer.spec.replicates == 16
    assert longer.spec.stated_plan == plan_at((4, 8))
    assert longer.spec.hash == study.spec.hash
    assert set(longer.numbers).isdisjoint(other.numbers)
    assert Study.open(study.path).spec == longer.spec
    # The added ones are trained as any others, and what was there stays.
    runner = StudyRunner(longer, workers=1, should_stop=lambda some: len(some) == 9)
    runner.start()
    assert (runner.wait(60).state, runner.progress.replicates) == ("done", 9)
    made_up(longer, [0.05 + 0.001 * place for place in range(7)])
    verdict = verdict_of(longer)
    assert verdict.hypothesis.extended_at == (8,)
    said = "The plan was extended: used up without a verdict at 8 replicates, it was made longer, to 16, with a chance"
    assert said in sentence_of(verdict)
    assert verdict.interval is not None
    assert verdict.replicates == 16
    assert not verdict.decided
    with pytest.raises(AnalysisError, match="This plan cannot be extended: its analyses have spent"):
        extend(longer)


def test_what_a_new_study_would_take_is_said_from_what_was_seen(run: Path) -> None:
    study = stated(run, plan_at())
    made_up(study, [0.004 * (place % 5 - 1.4) for place in range(16)])
    verdict = verdict_of(study)
    assert is_used_up(study, verdict)
    plans = {"8": plan_at((8,)), "64": plan_at((16, 32, 64)), "128": plan_at((32, 64, 128))}
    found = fresh(verdict, plans)
    assert found.name in ("64", "128")
    assert f"up to {found.name} fresh replicates lead to a verdict with probability 0." in found.words
    few = fresh(verdict, {"8": plan_at((8,))})
    assert few.name == ""
    assert "not even 8 fresh replicates" in few.words


def test_an_open_ended_study_is_extended(run: Path) -> None:
    study = stated(run, OpenEnded(at_most=8), primary=False)
    made_up(study, [0.01, -0.01, 0.012, -0.008, 0.02, -0.015, 0.003, 0.006])
    longer = extend(study)
    assert longer.spec.plan == OpenEnded(at_most=16)
    made_up(longer, [0.5 + 0.001 * place for place in range(8)])
    assert "The plan was extended" in sentence_of(verdict_of(longer))


@pytest.mark.parametrize(
    ("plan", "more", "values", "said"),
    [
        (plan_at((4, 8)), {}, [0.5 + 0.001 * place for place in range(8)], "it says worse"),
        (plan_at(), {}, [0.01, -0.01] * 8, "This plan cannot be extended"),
        (plan_at((4,)), {"primary": False}, [0.01, -0.01] * 2, "it is a pilot"),
    ],
)
def test_what_cannot_be_extended_is_refused(run: Path, plan: Plan, more: Any, values: list[float], said: str) -> None:
    found = question(run, 5)
    choices = StudyChoices(statement="Pilot: it matters." if more else "It matters.", horizon=4)
    study = state(run, spec_about(found, int((run / "answer").read_text()), run, choices, plan=plan, **more), found)
    made_up(study, values)
    with pytest.raises(AnalysisError, match=said):
        extend(study)
    assert json.loads((study.path / "statement.json").read_text())["statement"] == study.spec.to_dict()
    assert Study.open(study.path).extensions == []
