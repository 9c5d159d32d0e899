"""Statements: plain values there and back, a hash over all of them, and what cannot be stated."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from layertie_lab.core.errors import ConfigError
from layertie_lab.core.statements import METRICS, TWIN_TABLES, Statement

STATED = Statement("Layer 2 needs its own block.", 5, 2, 16, 0, 2, "abc", marks=(4, 8), looks={"replicates": [2, 4]})

CHANGES: dict[str, Any] = {
    "statement": "Another.", "decision": 6, "layer": 3, "step": 17, "proposed": 1, "answered": 1, "config_hash": "d",
    "expected": "better", "primary": False, "metric": "perplexity", "horizon": 50, "smallest_difference": 0.1,
    "looks": {"replicates": [4]}, "replicates": 8, "after": "hold", "answers": (0, 1), "marks": (4,), "windows": 600,
    "split": "test", "decay": 0.9, "probe": "Once", "first_replicate": 5, "seed": 1, "threads": 2,
    "steps_per_decision": 4,
}  # fmt: skip


@pytest.mark.parametrize("stated", [STATED, replace(STATED, after="recorded", answers=(0, 1, 2), primary=False)])
def test_there_and_back_also_through_json(stated: Statement) -> None:
    back = Statement.from_dict(json.loads(json.dumps(stated.to_dict())))
    assert back == stated
    assert back.hash == stated.hash


def test_every_field_counts_in_the_hash() -> None:
    assert set(CHANGES) == {entry.name for entry in fields(Statement)}
    hashes = {replace(STATED, **{name: value}).hash for name, value in CHANGES.items()}
    assert len(hashes | {STATED.hash}) == len(CHANGES) + 1


def test_replicates_have_numbers_of_their_own() -> None:
    assert list(replace(STATED, replicates=3, first_replicate=5).numbers) == [5, 6, 7]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "beauty"}, "a metric out of last"),
        ({"expected": "nicer"}, "the expectation to be one of better"),
        ({"statement": " "}, "a hypothesis in a sentence"),
        ({"metric": "probe", "probe": " "}, "a text for the probe"),
        ({"replicates": 1}, "at least 2 replicates"),
        ({"threads": 0}, "at least 1 thread"),
        ({"smallest_difference": -0.1}, "0 or more"),
        ({"smallest_difference": float("nan")}, "0 or more"),
        ({"smallest_difference": float("inf")}, "0 or more"),
        ({"answered": 0}, "two different answers"),
    ],
)
def test_what_cannot_be_stated_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        replace(STATED, **changes)
    assert refused.value.remedy


def test_an_exploratory_comparison_needs_no_sentence_and_may_be_of_equal_answers() -> None:
    assert not replace(STATED, statement="", primary=False, answered=0).primary


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (STATED.to_dict() | {"colour": "red"}, "but got colour too"),
        ({"statement": "It matters."}, "a whole statement, but .*missing"),
    ],
)
def test_other_fields_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Statement.from_dict(values)


def test_metrics_and_tables_have_words() -> None:
    assert all(metric.label for metric in METRICS.values())
    assert all(len(set(columns)) == len(columns) for columns in TWIN_TABLES.values())
