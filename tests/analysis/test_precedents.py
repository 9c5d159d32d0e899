"""The nearest past decisions, against loops over made-up and recorded runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from layertie_lab.analysis.statistics.precedents import SCHEMA, nearest_decisions
from layertie_lab.core.errors import AnalysisError
from layertie_lab.core.ties import TieMap
from layertie_lab.records.log.reader import load_run

EXAMPLE = Path(__file__).parents[2] / "data" / "examples" / "laptop-lab"


def made_up(layers: int, count: int, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame, list[list[int]]]:
    """Decisions of a random agent, its ties, and the map before each decision (and after the last)."""
    draw = np.random.default_rng(seed)
    ties, maps, rows = [0] * layers, [[0] * layers], []
    for decision in range(1, count + 1):
        layer = (decision - 1) % (layers - 1) + 1
        choice = int(draw.integers(layer + 1))
        rows.append(
            {
                "decision": decision,
                "layer": layer,
                "present": ties[layer],
                "choice": choice,
                "by": ("agent", "human")[decision % 5 == 0],
                "explored": bool(draw.random() < 0.5),
                "q_choice": None if decision % 7 == 0 else float(draw.normal()),
                "reward": float(draw.normal() + 5 / decision),
            }
        )
        ties = [*ties[:layer], choice, *ties[layer + 1 :]]
        maps.append(ties)
    columns = {
        name: SCHEMA[name]
        for name in ("decision", "layer", "present", "choice", "by", "explored", "q_choice", "reward")
    }
    tied = [
        {"decision": decision, "layer": layer, "source": source}
        for decision, sources in enumerate(maps)
        for layer, source in enumerate(sources)
    ]
    return pl.DataFrame(rows, schema=columns), pl.DataFrame(tied), maps


def brute_force(decisions: pl.DataFrame, maps: list[list[int]], asked: int, layers: int) -> list[dict[str, Any]]:
    """All precedents, nearest first."""
    rows = decisions.to_dicts()
    layer, half, found = (asked - 1) % (layers - 1) + 1, max(1, (layers - 1) // 2), []
    for row in rows[: asked - 1]:
        if row["layer"] != layer:
            continue
        number = row["decision"]
        reach = min(half, number - 1)
        around = [other["reward"] for other in rows[: asked - 1] if abs(other["decision"] - number) <= reach]
        distance = sum(a != b for a, b in zip(maps[number - 1], maps[asked - 1], strict=True))
        found.append(row | {"distance": distance, "above_trend": row["reward"] - sum(around) / len(around)})
    return sorted(found, key=lambda row: (row["distance"], -row["decision"]))


@pytest.mark.parametrize(("layers", "count"), [(2, 9), (3, 17), (5, 40), (8, 60)])
def test_precedents_are_those_of_a_loop_over_the_past(layers: int, count: int) -> None:
    decisions, ties, maps = made_up(layers, count, seed=layers)
    distances = set()
    for asked in range(1, count + 2):
        expected = brute_force(decisions, maps, asked, layers)
        found = nearest_decisions(decisions, ties, asked, k=1000)
        assert found.schema == pl.Schema(SCHEMA)
        assert found["decision"].to_list() == [row["decision"] for row in expected]
        for row, other in zip(found.to_dicts(), expected, strict=True):
            assert row["above_trend"] == pytest.approx(other.pop("above_trend"), abs=1e-12)
            assert other.items() <= row.items()
            assert row["layer"] == (asked - 1) % (layers - 1) + 1
            assert row["decision"] < asked
            distances.add(row["distance"])
    assert len(distances) > 1


def test_as_many_as_wanted_the_nearest_first_and_of_equals_the_latest() -> None:
    decisions, ties, maps = made_up(5, 40)
    everything = brute_force(decisions, maps, 39, 5)
    assert len({row["distance"] for row in everything}) < len(everything)
    for k in (1, 3, 8, 9, 50):
        found = nearest_decisions(decisions, ties, 39, k=k)
        assert found["decision"].to_list() == [row["decision"] for row in everything[:k]]
        assert found["distance"].is_sorted()
    assert nearest_decisions(decisions, ties, 39).height == 8


def test_a_map_that_came_again_is_at_distance_0() -> None:
    decisions, ties, _ = made_up(4, 12)
    same = pl.DataFrame([{"decision": d, "layer": layer, "source": 0} for d in range(13) for layer in range(4)])
    assert nearest_decisions(decisions, same, 11)["distance"].to_list() == [0, 0, 0]
    one = same.with_columns(source=pl.when(pl.col("decision") == 4, pl.col("layer") == 3).then(2).otherwise("source"))
    # The map before decision 5 is the one after decision 4.
    assert nearest_decisions(decisions, one, 11).select("decision", "distance").rows() == [(8, 0), (2, 0), (5, 1)]
    assert nearest_decisions(decisions, ties, 11)["distance"].max() > 0


def test_the_order_of_the_rows_of_ties_does_not_matter() -> None:
    decisions, ties, _ = made_up(5, 30)
    assert nearest_decisions(decisions, ties.sample(fraction=1.0, shuffle=True, seed=1), 27).equals(
        nearest_decisions(decisions, ties, 27)
    )


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_what_came_after_the_decision_does_not_matter(layers: int) -> None:
    decisions, ties, _ = made_up(layers, 30)
    for asked in (1, 2, 7, 20):
        then = decisions.head(asked - 1), ties.filter(pl.col("decision") < asked)
        assert nearest_decisions(*then, asked).equals(nearest_decisions(decisions, ties, asked))


@pytest.mark.parametrize("slope", [-2.0, 0.0, 3.0])
def test_a_steady_trend_is_above_itself_nowhere(slope: float) -> None:
    decisions, ties, _ = made_up(5, 30)
    steady = decisions.with_columns(reward=1.0 + slope * pl.col("decision"))
    for asked in range(1, 32):
        above = nearest_decisions(steady, ties, asked, k=99)["above_trend"]
        assert above.abs().max() in (None, pytest.approx(0, abs=1e-9))
    # One decision that brought more stands out by what the mean around leaves of it: 4 of 5.
    jump = steady.with_columns(reward=pl.col("reward") + 10.0 * (pl.col("decision") == 13))
    above = dict(nearest_decisions(jump, ties, 17, k=99).select("decision", "above_trend").rows())
    assert above == pytest.approx({1: 0.0, 5: 0.0, 9: 0.0, 13: 8.0}, abs=1e-9)


def test_the_first_pass_has_no_precedents() -> None:
    decisions, ties, _ = made_up(5, 12)
    for asked in (1, 2, 3, 4):
        found = nearest_decisions(decisions, ties, asked)
        assert found.is_empty()
        assert found.schema == pl.Schema(SCHEMA)
    assert nearest_decisions(decisions, ties, 5).height == 1


def test_a_run_without_decisions_has_none_either() -> None:
    decisions, ties, _ = made_up(5, 0)
    assert nearest_decisions(decisions, ties, 1).is_empty()


def test_decisions_that_the_run_has_not_come_to_are_refused() -> None:
    decisions, ties, _ = made_up(5, 12)
    for asked in (-1, 0, 14):
        with pytest.raises(AnalysisError, match=f"from 1 to 13, but got {asked}"):
            nearest_decisions(decisions, ties, asked)
    with pytest.raises(AnalysisError, match="tie map before decision 13"):
        nearest_decisions(decisions, ties.filter(pl.col("decision") < 12), 13)
    with pytest.raises(AnalysisError, match="from 1 to"):
        nearest_decisions(decisions.clear(), ties.clear(), 1)


@pytest.mark.parametrize("asked", [12, 100, 150, 201])
def test_a_recorded_runs_distances_are_those_of_its_answers_given_again(asked: int) -> None:
    run = load_run(EXAMPLE)
    ties, before = TieMap.all_tied(12), []
    for layer, choice in run.decisions.select("layer", "choice").rows():
        before.append(ties)
        ties = ties.act(layer, choice)
    before.append(ties)
    found = nearest_decisions(run.decisions, run.ties, asked)
    assert found.height == min(8, (asked - 1) // 11)
    for number, distance in found.select("decision", "distance").rows():
        assert (number - asked) % 11 == 0
        assert distance == sum(a != b for a, b in zip(before[number - 1], before[asked - 1], strict=True))
