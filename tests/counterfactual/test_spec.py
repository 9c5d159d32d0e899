"""The spec of a study: plain values there and back, a hash over all of them, one place for defaults, and refusals."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from layertie_lab.cli import arguments
from layertie_lab.core.errors import ConfigError
from layertie_lab.core.serialize import settings_of
from layertie_lab.core.tables import STUDY_COLUMNS
from layertie_lab.counterfactual.interim import GroupSequential, OpenEnded
from layertie_lab.counterfactual.spec import METRICS, Extension, StudyChoices, StudySpec, TwinPlan
from layertie_lab.explorer import study_form

STATED = StudySpec(
    statement="Layer 2 needs its own block.",
    decision=5,
    layer=2,
    step=16,
    proposed=0,
    answered=2,
    config_hash="abc",
    marks=(4, 8),
    plan=GroupSequential((2, 4), (0.02, 0.03)),
)

CHANGES: dict[str, dict[str, Any]] = {
    "statement": {"statement": "Another."},
    "decision": {"decision": 6},
    "layer": {"layer": 3},
    "step": {"step": 17},
    "proposed": {"proposed": 1},
    "answered": {"answered": 1},
    "config_hash": {"config_hash": "d"},
    "expected": {"expected": "better"},
    "primary": {"primary": False},
    "metric": {"metric": "perplexity"},
    "horizon": {"horizon": 50},
    "smallest_difference": {"smallest_difference": 0.1},
    "plan": {"plan": OpenEnded()},
    "after": {"after": "hold"},
    "answers": {"after": "recorded", "answers": (0, 1)},
    "marks": {"marks": (4,)},
    "windows": {"windows": 600},
    "split": {"split": "test"},
    "decay": {"decay": 0.9},
    "probe": {"probe": "Once"},
    "first_replicate": {"first_replicate": 5},
    "seed": {"seed": 1},
    "threads": {"threads": 2},
    "steps_per_decision": {"steps_per_decision": 4},
}


@pytest.mark.parametrize("name", CHANGES)
def test_there_and_back_also_through_json(name: str) -> None:
    stated = replace(STATED, **CHANGES[name])
    back = StudySpec.from_dict(json.loads(json.dumps(stated.to_dict())))
    assert back == stated
    assert back.hash == stated.hash


def test_every_field_counts_in_the_hash() -> None:
    later = {"extensions"}  # no part of what was stated
    assert set(CHANGES) == {entry.name for entry in fields(StudySpec)} - later
    hashes = {replace(STATED, **changes).hash for changes in CHANGES.values()}
    assert len(hashes | {STATED.hash}) == len(CHANGES) + 1


def test_the_version_before_is_read_and_keeps_its_hash() -> None:
    kept = json.loads((Path(__file__).parents[1] / "session" / "version_before" / "study.json").read_text())
    spec = StudySpec.from_dict(kept["statement"])
    assert spec.to_dict() == kept["statement"]
    assert spec.hash == kept["hash"]
    assert spec.plan == GroupSequential((3, 4), (0.025, 0.025), rule="t")


def test_replicates_have_numbers_of_their_own() -> None:
    assert list(replace(STATED, plan=GroupSequential((3,), (0.05,)), first_replicate=5).numbers) == [5, 6, 7]


def test_what_is_added_later_changes_nothing_of_what_was_stated() -> None:
    added = Extension("2030-01-01T00:00:00+00:00", STATED.plan, 100)
    last = STATED.replicates + 2
    longer = replace(STATED, plan=OpenEnded(at_most=last), extensions=(added,))
    assert (longer.stated_plan, longer.replicates) == (STATED.plan, last)
    assert longer.to_dict() == STATED.to_dict()
    assert longer.hash == STATED.hash
    assert list(longer.numbers) == [*STATED.numbers, 100, 101]


def test_flags_and_form_are_made_of_the_spec() -> None:
    typed = arguments.parse(["twins", "run"])
    assert isinstance(typed, arguments.Twins)
    assert typed.hypothesis == StudyChoices()
    assert typed.looks == GroupSequential().replicates
    words = [word for entry in fields(StudyChoices) for word in (f"--{entry.name.replace('_', '-')}",)]
    given = ["5", "memory", "recorded", "1", "2", "600", "reward", "0.5", "Once", "It is.", "better", "0.1", "2"]
    typed = arguments.parse(["twins", "run", *(word for pair in zip(words, given, strict=True) for word in pair)])
    assert isinstance(typed, arguments.Twins)
    assert all(getattr(typed.hypothesis, entry.name) != entry.default for entry in fields(StudyChoices))
    settings = {setting.name: setting for setting in settings_of(StudyChoices)}
    assert all(setting.help for setting in settings.values())
    form = {entry["name"]: entry for entry in study_form.fields()}
    filled = study_form.Form.read(
        "state",
        {name: entry["value"] for name, entry in form.items()}
        | {"answer": "2", "expected": "worse", "statement": "It is."},
    )
    assert filled.wrong == {}
    assert filled.choices == StudyChoices(statement="It is.")
    assert filled.plan == GroupSequential()
    assert all(form[name]["help"] == settings[name].explained for name in study_form.FIELDS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "beauty"}, "a metric out of last"),
        ({"expected": "nicer"}, "expected to be one of worse, better"),
        ({"statement": " "}, "a hypothesis in a sentence"),
        ({"metric": "probe", "probe": " "}, "a text for the probe"),
        ({"threads": 0}, "threads to be between 1 and"),
        ({"smallest_difference": -0.1}, "smallest_difference to be between 0 and"),
        ({"smallest_difference": float("nan")}, "smallest_difference to be between 0 and"),
        ({"smallest_difference": float("inf")}, "smallest_difference to be between 0 and"),
        ({"answered": 0}, "two different actions"),
    ],
)
def test_what_cannot_be_stated_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        replace(STATED, **changes)
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"horizon": 0}, "horizon to be between 1 and"),
        ({"horizon": True}, "horizon to be a whole number"),
        ({"horizon": 2.5}, "horizon to be a whole number"),
        ({"after": "stop"}, "after to be one of continue-locked, continue, hold, recorded, but got 'stop'"),
        ({"answers": (1,)}, "a list of actions with after=recorded"),
        ({"horizon": 4, "marks": (5,)}, "marks from 0 to the horizon of 4"),
        ({"windows": 511}, "windows to be between 512 and"),
        ({"split": "elsewhere"}, "split to be one of validation"),
        ({"decay": 1.0}, "decay to be at least 0 and below 1"),
    ],
)
def test_plans_that_cannot_be_carried_out(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        TwinPlan(**changes)


def test_an_exploratory_comparison_needs_no_sentence_and_may_be_of_equal_actions() -> None:
    assert not replace(STATED, statement="", primary=False, answered=0).primary


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (STATED.to_dict() | {"colour": "red"}, "but got colour too"),
        ({"statement": "It matters."}, "a whole study, but .* is missing"),
        (STATED.to_dict() | {"looks": {}}, "a plan of interim analyses"),
        (STATED.to_dict() | {"replicates": 9}, "Expected 4 replicates"),
    ],
)
def test_other_fields_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        StudySpec.from_dict(values)


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"horizon": "0"}, "horizon", "between 1 and"),
        ({"horizon": "soon"}, "horizon", "a whole number"),
        ({"smallest_difference": ""}, "smallest_difference", "a number"),
        ({"statement": " "}, "statement", "a hypothesis in a sentence"),
        ({"answer": ""}, "answer", "an action of the list"),
        ({"expected": ""}, "expected", "Choose what you expect"),
        ({"expected": "nicer"}, "expected", "one of worse, better"),
        ({"after": "recorded", "answers": "0 and 1"}, "answers", "the actions that follow"),
        ({"metric": "probe"}, "probe", "a few sentences"),
    ],
)
def test_what_is_wrong_in_the_form_is_said_beside_the_field(typed: dict[str, str], field: str, said: str) -> None:
    values = {entry["name"]: entry["value"] for entry in study_form.fields()}
    filled = {"answer": "1", "expected": "better", "statement": "It is."}
    form = study_form.Form.read("state", values | filled | typed)
    assert set(form.wrong) == {field}
    assert said in form.wrong[field]


@pytest.mark.parametrize("kind", ["explore", "pilot"])
def test_no_expectation_is_chosen_for_anybody_and_only_a_hypothesis_needs_one(kind: str) -> None:
    values = {entry["name"]: entry["value"] for entry in study_form.fields()} | {"answer": "1"}
    assert values["expected"] == ""
    assert study_form.Form.read(kind, values).wrong == {}
    assert set(study_form.Form.read("state", values).wrong) == {"expected"}


def test_metrics_and_tables_have_words() -> None:
    assert all(metric.label for metric in METRICS.values())
    assert all(len(set(columns)) == len(columns) for columns in STUDY_COLUMNS.values())
