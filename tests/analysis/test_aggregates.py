"""Aggregates over runs: known values, pairing by seed, strata, and no estimate without its interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from layertie_lab.analysis.statistics import aggregates
from layertie_lab.analysis.statistics.aggregates import (
    ALL,
    aggregate,
    caution,
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
    profiles,
)
from layertie_lab.core.errors import AnalysisError

Losses = dict[tuple[str, str], list[float]]


def results(losses: Losses, **changes: Any) -> pl.DataFrame:
    """Finished runs of (setting, policy), with seeds 1, 2, ... in order."""
    rows = [
        {
            "run": f"{policy}-{setting}-seed{seed}",
            "status": "finished",
            "policy": policy,
            "algorithm": "lab",
            "setting": setting,
            "seed": seed,
            "replicate": 0,
            "validation_loss": loss,
            "owners": 1 + seed,
            "blocks": seed,
            "trainable_parameters": 100 * seed,
        }
        | changes
        for (setting, policy), values in losses.items()
        for seed, loss in enumerate(values, start=1)
    ]
    return pl.DataFrame(rows)


def test_interquartile_mean_is_the_mean_of_the_middle_half() -> None:
    found = interquartile_mean([[1, 2, 3, 4], [5, 6, 7, 100]])
    assert found.value == pytest.approx(np.mean([3, 4, 5, 6]))
    assert found.low < found.value < found.high
    assert found.count == 8


def test_resampling_keeps_to_its_stratum() -> None:
    # Pooled resampling would mix the two levels and give an interval as wide as their distance.
    found = interquartile_mean([[0.0, 0.1, 0.0, 0.1], [10.0, 10.1, 10.0, 10.1]])
    assert found.high - found.low < 1.0


def test_probability_of_improvement_is_the_rank_statistic() -> None:
    draws = np.random.default_rng(1)
    ours, theirs = draws.normal(0.0, 1.0, 12), draws.normal(0.5, 1.0, 9)
    found = probability_of_improvement([ours], [theirs])
    statistic = stats.mannwhitneyu(theirs, ours).statistic
    assert found.value == pytest.approx(statistic / (12 * 9))
    assert found.low < found.value < found.high
    assert probability_of_improvement([[1.0, 1.0]], [[1.0, 1.0]]).value == 0.5
    assert probability_of_improvement([[1.0, 2.0], [5.0, 6.0]], [[3.0, 4.0], [3.0, 4.0]]).value == 0.5


def test_performance_profile_is_the_share_below() -> None:
    found = performance_profile([[1.0, 2.0], [1.0, 3.0]], [0.5, 1.0, 2.5, 3.0])
    np.testing.assert_allclose(found.value, [0.0, 0.5, 0.75, 1.0])
    np.testing.assert_allclose([found.low[0], found.high[0], found.low[-1], found.high[-1]], [0, 0, 1, 1])
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: interquartile_mean([[1.0]]), "at least 2 runs"),
        (lambda: interquartile_mean([[1.0, np.nan]]), "finite"),
        (lambda: probability_of_improvement([[1.0, 2.0]], []), "same settings"),
        (lambda: aggregate(results({("", "lab"): [1.0, 2.0]}, status="stopped")), "at least one finished run"),
        (lambda: aggregate(results({("", "lab"): [1.0, 2.0]}).drop("seed")), "seed are missing"),
        (lambda: profiles(results({("a", "lab"): [1.0, 2.0], ("b", "lab"): [1.0, 2.0]})), "in every setting"),
    ],
)
def test_refusals(call: Any, words: str) -> None:
    with pytest.raises(AnalysisError, match=words):
        call()


def test_differences_are_paired_by_seed() -> None:
    base = [1.0, 5.0, 9.0, 3.0]
    ours = [loss + gain for loss, gain in zip(base, [0.1, 0.2, 0.1, 0.2], strict=True)]
    frame = results({("", "independent"): base, ("", "lab"): ours})
    # The order of the rows says nothing about which seed they are.
    frame = frame.sample(fraction=1.0, shuffle=True, seed=3)
    rows = {row["policy"]: row for row in aggregate(frame).to_dicts()}
    expected = stats.ttest_rel(ours, base).confidence_interval()
    assert rows["lab"]["difference"] == pytest.approx(0.15)
    assert (rows["lab"]["difference_low"], rows["lab"]["difference_high"]) == pytest.approx(expected)
    assert rows["lab"]["pairs"] == rows["lab"]["seeds"] == 4
    assert rows["independent"]["difference"] is None
    assert [rows["lab"][f"{name}_{end}"] for name in ("owners", "blocks") for end in ("low", "high")] == [2, 5, 1, 4]
    assert (rows["lab"]["parameters_low"], rows["lab"]["parameters_high"]) == (100, 400)


def test_only_seeds_that_both_have_are_paired() -> None:
    frame = results({("", "independent"): [1.0, 2.0, 3.0], ("", "lab"): [1.5, 2.5, 9.0]})
    frame = frame.filter(~((pl.col("policy") == "independent") & (pl.col("seed") == 3)))
    row = aggregate(frame).filter(policy="lab").to_dicts()[0]
    assert (row["pairs"], row["seeds"], row["difference"]) == (2, 3, pytest.approx(0.5))


def test_no_estimate_without_an_interval() -> None:
    frame = aggregate(results({("", "independent"): [1.0], ("", "lab"): [2.0]}))
    for name in ("iqm", "difference", "improvement"):
        assert frame[name].null_count() == frame[f"{name}_low"].null_count() == 2
    assert "1 seed finished per policy" in caution(frame)
    assert "no estimate" in caution(frame)


def test_the_number_of_seeds_is_always_said_and_few_are_called_few() -> None:
    few = aggregate(results({("", "lab"): [1.0, 2.0, 3.0]}))
    assert "3 seeds" in caution(few)
    assert "too narrow" in caution(few)
    many = aggregate(results({("", "lab"): list(range(11))}))
    assert "11 seeds" in caution(many)
    assert "too narrow" not in caution(many)


def test_unfinished_runs_are_counted_and_left_out() -> None:
    left = results({("", "lab"): [50.0], ("", "cycle"): [50.0, 50.0]}, status="stopped")
    found = aggregate(pl.concat([results({("", "lab"): [1.0, 2.0, 1.5]}), left]))
    assert found.select("policy", "seeds", "unfinished").rows() == [("lab", 3, 1), ("cycle", 0, 2)]
    assert found["iqm"][0] < 2
    assert found["iqm"][1] is None
    assert "0 to 3 seeds" in caution(found)
    assert "3 planned runs are not finished" in caution(found)
    assert "error" not in caution(found)


def test_runs_that_an_error_ended_are_counted_by_policy() -> None:
    failed = results({("", "lab"): [9.0], ("", "cycle"): [9.0]}, status="failed")
    diverged = results({("", "cycle"): [9.0]}, status="diverged")
    found = aggregate(pl.concat([results({("", "lab"): [1.0, 2.0, 1.5]}), failed, diverged]))
    assert found.select("policy", "unfinished", "failed").rows() == [("lab", 1, 1), ("cycle", 2, 2)]
    assert "an error ended some, such as a loss that is not finite: lab 1, cycle 2" in caution(found)


def test_what_the_bootstrap_cannot_vary_has_no_interval() -> None:
    found = aggregate(results({("", "independent"): [1.0, 1.1, 1.2], ("", "lab"): [2.0, 2.1, 2.2]}))
    lab = found.filter(policy="lab").to_dicts()[0]
    assert (lab["improvement"], lab["improvement_low"], lab["improvement_high"]) == (0.0, None, None)
    two = aggregate(results({("", "independent"): [1.0, 1.1], ("", "lab"): [2.0, 2.3]})).filter(policy="lab")
    assert (two["iqm"][0], two["improvement"][0]) == (None, None)
    assert two["difference_low"][0] < two["difference"][0] < two["difference_high"][0]


def test_settings_are_compared_apart_and_together() -> None:
    losses = {
        ("a", "independent"): [1.0, 1.2, 1.1],
        ("a", "lab"): [1.1, 1.4, 1.2],
        ("b", "independent"): [7.0, 7.2, 7.4],
        ("b", "lab"): [6.8, 7.2, 7.0],
    }
    found = aggregate(results(losses))
    assert found["setting"].to_list() == ["a", "a", "b", "b", ALL, ALL]
    assert found.filter(setting="b")["policy"].to_list() == ["lab", "independent"]
    both = found.filter(setting=ALL, policy="lab").to_dicts()[0]
    assert both["iqm"] is None
    # Settings are averaged within a seed first: seeds are the independent units.
    per_seed = np.mean([[0.1, 0.2, 0.1], [-0.2, 0.0, -0.4]], axis=0)
    assert both["pairs"] == 3
    expected = stats.ttest_1samp(per_seed, 0.0).confidence_interval()
    assert (both["difference_low"], both["difference_high"]) == pytest.approx(expected)
    profile = profiles(results(losses), points=10)
    assert profile["threshold"].min() < 0 < profile["threshold"].max()
    assert profile.columns == list(aggregates.PROFILE)
    assert found.columns == list(aggregates.AGGREGATES)


def test_the_same_runs_give_the_same_intervals() -> None:
    frame = results({("", "independent"): [1.0, 2.0, 4.0], ("", "lab"): [1.5, 2.5, 3.0]})
    assert aggregate(frame).equals(aggregate(frame))
