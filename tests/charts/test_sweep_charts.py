"""Charts of a sweep: frames in, drawn without a warning, words where there is nothing."""

from __future__ import annotations

import json

import polars as pl
import pytest
import vl_convert

from layertie_lab import charts
from layertie_lab.analysis.statistics.aggregates import AGGREGATES, PROFILE, aggregate, profiles
from layertie_lab.core.errors import AnalysisError

POLICIES = ("lab", "independent", "all-tied")


@pytest.fixture(scope="module")
def results() -> pl.DataFrame:
    rows = [
        {
            "run": f"{policy}-seed{seed}",
            "status": "finished",
            "policy": policy,
            "algorithm": "lab",
            "setting": "",
            "seed": seed,
            "replicate": 0,
            "validation_loss": 2.0 + 0.1 * place + 0.01 * seed * (place + 1),
            "owners": 1 + place,
            "blocks": 1 + place,
            "trainable_parameters": 900 * 3**place,
        }
        for place, policy in enumerate(POLICIES)
        for seed in (1, 2, 3)
    ]
    return pl.DataFrame(rows)


def drawn(chart: object) -> str:
    return vl_convert.vegalite_to_svg(chart.to_dict())


@pytest.mark.parametrize("dark", [False, True])
def test_all_in_one_figure(results: pl.DataFrame, dark: bool) -> None:
    parts = [
        charts.policy_intervals(results, aggregate(results), dark=dark),
        charts.profile_chart(profiles(results, points=12), dark=dark),
        charts.parameters_against_loss(results, dark=dark),
    ]
    for part in parts:
        assert "policy" in json.dumps(part.to_dict())
    figure = drawn(charts.sweep_chart(parts, dark=dark))
    assert all(figure.count(policy) >= 3 for policy in POLICIES)
    assert "3 seeds" in figure
    assert "counted once per storage" in figure


def test_policies_stand_in_the_order_of_the_aggregates(results: pl.DataFrame) -> None:
    spec = charts.policy_intervals(results, aggregate(results)).to_dict()
    assert spec["hconcat"][0]["layer"][0]["encoding"]["y"]["sort"] == ["lab", "independent", "all-tied"]


def test_the_reference_is_drawn_in_every_profile(results: pl.DataFrame) -> None:
    spec = charts.profile_chart(profiles(results, points=5)).to_dict()
    values = spec["datasets"].popitem()[1] if "datasets" in spec else spec["data"]["values"]
    assert {row["policy"] for row in values} == set(POLICIES)
    assert all(row["reference"] is not None for row in values)


def test_words_where_there_is_nothing(results: pl.DataFrame) -> None:
    none = results.clear()
    empty = pl.DataFrame(schema={name: kind for name, (kind, _) in AGGREGATES.items()})
    assert "No run is finished yet" in drawn(charts.policy_intervals(none, empty))
    no_profile = pl.DataFrame(schema={name: kind for name, (kind, _) in PROFILE.items()})
    assert "two finished runs" in drawn(charts.profile_chart(no_profile))
    assert "No run is finished yet" in drawn(charts.parameters_against_loss(none))


def test_one_seed_has_dots_and_no_interval(results: pl.DataFrame) -> None:
    single = results.filter(seed=1)
    assert "lab" in drawn(charts.policy_intervals(single, aggregate(single)))


def test_a_missing_column_is_named(results: pl.DataFrame) -> None:
    with pytest.raises(AnalysisError, match="trainable_parameters"):
        charts.parameters_against_loss(results.drop("trainable_parameters"))
