"""The policy map: a run that begins with the map it is given and keeps it, whatever happens to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from branching import small

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.core.errors import ConfigError
from layertie_lab.core.patterns import pattern
from layertie_lab.core.ties import TieMap
from layertie_lab.models.counts import block_parameters, outer_parameters, trainable_parameters
from layertie_lab.session.replay import Log, Replay

MAPS = ("0 0 2 2", "0 1 2 3", "0 0 0 0", "0 0 1 2", "0 1 0 2")
"""Among them chains, whose layers go along with their sources."""


def config(text: Path, sources: str = "0 0 2 2", **changes: object) -> RunConfig:
    return small(text, **({"policy": "map", "map": sources, "decisions": 7} | changes))


@pytest.mark.parametrize("sources", MAPS)
def test_the_run_begins_with_the_map_and_keeps_it(sources: str, text_file: Path, tmp_path: Path) -> None:
    ties = TieMap.parse(sources)
    with Session(config(text_file, sources), tmp_path / "run") as session:
        assert session.ties == ties
        assert session.blocks.sources == ties.owners
        session.run()
        assert session.ties == ties
    run = load_run(tmp_path / "run")
    assert run.decisions["proposed"].to_list() == run.decisions["choice"].to_list()
    assert run.ties["source"].to_list() == list(ties) * 8
    assert json.loads((tmp_path / "run/config.json").read_text())["config"]["agent"]["map"] == sources


def test_a_pattern_and_its_map_are_the_same_run_but_for_the_name(text_file: Path, tmp_path: Path) -> None:
    named = small(text_file, policy="repeat", decisions=7)
    given = config(text_file, pattern("repeat", 4).text)
    losses = []
    for name, each in (("named", named), ("given", given)):
        with Session(each, tmp_path / name) as session:
            session.run()
        losses.append(load_run(tmp_path / name).steps["loss"].to_list())
    assert losses[0] == losses[1]


@pytest.mark.parametrize("sources", MAPS)
def test_books_balance_and_the_map_comes_back_after_a_persons_actions(sources: str, text_file: Path) -> None:
    session = Session(config(text_file, sources, decisions=60))
    block = sum(block_parameters(session.config.model).values())
    outside = sum(outer_parameters(session.config.model, session.data.vocabulary_size).values())

    def balanced() -> None:
        session.model.stack.check_books()
        session.components.optimizer.check_books()
        owners = len(session.ties.independent_layers)
        assert trainable_parameters(session.model) == outside + owners * block
        assert session.blocks.sources == session.ties.owners

    balanced()
    for _ in range(3):
        session.commit(session.propose().layer)
        balanced()
    assert session.ties == TieMap.independent(4)
    session.run(3)
    balanced()
    assert session.ties == TieMap.parse(sources)


@pytest.mark.parametrize("stop", [0, 1, 4])
def test_a_resumed_run_goes_on_as_it_would_have(stop: int, text_file: Path, tmp_path: Path) -> None:
    with Session(config(text_file), tmp_path / "whole") as session:
        session.run()
    with Session(config(text_file), tmp_path / "run") as session:
        session.run(stop)
    with Session.resume(tmp_path / "run") as session:
        session.run()
    logs = [(tmp_path / name / "events.jsonl").read_bytes() for name in ("whole", "run")]
    assert logs[0] == logs[1]


def test_a_replay_gives_the_same_log_and_other_depths_ask_for_another_map(text_file: Path, tmp_path: Path) -> None:
    with Session(config(text_file), tmp_path / "run") as session:
        session.run(2)
        session.commit(0)
        session.run()
    log = Log.read(tmp_path / "run")
    replay = Replay(log, log.config)
    with Session(replay.config, tmp_path / "again") as session:
        replay.give(session)
    logs = [(tmp_path / name / "events.jsonl").read_bytes() for name in ("run", "again")]
    assert logs[0] == logs[1]
    with pytest.raises(ConfigError, match="Expected 6 sources"):
        log.config.replace(layers=6)
    assert log.config.replace(layers=6, map="0 0 2 2 4 4").agent.map == "0 0 2 2 4 4"


def test_where_every_layer_begins_on_weights_of_its_own_the_map_is_gone_to(text_file: Path) -> None:
    """As the fixed patterns do under `start="frozen-random"`."""
    session = Session(small(text_file, algorithm="official-code", policy="map", map="0 1 1 3", decisions=6))
    assert session.ties == TieMap.all_tied(4)
    session.run(3)
    assert session.ties == TieMap((0, 1, 1, 3))


def test_a_fork_keeps_it_too(text_file: Path) -> None:
    session = Session(config(text_file))
    session.run(2)
    fork = session.fork(replicate=1)
    fork.run()
    assert fork.ties == session.ties == TieMap((0, 0, 2, 2))
