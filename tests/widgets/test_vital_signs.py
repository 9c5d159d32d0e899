"""The latest of a run's rows in one line."""

from __future__ import annotations

import pytest

from layertie_lab.widgets.vital_signs import VitalSigns


def test_the_latest_of_each_table_counts() -> None:
    signs = VitalSigns()
    signs.begin(layers=12, budget=200)
    assert (signs.decision, signs.loss, signs.owners, signs.share, signs.saved) == (0, None, None, None, None)
    memory = [
        {"decision": decision, "component": name, "bytes": size}
        for decision in (1, 2)
        for name, size in (("parameters", 100), ("gradients", 100), ("optimizer", 200), ("activations", 9_000))
    ]
    decisions = [{"decision": n, "owners": 5 - n, "trainable_share": 0.5 / n} for n in (1, 2)]
    evaluations = [
        {"decision": 1, "split": "validation", "loss": 3.0},
        {"decision": 2, "split": "validation", "loss": 2.5},
        {"decision": 2, "split": "test", "loss": 9.0},
    ]
    signs.push({"decisions": decisions, "evaluations": evaluations, "memory": memory})
    assert (signs.decision, signs.loss, signs.evaluated, signs.owners, signs.share) == (2, 2.5, 2, 3, 0.25)
    assert (signs.held, signs.saved) == (400, pytest.approx(1200))
    signs.push({"evaluations": []})
    assert signs.decision == 2


def test_another_run_has_nothing_of_the_one_before() -> None:
    signs = VitalSigns()
    signs.begin(layers=12, budget=200)
    signs.push({"decisions": [{"decision": 7, "owners": 3, "trainable_share": 0.3}]})
    signs.begin(layers=6, budget=0)
    assert (signs.decision, signs.owners, signs.share, signs.layers, signs.budget) == (0, None, None, 6, 0)
    signs.reset({"decisions": [{"decision": 1, "owners": 6, "trainable_share": 1.0}]})
    assert (signs.decision, signs.owners, signs.layers) == (1, 6, 6)
