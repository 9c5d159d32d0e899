"""One perplexity, infinity shown as such, and what JSON can hold."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path

import pytest

from layertie_lab.core.measures import DIVERGED, Evaluation, has_diverged, in_words, perplexity

PACKAGE = Path(__file__).parents[2] / "layertie_lab"


def test_perplexity_is_the_exponential() -> None:
    assert perplexity(0.0) == 1.0
    assert perplexity(79.0) == math.exp(79.0)
    assert perplexity(81.0) == math.exp(81.0)
    assert perplexity(1e4) == math.inf
    assert Evaluation(1e4, 0.0, 1).perplexity == math.inf


def test_no_other_place_caps_a_loss() -> None:
    capped = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "exp":
                inner = node.args[0] if node.args else None
                if isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "min":
                    capped.append(str(path))
    assert not capped


@pytest.mark.parametrize("loss", [math.nan, math.inf, DIVERGED * 1.001])
def test_what_is_no_loss_has_diverged(loss: float) -> None:
    assert has_diverged(loss)
    assert not has_diverged(DIVERGED)


def test_what_is_not_finite_is_said_in_json() -> None:
    values = {"a": math.inf, "b": [-math.inf, {"c": math.nan}, (1.5, None, True, "x")]}
    assert json.loads(json.dumps(in_words(values), allow_nan=False)) == {
        "a": "Infinity",
        "b": ["-Infinity", {"c": "NaN"}, [1.5, None, True, "x"]],
    }
