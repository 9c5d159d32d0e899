"""From replicates, as they are kept, to frames, verdicts and forecasts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layertie_lab.charts.comparisons import paired
from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import AnalysisError
from layertie_lab.core.tables import STUDY_COLUMNS
from layertie_lab.counterfactual import frames, judging
from layertie_lab.counterfactual.forecast import forecast_of
from layertie_lab.counterfactual.interim import GroupSequential
from layertie_lab.counterfactual.spec import StudySpec
from layertie_lab.counterfactual.study import Study
from layertie_lab.counterfactual.wording import sentence_of

PLAN = GroupSequential((4, 8), (0.02, 0.03))
STATED = StudySpec(
    statement="It matters.",
    decision=5,
    layer=2,
    step=16,
    proposed=0,
    answered=2,
    config_hash="abc",
    expected="better",
    horizon=20,
    plan=PLAN,
)
NOISE = np.random.default_rng(1).standard_normal(8)


def replicate(number: int, difference: float, error: float = 1e-5, windows: int = 512) -> dict[str, Any]:
    def branch(loss: float) -> dict[str, Any]:
        return {"losses": [3.0, 2.5, loss], "metrics": {"last": loss, "memory": 5.0}}

    return {
        "replicate": number,
        "marks": [0, 10, 20],
        "proposed": branch(2.0),
        "answered": branch(2.0 + difference),
        "windows": windows,
        "metric_errors": {"last": error},
        "seconds": 2.0,
    }


def replicates(count: int, mean: float = -0.05, spread: float = 1e-3, **options: Any) -> list[dict[str, Any]]:
    return [replicate(place + 1, mean + spread * float(NOISE[place]), **options) for place in range(count)]


DIVERGED = {"replicate": 3, "error": "In the branch as chosen (2): Expected a finite loss, but got nan."}


@pytest.mark.parametrize("count", range(5))
def test_before_the_first_interim_analysis_there_is_no_verdict(count: int) -> None:
    found = judging.verdict_of(STATED, replicates(count))
    assert (found is None) == (count < 4)
    assert (found is not None and found.decided) == (count == 4)


def test_a_gap_ends_what_counts() -> None:
    some = replicates(8)
    assert len(judging.differences(STATED, some[:2] + some[3:])) == 2
    assert np.array_equal(judging.differences(STATED, some[::-1]), judging.differences(STATED, some))


def test_the_evaluations_own_error_is_named_where_it_is_large() -> None:
    quiet = judging.verdict_of(STATED, replicates(4))
    loud = judging.verdict_of(STATED, replicates(4, error=0.01))
    short = judging.verdict_of(STATED, replicates(4, error=0.01, windows=100))
    assert quiet is not None
    assert loud is not None
    assert short is not None
    (said,) = set(loud.warnings) - set(quiet.warnings)
    assert "own error" in said
    assert "state the next one with" in said
    assert any("no more than these 100" in warning for warning in short.warnings)
    assert judging.evaluation_error(STATED, []) is None


def test_a_branch_that_diverged_refuses_the_verdict_by_name() -> None:
    some = [*replicates(2), DIVERGED]
    with pytest.raises(AnalysisError, match="replicate 3 ended: In the branch as chosen"):
        judging.verdict_of(STATED, some)
    assert "replicate 3" in judging.refusal_of(STATED, some)
    assert judging.refusal_of(STATED, replicates(2)) == ""
    # What was drawn before it stays.
    assert frames.curves_frame(some).height == 2 * 2 * 3


def test_a_metric_that_was_not_measured() -> None:
    with pytest.raises(AnalysisError, match="Expected the metric perplexity"):
        judging.differences(STATED, replicates(2), "perplexity")
    assert judging.differences(STATED, replicates(2), "memory").tolist() == [0.0, 0.0]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_frames_have_the_columns_that_charts_read(count: int) -> None:
    tables = frames.tables_of(STATED, replicates(count))
    assert {name: frame.columns for name, frame in tables.items()} == STUDY_COLUMNS
    assert {name: frame.height for name, frame in tables.items()} == {
        "twin_curves": 6 * count,
        "twin_differences": 3 * count,
        "twin_curve": 3 * (count > 0),
        "twin_values": count,
        "twin_looks": int(count >= 4),
    }


def test_the_chart_of_both_futures_knows_both_by_their_names() -> None:
    curves = frames.curves_frame(replicates(2))
    assert curves["branch"].unique(maintain_order=True).to_list() == paired.BRANCHES
    chosen = curves.filter(branch=paired.BRANCHES[1], replicate=1)["loss"]
    assert chosen[-1] == replicates(1)[0]["answered"]["losses"][-1]


def test_the_mean_curve_has_an_interval_where_there_is_spread() -> None:
    curve = frames.difference_curve(replicates(5))
    assert curve["low"].is_null().to_list() == [True, True, False]
    last = curve.row(2, named=True)
    assert last["low"] < last["value"] < last["high"]
    assert last["value"] == pytest.approx(judging.differences(STATED, replicates(5)).mean())
    assert frames.values_frame(STATED, replicates(5))["mean"][-1] == pytest.approx(last["value"])


class Kept(Study):
    """A study whose replicates are made up."""

    def __init__(self, name: str, spec: StudySpec, found: list[dict[str, Any]]) -> None:
        super().__init__(Path("run/studies") / name, spec.to_dict(), RunConfig(), "2026-01-01T00:00:00+00:00")
        self._found = found

    def replicates(self) -> list[dict[str, Any]]:
        return self._found


def test_stated_hypotheses_are_corrected_together_also_for_those_still_open() -> None:
    alone = Kept("study-001", STATED, replicates(8, mean=-0.004, spread=2e-4))
    others = [
        Kept("study-002", STATED, replicates(2)),
        Kept("study-003", STATED, [DIVERGED | {"replicate": 1}]),
        Kept("study-004", replace(STATED, primary=False), []),
    ]
    one, all_of_them = judging.verdicts_of_run([alone]), judging.verdicts_of_run([alone, *others])
    assert [all_of_them[study.name] for study in others] == [None] * 3
    first, corrected = one["study-001"], all_of_them["study-001"]
    assert first is not None
    assert corrected is not None
    # The two that are open and stated count, the exploratory one does not.
    assert (first.family, corrected.family) == (1, 3)
    assert "Exploratory" not in sentence_of(corrected)


def test_a_pilot_forecasts_what_a_study_would_see() -> None:
    expected = forecast_of(STATED, replicates(4), PLAN)
    assert expected is not None
    assert expected.sentence
    assert forecast_of(STATED, replicates(4, spread=0.0), PLAN) is None
    with pytest.raises(AnalysisError):
        forecast_of(STATED, replicates(1), PLAN)
    with pytest.raises(AnalysisError, match="replicate 3"):
        forecast_of(STATED, [*replicates(2), DIVERGED], PLAN)
