"""The pictures of each view's answer: which there are, what they are called, how they are read, and their rows."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from typing import Any

import altair as alt
import polars as pl
import pytest
from drawn_marks import marks, words
from hand_made_answers import ANSWERS, OWNERS, attribution, costs, evidence, inputs, similarity
from jsonschema.exceptions import ValidationError

from layertie_lab.analysis.attribution import attention, tie_costs, tie_evidence
from layertie_lab.analysis.attribution import logit_lens as lens
from layertie_lab.analysis.attribution import rows as attribution_rows
from layertie_lab.analysis.memory.ledger import SCHEMA as LEDGER
from layertie_lab.analysis.similarity.layer_similarity import SCHEMA as SIMILARITY
from layertie_lab.analysis.similarity.profile import SCHEMA as PROFILE
from layertie_lab.analysis.similarity.registry import SIMILARITIES
from layertie_lab.analysis.similarity.spectra import SIMILARITY as WEIGHTS
from layertie_lab.analysis.similarity.spectra import SPECTRA
from layertie_lab.analysis.statistics import calibration, precedents
from layertie_lab.charts import CAPTIONS
from layertie_lab.charts.palette import owner_colour
from layertie_lab.inspection.answer import pictures
from layertie_lab.inspection.views.registry import VIEWS

EXPECTED: dict[str, dict[str, str]] = {
    "similarity": {"What passes the layers (CKA)": "similarity", "Their weights (cosine)": "similarity"},
    "weights": {"Weights of qkv (cosine)": "weights", "Weights of up (cosine)": "weights"},
    "profile": {
        "How much each layer adds": "update_profile",
        "Which way it points": "update_profile",
        "How long the stream is": "update_profile",
        "Singular values of qkv": "spectra",
        "Singular values of up": "spectra",
    },
    "attribution": {"Loss without the layer": "attribution", "Conductance of the layer": "attribution"},
    "costs": {
        "What every change of a tie would cost now": "costs",
        "Does the agent know? Its values against the cost of tying": "value_against_cost",
        "CKA against the cost of tying": "similarity_against_cost",
    },
    "memory": {"Three tie maps side by side": "memory_of_maps", "Which layer holds it": "memory_by_layer"},
    "reasons": {
        "If one tie were different": "ablation",
        "What its inputs give to the proposal": "inputs_integrated-gradients",
        "Its value then and since": "value_since",
        "The nearest past decisions about this layer": "precedents",
        "Are its values right?": "calibration",
    },
    "sample": {},
    "tokens": {"If the model stopped after a layer": "lens", "How widely each head looks": "entropy"},
    "token": {
        "Loss of the token after each layer": "lens_of_token",
        "What it would say after each layer": "lens_tokens",
        "Where its layers look": "attention",
        "Loss without the layer": "attribution_of_token",
    },
}
"""View -> title -> name of the caption."""
DRAWN = [view for view in EXPECTED if EXPECTED[view]]


@cache
def made_of(view: str) -> dict[str, dict[str, Any]]:
    """The pictures of the answer made by hand; not to be changed."""
    return pictures(ANSWERS[view])


def changed(view: str, **frames: Any) -> dict[str, Any]:
    """The answer with other frames; None leaves one out."""
    answer = deepcopy(ANSWERS[view])
    answer["frames"] = {name: rows for name, rows in (answer["frames"] | frames).items() if rows is not None}
    return answer


def test_every_view_is_known_here() -> None:
    assert EXPECTED.keys() == ANSWERS.keys() == set(VIEWS.names)


def test_the_answers_made_by_hand_have_the_columns_of_analysis() -> None:
    frames = {(view, name): rows for view, answer in ANSWERS.items() for name, rows in answer["frames"].items()}
    for place, schema in {
        ("similarity", "similarity"): SIMILARITY,
        ("profile", "profile"): PROFILE,
        ("profile", "spectra"): SPECTRA,
        ("weights", "weights"): WEIGHTS,
        ("attribution", "attribution"): attribution_rows.SCHEMA,
        ("costs", "costs"): {**tie_costs.SCHEMA, "q_value": pl.Float64},
        ("costs", "correlations"): tie_evidence.CORRELATIONS,
        ("memory", "memory"): LEDGER,
        ("reasons", "precedents"): precedents.SCHEMA,
        ("reasons", "calibration"): calibration.SCHEMA,
        ("tokens", "lens"): lens.SCHEMA,
        ("tokens", "entropy"): attention.ENTROPY_SCHEMA,
        ("token", "lens"): lens.TOKEN_SCHEMA,
        ("token", "attention"): attention.MAP_SCHEMA,
        ("token", "attribution"): attribution_rows.SCHEMA,
    }.items():
        assert set(frames[place][0]) == set(schema), place


@pytest.mark.parametrize("view", EXPECTED)
def test_titles_and_captions_are_those_of_the_view(view: str) -> None:
    made = made_of(view)
    # What the values of a method mean stands before how its picture is read.
    assert all(made[title]["usermeta"]["caption"].endswith(CAPTIONS[name]) for title, name in EXPECTED[view].items())
    assert list(made) == list(EXPECTED[view])


@pytest.mark.parametrize("view", DRAWN)
def test_a_picture_is_valid_json_fills_its_container_and_draws_marks(view: str) -> None:
    for title, spec in made_of(view).items():
        # The package leaves the check against Vega-Lite's schema to this test.
        assert isinstance(alt.Chart.from_dict(spec), alt.LayerChart), title
        assert spec["width"] == "container", title
        assert spec["autosize"] == {"type": "fit-x", "contains": "padding"}, title
        json.dumps(spec, allow_nan=False)
        assert len(marks(spec)) >= 4, title
        assert len(words(spec)) > 5, title


def test_the_check_against_the_schema_can_fail() -> None:
    spec = deepcopy(next(iter(made_of("costs").values())))
    spec["layer"][0]["encoding"]["x"]["axis"]["labelAngle"] = "upright"
    with pytest.raises(ValidationError, match="upright"):
        alt.Chart.from_dict(spec)


def test_answers_that_came_through_json_are_the_same() -> None:
    for view, answer in ANSWERS.items():
        again = json.loads(json.dumps(answer))
        assert pictures(again) == made_of(view)


def test_the_cells_of_a_picture_are_the_rows_of_the_answer() -> None:
    made = made_of("costs")["What every change of a tie would cost now"]
    drawn = {
        (mark.number("layer"), mark.number("action")): mark.number("change of the loss")
        for mark in marks(made)
        if mark.kind == "rect" and mark.fill
    }
    assert drawn == {(row["layer"], row["answer"]): pytest.approx(row["change"], abs=5e-5) for row in costs()}


def test_each_method_has_a_picture_of_its_own_rows() -> None:
    rows = similarity("cka") + [row | {"value": 0.12} for row in similarity("updates")]
    made = pictures(changed("similarity", similarity=rows))
    assert list(made) == ["What passes the layers (CKA)", "What the layers add (cosine of updates)"]
    texts = [{mark.text for mark in marks(spec) if mark.kind == "text"} for spec in made.values()]
    assert texts == [{"1.00", "0.80", "0.60", "0.40"}, {"0.12"}]
    unknown = pictures(changed("attribution", attribution=attribution("a new one")))
    assert list(unknown) == ["a new one"]


def test_another_model_has_its_own_axis_and_caption() -> None:
    answer = changed("similarity", similarity=similarity("cka", columns=2))
    answer["facts"] |= {"other": "run b after decision 9", "other_layers": 2}
    (spec,) = pictures(answer).values()
    assert spec["usermeta"]["caption"] == f"{SIMILARITIES.describe('cka').meaning} {CAPTIONS['similarity_of_models']}"
    assert {"layer of this run (0 = first)", "layer of the other (0 = first)"} <= set(words(spec))


def test_only_ties_that_change_something_are_held_against_their_cost() -> None:
    made = made_of("costs")
    for title, method in (
        ("CKA against the cost of tying", "cka"),
        ("Does the agent know? Its values against the cost of tying", "agent"),
    ):
        dots = [mark for mark in marks(made[title]) if mark.kind == "point"]
        rows = [row for row in evidence() if row["method"] == method and row["counts"]]
        assert {dot.fields["layer \u2192 layer it would copy"]: dot.number("change of the loss") for dot in dots} == {
            f"{row['layer']} \u2192 {row['answer']}": pytest.approx(row["change"], abs=5e-5) for row in rows
        }
        assert sorted(dot.fill for dot in dots) == sorted(owner_colour(row["owner"]) for row in rows)
    said = words(made["CKA against the cost of tying"])
    assert "rank correlation \u22120.61 [\u22120.93, \u22120.29], p 0.002" in said


@pytest.mark.parametrize(
    ("view", "frames", "left"),
    [
        ("costs", {"evidence": None, "correlations": None}, ["What every change of a tie would cost now"]),
        (
            "reasons",
            {"since": None, "ablation": [], "inputs": [], "calibration": []},
            ["The nearest past decisions about this layer"],
        ),
        ("reasons", {"since": [], "ablation": [], "inputs": [], "calibration": [], "precedents": []}, []),
        ("tokens", {"lens": None, "entropy": None}, []),
        ("tokens", {"entropy": None}, ["If the model stopped after a layer"]),
    ],
)
def test_what_an_answer_lacks_has_no_picture(view: str, frames: dict[str, Any], left: list[str]) -> None:
    assert list(pictures(changed(view, **frames))) == left


def test_costs_without_an_agent_that_has_values_leave_its_picture_out() -> None:
    rows = [row for row in evidence() if row["method"] != "agent"]
    assert list(pictures(changed("costs", evidence=rows))) == [
        "What every change of a tie would cost now",
        "CKA against the cost of tying",
    ]


def test_a_tokens_attribution_has_bars_and_no_interval() -> None:
    answer = changed("attribution", attribution=attribution("conductance", token=True))
    (spec,) = pictures(answer).values()
    assert any("one token" in text for text in words(spec))
    bars = [mark for mark in marks(spec) if mark.kind == "bar"]
    assert [bar.fill for bar in bars] == [owner_colour(owner) for owner in OWNERS]
    assert not [mark for mark in marks(spec) if mark.kind == "rule" and "high" in mark.fields]


def test_a_decision_that_nothing_has_come_of_yet_has_its_value_since_without_a_line() -> None:
    answer = deepcopy(ANSWERS["reasons"])
    lines = []
    for came in ({"realised": 0.3}, {"realised": None}, None):
        answer["facts"]["came"] = came
        spec = pictures(answer)["Its value then and since"]
        lines.append([mark.number("realised") for mark in marks(spec) if "realised" in mark.fields])
    assert lines == [[0.3], [], []]


def test_each_measure_and_matrix_has_its_own_rows() -> None:
    made = made_of("profile")
    assert "cosine of update" in words(made["Which way it points"])
    assert "norm of stream" in words(made["How long the stream is"])
    for tensor in ("qkv", "up"):
        spec = made[f"Singular values of {tensor}"]
        assert f"of {tensor}" in words(spec)
        dots = {mark.fields["layers that use it"] for mark in marks(spec) if mark.kind == "point"}
        assert dots == {"0, 2", "1, 3"}


def test_without_agreement_the_calibration_says_so() -> None:
    answer = deepcopy(ANSWERS["reasons"])
    del answer["facts"]["agreement"]
    made = pictures(answer)
    assert "too few decisions" in " ".join(words(made["Are its values right?"]))


def test_the_shares_are_of_the_proposed_answer() -> None:
    for choice, share in ((0, 0.3), (1, -0.1)):
        answer = deepcopy(ANSWERS["reasons"])
        answer["facts"]["proposal"]["choice"] = choice
        spec = pictures(answer)["What its inputs give to the proposal"]
        bars = {mark.fields["input"]: mark.number("share") for mark in marks(spec) if mark.kind == "bar"}
        assert bars["source of layer 2"] == share


def test_exact_contributions_are_read_otherwise_than_gradients() -> None:
    rows = [row | {"method": "contribution", "completeness_error": 0.0} for row in inputs()]
    made = pictures(changed("reasons", inputs=rows))
    spec = made["What its inputs give to the proposal"]
    assert spec["usermeta"]["caption"] == CAPTIONS["inputs_contribution"]
    assert "in all +0.32" in words(spec)
