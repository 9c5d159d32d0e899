"""The scripts under data/ find again what is recorded there."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layertie_lab.counterfactual.extension import LONGEST_OPEN, LONGEST_PLANNED, extended
from layertie_lab.counterfactual.interim import FAMILY_ERROR, OpenEnded, plan_at
from layertie_lab.counterfactual.judging import verdicts_of_run
from layertie_lab.counterfactual.study import Study

DATA = Path(__file__).parents[1] / "data"


def recorded(name: str) -> dict[str, Any]:
    return json.loads((DATA / name).read_text())


def script(name: str) -> dict[str, Any]:
    return runpy.run_path(str(DATA / name))


def test_recorded_equal_answers_give_the_recorded_verdicts_at_the_stated_level():
    """At least 400 verdicts on real training in which nothing is to be found."""
    results = recorded("verdicts/same_answer.json")
    found = np.concatenate([np.array(moment["differences"]) for moment in results["moments"]])
    again = script("verdicts/same_answer.py")["verdicts_of"](found)["bands"]
    assert again.keys() == results["bands"].keys()
    for band, counts in results["bands"].items():
        # Versions of scipy differ in an interval's last digit.
        assert again[band] == counts | {"interval_95": pytest.approx(counts["interval_95"], rel=1e-9)}
    low, high = results["false_expected_95"]
    assert len(found) >= 400
    assert low <= results["bands"]["0"]["false"] <= high
    assert results["bands"]["0.003"]["false"] <= high


def test_the_recorded_simulations_are_of_the_extensions_that_are_made():
    """A rule that would extend further than was simulated, or where more was false than is allowed, is found out."""
    found, of_script = recorded("verdicts/simulations.json")["extensions"], script("verdicts/simulate.py")
    plans = [plan_at((4,)), plan_at((8,)), plan_at((4, 8)), plan_at((12,)), OpenEnded()]
    names = [f"{of_script['_named'](plan)} to {of_script['_to_its_end'](plan).last}" for plan in plans]
    assert list(found["granted"]) == names
    assert (found["longest_planned"], found["longest_open_ended"]) == (LONGEST_PLANNED, LONGEST_OPEN)
    assert all(set(shapes) == set(of_script["SHAPES"]) for shapes in found["granted"].values())
    assert max(false for shapes in found["granted"].values() for false in shapes.values()) <= FAMILY_ERROR
    # What is refused would indeed err more often, but for the latest, which is refused to be on the safe side.
    worst = {name: max(shape["0.0085 more"] for shape in shapes.values()) for name, shapes in found["refused"].items()}
    assert all(extended(plan_at((count,))).plan is None for count in of_script["LATE"])
    assert sum(false > FAMILY_ERROR for false in worst.values()) == 3


def test_equal_answers_on_other_numbers_differ_by_noise():
    """The recorded differences of one moment's first verdict, trained again."""
    differences = script("verdicts/same_answer.py")["differences"]
    found, about = differences(1, 5, 1)
    again = recorded("verdicts/same_answer.json")["moments"][0]
    assert {name: again[name] for name in about} == about
    assert np.abs(found[0] - again["differences"][0]).max() < 1e-4


def test_noise_of_a_millionth_does_not_matter():
    case = script("twins/known_answers.py")["measure"](
        policy="lab", decisions=8, noise=1e-6, replicates=4, horizon=4, layers=3, width=16, context=16, batch_size=4
    )
    assert case["outcome"] == "no difference that matters"
    assert 0 < abs(case["curve"][-1]["value"]) < 1e-4


@pytest.mark.long
def test_tying_two_layers_that_have_grown_apart_hurts():
    known = script("twins/known_answers.py")
    name = "tie layer 3 to 2, independent, step 1508"
    case, before = known["measure"](**known["CASES"][name]), recorded("twins/known_answers.json")["cases"][name]
    assert case["outcome"] == before["outcome"] == "worse"
    assert case["curve"][-1]["low"] > 0
    assert case["curve"][-1]["value"] == pytest.approx(before["curve"][-1]["value"], abs=0.03)


def test_recorded_hypotheses_were_stated_before_and_get_their_recorded_verdicts():
    studies, damaged = Study.all_of(DATA / "hypotheses" / "laptop-lab")
    found = {name: verdict.outcome for name, verdict in verdicts_of_run(studies).items() if verdict is not None}
    before = recorded("hypotheses/laptop-lab/verdicts.json")["studies"]
    assert found == {study["study"]: study["outcome"] for study in before}
    assert len(found) >= 3
    assert "no difference that matters" in found.values()
    assert not damaged
    assert all(study.spec.primary for study in studies)


@pytest.mark.long
def test_untying_a_middle_layer_hurts_first_and_helps_later_where_its_moments_start_anew():
    known = script("twins/known_answers.py")
    name = "untie layer 3, all-tied, step 208, moments reset"
    curve = {entry["steps"]: entry for entry in known["measure"](**known["CASES"][name])["curve"]}
    assert curve[2]["low"] > 0
    assert curve[50]["high"] < 0


@pytest.mark.long
def test_untying_hurts_within_the_reward_window_and_helps_later_where_the_optimizer_is_rebuilt():
    known = script("twins/known_answers.py")
    name = "untie layer 3, all-tied, step 108, optimizer rebuilt"
    curve = {entry["steps"]: entry for entry in known["measure"](**known["CASES"][name] | {"replicates": 8})["curve"]}
    assert curve[4]["low"] > 0
    assert curve[50]["high"] < 0


def test_the_recorded_case_whose_sign_turns_is_the_stated_one():
    case = recorded("twins/known_answers.json")["cases"]["untie layer 3, all-tied, step 108, optimizer rebuilt"]
    curve = {entry["steps"]: entry for entry in case["curve"]}
    assert case["settings"]["moments"] == "rebuild"
    assert curve[4]["low"] > 0 > curve[50]["high"]
