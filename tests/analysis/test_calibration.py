"""Predicted and realised, against loops; their rank correlation against scipy; its interval against known truths."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

from layertie_lab.analysis.statistics import calibration
from layertie_lab.analysis.statistics.calibration import (
    LEAST,
    SCHEMA,
    predicted_and_realised,
    rank_agreement,
    within_episodes,
)
from layertie_lab.core.errors import AnalysisError


def decided(rewards: np.ndarray | list[float], layers: int = 5, seed: int = 0) -> pl.DataFrame:
    """A table of decisions with these rewards; every sixth has no value."""
    draw = np.random.default_rng(seed)
    rows = []
    for decision, reward in enumerate(rewards, start=1):
        layer = (decision - 1) % (layers - 1) + 1
        rows.append(
            (
                decision,
                layer,
                int(draw.integers(layer + 1)),
                int(draw.integers(layer + 1)),
                "human" if decision % 4 == 0 else "agent",
                None if decision % 6 == 0 else float(draw.normal()),
                float(reward),
            )
        )
    names = ("decision", "layer", "present", "choice", "by", "q_choice", "reward")
    types = (pl.Int64, pl.Int64, pl.Int64, pl.Int64, pl.String, pl.Float64, pl.Float64)
    return pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")


def pairs(predicted: np.ndarray, realised: np.ndarray) -> pl.DataFrame:
    """A frame of which every row counts."""
    return pl.DataFrame({"predicted": predicted, "realised": realised}).with_columns(
        kept=pl.lit(False), truncated=pl.lit(False)
    )


def normal_pairs(count: int, correlation: float, draw: np.random.Generator, memory: float = 0.0) -> np.ndarray:
    """[count, 2] standard normal, correlated; each remembers a share of the one before."""
    fresh = draw.standard_normal((count + 60, 2))
    fresh[:, 1] = correlation * fresh[:, 0] + math.sqrt(1 - correlation**2) * fresh[:, 1]
    for at in range(1, len(fresh)):
        fresh[at] = memory * fresh[at - 1] + math.sqrt(1 - memory**2) * fresh[at]
    return fresh[60:]


def true_rank_correlation(correlation: float) -> float:
    """Spearman's of normal pairs (Pearson 1907)."""
    return 6 / math.pi * math.asin(correlation / 2)


# What came of each decision


@pytest.mark.parametrize("discount", [0.0, 0.3, 0.9, 0.99])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_returns_are_sums_of_discounted_rewards(discount: float, count: int) -> None:
    rewards = np.random.default_rng(1).normal(size=count)
    table = decided(rewards)
    found = predicted_and_realised(table, discount=discount, changes=False, level=True, layers=5)
    assert found.schema == pl.Schema(SCHEMA)
    assert found["decision"].to_list() == [d for d in range(1, count + 1) if d % 6]
    for row in found.to_dicts():
        expected = sum(
            discount ** (later - row["decision"]) * rewards[later - 1] for later in range(row["decision"], count + 1)
        )
        assert row["realised"] == pytest.approx(expected, abs=1e-12)
        if discount == 0:
            assert row["realised"] == rewards[row["decision"] - 1]


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.9, 0.95])
def test_a_return_is_truncated_while_what_is_missing_weighs_a_twentieth(discount: float) -> None:
    found = predicted_and_realised(decided(np.ones(80)), discount=discount, changes=False, level=True, layers=5)
    weights = discount ** np.arange(3000.0)
    for decision, truncated in found.select("decision", "truncated").rows():
        missing = weights[80 - decision + 1 :].sum() / weights.sum()
        assert truncated == (missing > 0.05)
    assert found["truncated"].any() == (discount > 0)
    assert not found["truncated"][0]


def test_with_the_papers_discount_returns_are_known_from_300_decisions_on() -> None:
    for count, known in ((298, 0), (299, 1), (400, 102)):
        found = predicted_and_realised(
            decided(np.ones(count)).with_columns(q_choice=pl.lit(1.0)),
            discount=0.99,
            changes=False,
            level=True,
            layers=5,
        )
        assert (~found["truncated"]).sum() == known


@pytest.mark.parametrize("level", [False, True])
@pytest.mark.parametrize("layers", [2, 3, 5, 8])
def test_changes_are_rewards_above_those_of_the_pass_around(level: bool, layers: int) -> None:
    rewards = np.random.default_rng(2).normal(size=45)
    found = predicted_and_realised(decided(rewards, layers), discount=0.9, changes=True, level=level, layers=layers)
    gained = [r - (rewards[max(0, at - 1)] if level else 0.0) for at, r in enumerate(rewards)]
    half = max(1, (layers - 1) // 2)
    for row in found.to_dicts():
        at = row["decision"] - 1
        around = [gained[other] for other in range(45) if abs(other - at) <= half]
        assert row["realised"] == pytest.approx(gained[at] - sum(around) / len(around), abs=1e-12)
        # Nothing is predicted yet in the first pass, and nothing is discounted.
        assert row["truncated"] == (row["decision"] <= layers - 1)


def test_what_training_brings_anyway_is_not_what_came_of_a_decision() -> None:
    rewards, decision = np.random.default_rng(3).normal(size=60), np.arange(60)
    asked = dict(discount=0.0, changes=True, layers=5)
    plain = predicted_and_realised(decided(rewards), level=False, **asked)["realised"]
    more = predicted_and_realised(decided(rewards + 7.0), level=False, **asked)["realised"]
    assert more.to_list() == pytest.approx(plain.to_list(), abs=1e-12)
    falling = predicted_and_realised(decided(rewards - 0.2 * decision), level=False, **asked)
    inside = falling["decision"].is_between(3, 58)
    assert falling["realised"].filter(inside).to_list() == pytest.approx(plain.filter(inside).to_list(), abs=1e-12)
    level = predicted_and_realised(decided(rewards.cumsum()), level=True, **asked)
    steeper = predicted_and_realised(decided((rewards + 7).cumsum()), level=True, **asked)
    later = level["decision"] > 3
    assert steeper["realised"].filter(later).to_list() == pytest.approx(level["realised"].filter(later).to_list())
    assert level["realised"].filter(later).to_list() == pytest.approx(plain.filter(later).to_list())


@pytest.mark.parametrize("changes", [False, True])
def test_answers_that_kept_the_tie_are_marked_and_the_rest_is_the_log(changes: bool) -> None:
    table = decided(np.arange(50.0))
    found = predicted_and_realised(table, discount=0.5, changes=changes, level=False, layers=5)
    logged = {row["decision"]: row for row in table.to_dicts()}
    for row in found.to_dicts():
        mine = logged[row["decision"]]
        assert row["kept"] == (mine["choice"] == mine["present"])
        assert (row["layer"], row["choice"], row["by"]) == (mine["layer"], mine["choice"], mine["by"])
        assert row["predicted"] == mine["q_choice"]
    assert 5 < found["kept"].sum() < found.height - 5


@pytest.mark.parametrize("changes", [False, True])
def test_a_run_without_decisions_or_without_values_has_no_rows(changes: bool) -> None:
    asked = dict(discount=0.5, changes=changes, level=True, layers=5)
    for table in (decided([]), decided(np.ones(9)).with_columns(q_choice=pl.lit(None, pl.Float64))):
        found = predicted_and_realised(table, **asked)
        assert found.is_empty()
        assert found.schema == pl.Schema(SCHEMA)
        with pytest.raises(AnalysisError, match=f"at least {LEAST}"):
            rank_agreement(found)


# How far they agree


@pytest.mark.parametrize("rounded", [False, True])
def test_agreement_is_scipys_rank_correlation_of_what_counts(rounded: bool) -> None:
    draw = np.random.default_rng(4)
    z = normal_pairs(80, 0.4, draw)
    frame = pairs(*(z.round(0) if rounded else z).T).with_columns(
        kept=pl.Series(draw.random(80) < 0.3), truncated=pl.Series(np.arange(80) > 70)
    )
    counted = [row for row in frame.to_dicts() if not row["kept"] and not row["truncated"]]
    found = rank_agreement(frame)
    expected = stats.spearmanr([row["predicted"] for row in counted], [row["realised"] for row in counted])
    assert found["value"] == pytest.approx(expected.statistic, abs=1e-12)
    assert found["decisions"] == len(counted)
    assert 40 < len(counted) < 65
    # What is left out does not matter.
    noise = pl.when(pl.col("kept") | pl.col("truncated")).then(pl.col("realised") * -100).otherwise("realised")
    assert rank_agreement(frame.with_columns(realised=noise)) == found


@pytest.mark.parametrize("count", [10, 37])
def test_the_interval_is_that_of_blocks_drawn_again_and_handed_to_scipy(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "RESAMPLES", 200)
    z = normal_pairs(count, 0.5, np.random.default_rng(5), memory=0.4)
    length = {10: 2, 37: 3}[count]
    starts = np.random.default_rng(11).integers(0, count - length + 1, size=(200, math.ceil(count / length)))
    again = []
    for row in starts:
        picked = [start + step for start in row for step in range(length)][:count]
        again.append(stats.spearmanr(z[picked, 0], z[picked, 1]).statistic)
    expected = np.quantile(again, [0.05, 0.95])
    found = rank_agreement(pairs(*z.T), level=0.9, seed=11)
    assert [found["low"], found["high"]] == pytest.approx(expected, abs=1e-12)
    assert rank_agreement(pairs(*z.T), level=0.9, seed=11) == found
    assert rank_agreement(pairs(*z.T), level=0.9, seed=12) != found
    wide = rank_agreement(pairs(*z.T), level=0.99, seed=11)
    assert wide["low"] < found["low"] < found["high"] < wide["high"]
    monkeypatch.setattr(calibration, "_AT_ONCE", 60)
    assert rank_agreement(pairs(*z.T), level=0.9, seed=11) == pytest.approx(found, abs=1e-12)


def test_only_ranks_count_and_the_other_way_round_turns_the_sign() -> None:
    x, y = normal_pairs(50, 0.6, np.random.default_rng(6)).T
    found = rank_agreement(pairs(x, y))
    assert rank_agreement(pairs(np.exp(5 * x), y**3)) == pytest.approx(found, abs=1e-12)
    turned = rank_agreement(pairs(-x, y))
    assert [turned["value"], turned["low"], turned["high"]] == pytest.approx(
        [-found["value"], -found["high"], -found["low"]], abs=1e-12
    )


def coverage(count: int, correlation: float, memory: float, series: int) -> float:
    draw, truth, hits = np.random.default_rng(count), true_rank_correlation(correlation), 0
    for seed in range(series):
        found = rank_agreement(pairs(*normal_pairs(count, correlation, draw, memory).T), seed=seed)
        hits += found["low"] <= truth <= found["high"]
    return hits / series


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_the_interval_covers(correlation: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "RESAMPLES", 300)
    # 250 series: three standard errors of .95 are .04, and a percentile interval is a little narrow.
    assert 0.90 <= coverage(40, correlation, 0.0, series=250) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "correlation", "memory", "least"),
    [(10, 0.5, 0.0, 0.88), (20, 0.0, 0.0, 0.91), (100, 0.9, 0.0, 0.91), (20, 0.5, 0.5, 0.89), (100, 0.0, 0.8, 0.83)],
)
def test_the_interval_covers_as_often_as_is_told(
    count: int, correlation: float, memory: float, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "RESAMPLES", 500)
    assert least <= coverage(count, correlation, memory, series=500) <= 0.98


def test_decisions_that_remember_the_last_make_the_interval_wider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "RESAMPLES", 400)
    draw, ratios = np.random.default_rng(8), []
    for _ in range(30):
        z = normal_pairs(150, 0.0, draw, memory=0.8)
        whole, shuffled = (rank_agreement(pairs(*rows.T)) for rows in (z, draw.permutation(z)))
        ratios.append((whole["high"] - whole["low"]) / (shuffled["high"] - shuffled["low"]))
    assert np.mean(ratios) > 1.3


def test_an_agent_that_knows_nothing_agrees_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "RESAMPLES", 200)
    draw, decision, wrong = np.random.default_rng(9), np.arange(1, 101), 0
    for seed in range(200):
        # The loss falls along a curve; the values only grow, as an agent's do that takes noise for knowledge.
        rewards = 0.45 / decision**0.7 + 0.01 * draw.standard_normal(100)
        table = decided(rewards, 12, seed).with_columns(
            present=pl.col("choice") + 1, q_choice=pl.Series(-decision * np.abs(draw.standard_normal(100)))
        )
        found = rank_agreement(predicted_and_realised(table, discount=0, changes=True, level=False, layers=12))
        wrong += not found["low"] <= 0 <= found["high"]
    # Twice the .05 that it should be. With the first pass among them it was .14.
    assert wrong / 200 <= 0.10


def test_an_agent_that_knows_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "RESAMPLES", 300)
    draw, decision = np.random.default_rng(10), np.arange(1, 101)
    worth = 0.05 * draw.standard_normal(100)
    rewards = 0.45 / decision**0.7 + worth + 0.01 * draw.standard_normal(100)
    table = decided(rewards, 12).with_columns(present=pl.col("choice") + 1, q_choice=pl.Series(worth))
    found = rank_agreement(predicted_and_realised(table, discount=0, changes=True, level=False, layers=12))
    assert found["decisions"] == 89
    assert found["value"] > 0.85
    assert found["low"] > 0.7


def test_returns_agree_with_an_agent_that_knows_the_time_alone() -> None:
    draw, decision = np.random.default_rng(0), np.arange(1, 601)
    rewards = -(10 + 80 / np.sqrt(decision)) + draw.standard_normal(600)
    values = 5.0 * decision + 50 * draw.standard_normal(600)
    table = decided(rewards, 12).with_columns(present=pl.col("choice") + 1, q_choice=pl.Series(values))
    found = rank_agreement(predicted_and_realised(table, discount=0.99, changes=False, level=True, layers=12))
    # As the docstring says: of returns, agreement does not mean that answers are told apart.
    assert found["value"] > 0.98
    assert found["low"] <= found["value"] <= found["high"]


def test_ranks_that_agree_perfectly_have_no_width() -> None:
    found = rank_agreement(pairs(np.arange(12.0), np.arange(12.0) ** 2))
    assert [found["value"], found["low"], found["high"]] == pytest.approx([1.0, 1.0, 1.0], abs=1e-12)


@pytest.mark.parametrize("side", ["predicted", "realised"])
def test_where_one_side_never_varies_there_is_no_agreement(side: str) -> None:
    frame = pairs(np.arange(20.0), np.arange(20.0)).with_columns(pl.lit(0.1 + 0.2).alias(side))
    assert rank_agreement(frame) == {"value": None, "low": None, "high": None, "decisions": 20}


def test_where_one_side_varies_once_resamples_without_it_do_not_count() -> None:
    predicted = np.zeros(15)
    predicted[4] = 1.0
    found = rank_agreement(pairs(predicted, np.random.default_rng(0).normal(size=15)))
    assert -1 <= found["low"] < found["value"] < found["high"] <= 1


def test_too_few_decisions_are_refused_with_what_there_is() -> None:
    frame = pairs(*normal_pairs(LEAST + 3, 0.3, np.random.default_rng(0)).T)
    few = frame.with_columns(kept=pl.Series([True] * 4 + [False] * (LEAST - 1)))
    with pytest.raises(AnalysisError, match=f"at least {LEAST} .* but got {LEAST - 1} of {LEAST + 3}"):
        rank_agreement(few)
    with pytest.raises(AnalysisError, match="Let the run go on"):
        rank_agreement(frame.with_columns(truncated=pl.lit(True)))
    assert rank_agreement(frame.head(LEAST))["decisions"] == LEAST


def test_within_episodes_an_agent_that_knows_only_the_time_agrees_with_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibration, "RESAMPLES", 50)
    layers, values = 5, []
    for seed in range(20):
        draw = np.random.default_rng(seed)
        steps = np.arange(600)
        rewards = -3 * np.exp(-steps / 150) + 0.3 * draw.normal(size=len(steps))
        known = decided(rewards, layers, seed).with_columns(q_choice=pl.Series(-np.exp(-steps / 150)))
        frame = predicted_and_realised(known, discount=0.9, changes=False, level=True, layers=layers)
        values.append(rank_agreement(within_episodes(frame, layers))["value"])
    assert abs(float(np.mean(values))) < 0.1


def test_within_episodes_each_side_is_less_its_mean_over_the_pass_around() -> None:
    rewards = np.random.default_rng(3).normal(size=60)
    frame = predicted_and_realised(decided(rewards), discount=0.5, changes=False, level=True, layers=5)
    known = frame.filter(~pl.col("truncated"))
    found = within_episodes(frame, 5)
    assert found.height == known.height < frame.height
    for name in ("predicted", "realised"):
        column = known[name].to_numpy()
        expected = [value - column[max(0, at - 2) : at + 3].mean() for at, value in enumerate(column)]
        assert found[name].to_list() == pytest.approx(expected)
