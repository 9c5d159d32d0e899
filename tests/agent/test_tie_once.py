"""The policies that look once: their rules by themselves, and in a run."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.agent.bandit.plans import agreeing_runs, cheapest_ties
from layertie_lab.agent.synthetic.landscapes import make_landscape
from layertie_lab.agent.synthetic.run import SyntheticRun
from layertie_lab.core.errors import AgentError
from layertie_lab.core.ties import TieMap

NAMES = ["tie-once-by-cost", "tie-once-by-gradient"]


def length(agreement: np.ndarray, firsts: tuple[int, ...]) -> float:
    ends = (*firsts[1:], len(agreement))
    return sum(max(0.0, agreement[a:b, a:b].sum()) ** 0.5 for a, b in zip(firsts, ends, strict=True))


@given(st.integers(2, 8), st.data())
def test_the_split_is_the_longest_of_all(layers: int, data: st.DataObject) -> None:
    owners = data.draw(st.integers(1, layers))
    draws = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    gradients = draws.normal(size=(layers, 3)) + draws.normal(size=3)
    agreement = gradients @ gradients.T
    found = agreeing_runs(agreement, owners)
    firsts = found.independent_layers
    assert len(firsts) == owners
    assert found.sources == tuple(max(first for first in firsts if first <= layer) for layer in range(layers))
    every = ((0, *rest) for rest in itertools.combinations(range(1, layers), owners - 1))
    assert length(agreement, tuple(firsts)) == pytest.approx(max(length(agreement, each) for each in every))


@given(st.integers(2, 12), st.data())
def test_the_cheapest_ties_are_a_map_of_so_many_owners(layers: int, data: st.DataObject) -> None:
    owners = data.draw(st.integers(1, layers))
    costs = np.random.default_rng(data.draw(st.integers(0, 10_000))).uniform(size=(layers, layers))
    found = cheapest_ties(costs, owners)
    left = found.independent_layers
    assert len(left) == owners
    for layer, source in enumerate(found):
        if source != layer:
            assert costs[layer, source] == min(costs[layer, a] for a in left if a < layer)


def test_cheap_ties_are_found_where_they_are_plain() -> None:
    costs = np.ones((6, 6))
    for layer, source in ((1, 0), (4, 3), (5, 3)):
        costs[layer, source] = 0.0
    assert cheapest_ties(costs, 3).sources == (0, 0, 2, 3, 3, 3)


def config(text: Path, name: str) -> RunConfig:
    return RunConfig.preset(
        "tiny", corpus=str(text), policy=name, layers=5, blocks=2, decisions=16, unshare_at=0.25, threads=1
    )


@pytest.mark.parametrize("name", NAMES)
def test_it_looks_once_and_goes_there(name: str, text_file: Path, tmp_path: Path) -> None:
    start = TieMap.independent(5) if name == NAMES[0] else TieMap.all_tied(5)
    with Session(config(text_file, name), tmp_path / "run") as session:
        assert session.ties == start
        session.run(4)
        assert session.ties == start
        session.run(4)
        found = session.ties
        assert len(found.independent_layers) == 2
        session.run()
        assert session.ties == found
    log = load_run(tmp_path / "run").decisions
    assert log["proposed"].to_list() == log["choice"].to_list()


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_run_goes_on_as_it_would_have(name: str, text_file: Path, tmp_path: Path) -> None:
    with Session(config(text_file, name), tmp_path / "whole") as session:
        session.run()
    for stop in (3, 4, 6):
        with Session(config(text_file, name), tmp_path / str(stop)) as session:
            session.run(stop)
        with Session.resume(tmp_path / str(stop)) as session:
            session.run()
        assert (tmp_path / str(stop) / "events.jsonl").read_bytes() == (
            tmp_path / "whole" / "events.jsonl"
        ).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_run_without_evidence_is_refused(name: str) -> None:
    run = SyntheticRun.of(RunConfig.preset("tiny", policy=name, layers=6, decisions=8), make_landscape("A", 6))
    with pytest.raises(AgentError, match="Expected a run that tells"):
        run.run()
