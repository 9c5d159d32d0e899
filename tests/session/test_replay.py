"""Replays: the same log on the same settings, and answers that go where they belong on others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from branching import small

from layertie_lab import Session, load_run
from layertie_lab.core.errors import ConfigError, RecordError, TieError
from layertie_lab.session.replay import Log, Replay, counterpart


@pytest.fixture(scope="module")
def record(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve decisions of four layers; the agent was overruled at 5 (layer 2), and rules changed before 8."""
    path = tmp_path_factory.mktemp("replay") / "run"
    with Session(small(text_file, evaluate_every=4), path) as session:
        session.run(4)
        session.commit(next(a for a in session.propose().legal if a != session.propose().choice))
        session.run(2)
        session.set_rules("neighbours")
        session.run(5)
    return path


def given(record: Path, directory: Path, **options: object) -> Session:
    changes = options.pop("changes", {})
    log = Log.read(record)
    replay = Replay(log, log.config.replace(**changes), **options)
    with Session(replay.config, directory) as session:
        replay.give(session)
    return session


def test_on_its_own_settings_it_gives_its_own_log(record: Path, tmp_path: Path) -> None:
    given(record, tmp_path / "again")
    assert (tmp_path / "again/events.jsonl").read_bytes() == (record / "events.jsonl").read_bytes()


def test_up_to_a_point_the_log_is_its_beginning(record: Path, tmp_path: Path) -> None:
    given(record, tmp_path / "half", until=6)
    half, whole = ((path / "events.jsonl").read_bytes() for path in (tmp_path / "half", record))
    assert whole.startswith(half)
    assert load_run(tmp_path / "half").decisions.height == 6


def test_edits_and_what_follows(record: Path, tmp_path: Path) -> None:
    given(record, tmp_path / "edited", edits={3: 3})
    old, new = (load_run(path).decisions for path in (record, tmp_path / "edited"))
    assert new["choice"].to_list()[:3] == [*old["choice"].to_list()[:2], 3]
    assert new["by"].to_list()[2] == "human"
    # The record's answers stay what they were, whatever the agent now thinks of them.
    assert new["choice"].to_list()[3:] == old["choice"].to_list()[3:]
    assert set(new["by"].to_list()[3:]) <= {"agent", "human", "replay"}


@pytest.mark.parametrize("only", ["human", "agent"])
def test_a_persons_answers_only_or_the_agents(record: Path, tmp_path: Path, only: str) -> None:
    given(record, tmp_path / only, only=only, changes={"seed": 5})
    log, new = Log.read(record), load_run(tmp_path / only).decisions
    for row in new.rows(named=True):
        recorded = log.actions[row["decision"]]
        taken = (recorded.by == "human") == (only == "human")
        assert not taken or row["choice"] == recorded.choice
        assert taken or row["by"] == "agent"


def test_on_another_seed_every_answer_is_the_records(record: Path, tmp_path: Path) -> None:
    given(record, tmp_path / "other", changes={"seed": 7, "gradient": "owner"})
    old, new = (load_run(path) for path in (record, tmp_path / "other"))
    assert new.decisions["choice"].to_list() == old.decisions["choice"].to_list()
    assert new.ties["source"].to_list() == old.ties["source"].to_list()
    assert new.decisions["train_loss"].to_list() != old.decisions["train_loss"].to_list()


@pytest.mark.parametrize("layers", [3, 7, 10])
def test_at_another_depth_answers_keep_their_relative_position(record: Path, tmp_path: Path, layers: int) -> None:
    log = Log.read(record)
    replay = Replay(log, log.config.replace(layers=layers, decisions=100))
    assert replay.decisions == 4 * (layers - 1)  # four passes
    for decision in range(1, replay.decisions + 1):
        found = replay.recorded(decision)
        assert found is not None
        assert 0 <= found.choice <= found.layer
        there = counterpart(found.layer, layers, 4)
        recorded = log.actions[(decision - 1) // (layers - 1) * 3 + there]
        assert (found.choice == found.layer) == (recorded.choice == recorded.layer)
    given(record, tmp_path / "deep", changes={"layers": layers, "decisions": 100})
    assert load_run(tmp_path / "deep").decisions.height == replay.decisions


def test_rules_are_changed_again_wherever_they_were(text_file: Path, tmp_path: Path) -> None:
    with Session(small(text_file), tmp_path / "run") as session:
        session.run(3)
        session.set_rules("neighbours")
        session.set_rules("most-owners=2; independent=-1")
        session.set_rules("most-owners=2; independent=-1")
        session.run(2)
        session.set_rules("locked=2")
    given(tmp_path / "run", tmp_path / "again")
    assert (tmp_path / "again/events.jsonl").read_bytes() == (tmp_path / "run/events.jsonl").read_bytes()
    deeper = given(tmp_path / "run", tmp_path / "deeper", changes={"layers": 7, "decisions": 60})
    assert str(deeper.rules) == "locked=4"
    lines = [line for line in (tmp_path / "deeper/events.jsonl").read_text().splitlines() if '"ruled"' in line]
    assert len(lines) == 4


def test_relative_positions() -> None:
    assert [counterpart(layer, 4, 4) for layer in range(4)] == [0, 1, 2, 3]
    assert [counterpart(layer, 12, 6) for layer in range(12)] == [0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [counterpart(layer, 3, 9) for layer in range(3)] == [0, 4, 8]


def test_refusals(record: Path, tmp_path: Path, text_file: Path) -> None:
    log = Log.read(record)
    for options, words in (
        ({"until": 13}, "a last decision from 1 to 12"),
        ({"edits": {13: 0}}, "a decision from 1 to 12 to edit"),
        ({"edits": {10: 0}, "until": 6}, "a decision from 1 to 6 to edit"),
        ({"edits": {2: 3}}, "an action from 0 to 2 for decision 2"),
    ):
        with pytest.raises(ConfigError, match=words):
            Replay(log, log.config, **options)
    with Session(small(text_file), tmp_path / "empty"):
        pass
    with pytest.raises(RecordError, match="there are none"):
        Log.read(tmp_path / "empty")
    edited = tmp_path / "edited"
    with Session(small(text_file), edited) as session:
        session.run(1)
    values = json.loads((edited / "config.json").read_text())
    values["config"]["seed"] = 99
    (edited / "config.json").write_text(json.dumps(values))
    with pytest.raises(RecordError, match=r"changed since it was written.*take its .digest. out"):
        Log.read(edited)
    del values["digest"]
    (edited / "config.json").write_text(json.dumps(values))
    with pytest.raises(RecordError, match=r"Expected a log of config .* restore it"):
        Log.read(edited)
    with pytest.raises(TieError, match="rules"):
        given(record, tmp_path / "ruled", changes={"rules": "locked=1,2,3"}, edits={1: 1})
