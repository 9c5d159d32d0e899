"""Charts of one run in one widget: their tables are one, row by row."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from pretend_run import PretendSession

from layertie_lab.charts import loss_chart, memory_chart, parameters_chart, reward_chart, tie_history, tie_map
from layertie_lab.core.errors import AnalysisError
from layertie_lab.core.tables import COLUMNS, STUDY_COLUMNS, Tabulator
from layertie_lab.widgets import LiveChart
from layertie_lab.widgets.live.joining import KEYS


def run_of_charts(decisions: int, loss: float = 2.0) -> dict[str, pl.DataFrame]:
    """The tables of a made-up run."""
    tabulator, tables = Tabulator(), dict[str, list[Any]]((name, []) for name in COLUMNS)
    session = PretendSession(layers=4, decisions=decisions)
    session.run(decisions)
    for event in session.past():
        for table, row in tabulator.rows(event):
            tables[table].append(row)
    frames = {name: pl.DataFrame(rows) for name, rows in tables.items()}
    frames["decisions"] = frames["decisions"].with_columns(train_loss=pl.lit(loss))
    return frames


def test_charts_of_one_run_are_joined_by_what_their_rows_are_of() -> None:
    run = run_of_charts(30)
    chart = LiveChart(
        {
            "Loss": loss_chart(run["steps"], run["evaluations"], run["decisions"], unigram_entropy=3.0),
            "Parameters": parameters_chart(run["decisions"]),
            "History": tie_history(run["ties"], run["decisions"]),
            "Map": tie_map(run["ties"]),
            "Reward": reward_chart(run["decisions"]),
            "Memory": memory_chart(run["memory"]),
        }
    )
    held = chart._store.thinned(10_000)
    for table, columns in held.items():
        keys = list(zip(*(columns[name] for name in KEYS[table]), strict=True))
        assert len(set(keys)) == len(keys), table
    assert held["decisions"]["decision"] == list(range(1, 31))
    # Each chart has its own columns in all rows, whichever came first.
    for name in ("train_loss", "trainable_parameters", "owners", "reward"):
        assert held["decisions"][name] == [pytest.approx(each, rel=1e-4) for each in run["decisions"][name]], name


def test_charts_of_two_runs_are_not_mixed() -> None:
    one, other = run_of_charts(12), run_of_charts(12, loss=3.0)
    charts = [loss_chart(run["steps"], run["evaluations"], run["decisions"]) for run in (one, other)]
    with pytest.raises(AnalysisError, match=r"one run.*=.*Other of"):
        LiveChart({"One": charts[0], "Other": charts[1]})


def test_each_table_that_is_filled_says_what_tells_its_rows_apart() -> None:
    assert set(KEYS) == {*COLUMNS, *STUDY_COLUMNS, "reference"}
    for table, names in KEYS.items():
        assert set(names) <= {*COLUMNS.get(table, ()), *STUDY_COLUMNS.get(table, ()), "name"}
