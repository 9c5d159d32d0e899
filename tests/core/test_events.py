"""Events and their rows; keys; errors."""

from __future__ import annotations

import copy
import json
import math
import multiprocessing.reduction as reduction
from dataclasses import replace

import pytest

from layertie_lab.core.decisions import Decision, Proposal
from layertie_lab.core.errors import CorpusError, OptionError, RecordError
from layertie_lab.core.events import DecisionFinished, DecisionMade, Evaluated, Opened, Sampled, Stepped, parse
from layertie_lab.core.keys import RunKey
from layertie_lab.core.tables import COLUMNS, Tabulator

OPENED = Opened(0, 0, "abc", [0, 0, 0], [0, 0, 0], 100, 40, 80, 50, 3.2, 1.0, {"train": 1000}, "text")
PROPOSAL = Proposal(1, 1, 2, (0, 1, 2), 1, (0.5, 1.0, -0.25), True, 0.5, 0)


def story() -> list:
    decided = DecisionMade.of(Decision(PROPOSAL, 2, "human", 0))
    came = DecisionFinished(
        1, 1, [0, 0, 2], [0, 0, 2], 2, 0.1, 3.0, 3.1, 70, 90, {"parameters": 280}, {"td_error": 0.2}
    )
    return [
        OPENED,
        decided,
        Stepped(1, 1, 3.1, 1e-3, 0.7),
        came,
        Evaluated(1, 1, "validation", 3.0, 0.1, 8),
        Sampled(1, 1, "a", "b"),
    ]


@pytest.mark.parametrize("event", story())
def test_events_round_trip_through_a_line(event: object) -> None:
    assert parse(event.to_json()) == event
    assert "\n" not in event.to_json()


def test_a_decision_of_before_deviations_were_recorded_is_read() -> None:
    proposal = replace(PROPOSAL, q_deviations=(0.0, 0.5, 0.25))
    now = DecisionMade.of(Decision(proposal, 2, "human", 0))
    assert parse(now.to_json()) == now
    line = json.loads(now.to_json())
    assert line.pop("q_deviations") == [0.0, 0.5, 0.25]
    assert parse(json.dumps(line)) == replace(now, q_deviations=None)
    rows = [row for _, row in Tabulator().rows(now)]
    assert [row["q_deviation"] for row in rows] == [0.0, 0.5, 0.25]


@pytest.mark.parametrize("line", ["", "{", "[]", '{"event":"nope"}', '{"event":"stepped"}', b"\xff"])
def test_a_damaged_line_is_named(line: str | bytes) -> None:
    with pytest.raises(RecordError, match="Expected a line"):
        parse(line)


def test_rows_have_exactly_the_documented_columns() -> None:
    tabulator = Tabulator()
    rows = [pair for event in story() for pair in tabulator.rows(event)]
    assert {table for table, _ in rows} == set(COLUMNS)
    for table, row in rows:
        assert list(row) == list(COLUMNS[table])
        for column, value in row.items():
            assert value is None or isinstance(value, COLUMNS[table][column][0]), (table, column, value)
    decision = next(row for table, row in rows if table == "decisions")
    assert decision["overridden"]
    assert decision["q_choice"] == -0.25
    assert decision["trainable_share"] == 0.7
    evaluation = next(row for table, row in rows if table == "evaluations")
    assert evaluation["bits_per_byte"] == pytest.approx(3.0 / math.log(2))


def test_not_finite_numbers_never_reach_the_log() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Stepped(1, 1, float("nan"), 1e-3, 0.7).to_json()


def test_keys_depend_on_each_part_and_on_nothing_else() -> None:
    key = RunKey(1, 2)
    others = [RunKey(1, 3).at(5, "data"), RunKey(2, 2).at(5, "data"), key.at(6, "data"), key.at(5, "agent")]
    assert key.at(5, "data") == RunKey(1, 2).at(5, "data")
    assert len({key.at(5, "data"), *others}) == 5
    assert key.random(3, "agent").random() == key.random(3, "agent").random()


def test_errors_survive_a_pipe() -> None:
    error = CorpusError("Expected text, but got none.", "Choose a longer file.")
    for twin in (copy.copy(error), reduction.ForkingPickler.loads(reduction.ForkingPickler.dumps(error))):
        assert (type(twin), str(twin), twin.remedy) == (CorpusError, str(error), error.remedy)
    refused = OptionError("heat", "Expected a number, but got x.", "Type one.")
    twin = reduction.ForkingPickler.loads(reduction.ForkingPickler.dumps(refused))
    assert (type(twin), twin.option, str(twin), twin.remedy) == (OptionError, "heat", str(refused), refused.remedy)
    assert json.dumps(str(error))
