"""Forks under another replicate's key, moments as values, and forks that are recorded."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from branching import ALGORITHMS, assert_equal, differ, everything, other_answer, small, trunk

from layertie_lab import Session, load_run
from layertie_lab.core.errors import ConfigError, RecordError
from layertie_lab.core.keys import RunKey
from layertie_lab.counterfactual.branch import Branch, TwinPlan
from layertie_lab.session.moment import Moment
from layertie_lab.text.batches import Batches


def test_a_fork_draws_as_the_replicate_it_is_given(text_file: Path) -> None:
    session = trunk(text_file)
    fork = session.fork(replicate=3)
    assert fork.key == fork.components.trainer.key == RunKey(session.config.seed, 3)
    assert fork.config == session.config.replace(replicate=3)
    fresh = Session(small(text_file, replicate=3))  # a run that was of that replicate from its start
    for step in (session.step, session.step + 50):
        assert torch.equal(fork.components.training_batches(step), fresh.components.training_batches(step))
        assert not torch.equal(fork.components.training_batches(step), session.components.training_batches(step))
        assert fork.key.at(step, "dropout") == fresh.key.at(step, "dropout") != session.key.at(step, "dropout")
    assert torch.equal(fork.probe_tokens(), session.probe_tokens())
    assert session.key.replicate == session.components.trainer.key.replicate == session.config.replicate == 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_fork_of_the_same_replicate_is_a_plain_fork(algorithm: str, text_file: Path) -> None:
    session = trunk(text_file, algorithm=algorithm)
    plain, keyed, another = session.fork(), session.fork(replicate=0), session.fork(replicate=1)
    assert plain.propose() == keyed.propose() == session.propose()
    for fork in (plain, keyed, another, session):
        fork.run(3)
    assert_equal(everything(plain), everything(keyed))
    assert_equal(everything(plain), everything(session))
    assert differ(plain, another)


def test_a_fork_is_the_same_whether_or_not_the_agent_was_asked(text_file: Path) -> None:
    session = trunk(text_file, policy="random")
    before = [session.fork(replicate=r).propose() for r in range(8)]
    session.propose()
    assert [session.fork(replicate=r).propose() for r in range(8)] == before
    assert len({proposal.choice for proposal in before}) > 1  # each replicate's own draw
    plan = TwinPlan(horizon=1)
    assert {Branch(session, 0, plan, r).decisions[0].proposal for r in range(8)} == {session.propose()}


@pytest.mark.parametrize("replicate", [-1, 1.0, "x", True])
def test_a_replicate_is_a_number(replicate: Any, text_file: Path) -> None:
    with pytest.raises(ConfigError, match="a replicate of 0, 1, 2"):
        trunk(text_file, 0).fork(replicate=replicate)


def test_handed_in_batches_have_no_replicates(text_file: Path) -> None:
    config = small(text_file, algorithm="official-code", layers=3)
    batches = np.random.default_rng(0).integers(0, 20, (400, 4, 17))
    session = Session(config, batches=batches, reward_batches=batches[:100])
    with pytest.raises(ConfigError, match="were handed in"):
        session.fork(replicate=1)
    assert_equal(everything(session.fork(replicate=0)), everything(session.fork()))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_moment_is_the_session_again(algorithm: str, text_file: Path) -> None:
    session = trunk(text_file, algorithm=algorithm)
    moment = pickle.loads(pickle.dumps(Moment.of(session)))
    opened = moment.open()
    assert_equal(everything(opened), everything(session))
    assert opened.propose() == session.propose()
    for one in (opened, session):
        one.run(3)
    assert_equal(everything(opened), everything(session))
    assert_equal(everything(moment.open(session.data)), (moment.tensors, moment.meta))


def test_a_stored_moment_is_a_checkpoint_of_a_run(text_file: Path, tmp_path: Path) -> None:
    with Session(small(text_file), tmp_path / "run") as session:
        session.run(2)
        session.save("here")
        session.run(2)
        session.save()
        latest, here = Moment.stored(tmp_path / "run").open(), Moment.stored(tmp_path / "run", "here").open()
        assert (here.decision, latest.decision) == (2, 4)
        assert not differ(latest, session)
        here.run(2)
        assert not differ(here, session)
    with pytest.raises(RecordError, match="named 'there'"):
        Moment.stored(tmp_path / "run", "there")
    with pytest.raises(RecordError, match="Expected"):
        Moment.stored(tmp_path / "nowhere")


def test_a_fork_is_recorded_and_resumed_as_a_run_of_its_own(text_file: Path, tmp_path: Path) -> None:
    session = trunk(text_file)
    whole, fork = session.fork(replicate=2), session.fork(replicate=2)
    answer = other_answer(session)
    fork.record(tmp_path / "branch")
    for one in (whole, fork):
        one.commit(answer)
        one.run(2)
    fork.recorder.close()  # as after a kill: what came since is only in the log
    whole.run(3)
    with Session.resume(tmp_path / "branch") as resumed:
        assert resumed.key == RunKey(session.config.seed, 2)
        resumed.run(3)
        assert_equal(everything(whole), everything(resumed))
        with pytest.raises(RecordError, match="not recorded"):
            resumed.record(tmp_path / "again")
    found = load_run(tmp_path / "branch").decisions
    assert found["decision"].to_list() == [5, 6, 7, 8, 9, 10]
    with pytest.raises(RecordError, match="Expected"):
        session.fork().record(tmp_path / "branch")


def test_batches_depend_on_seed_replicate_and_step_alone() -> None:
    tokens = np.arange(5_000)
    one, other = (Batches(tokens, 16, 4, RunKey(3, 1)) for _ in range(2))
    later = [one.batch(step) for step in (7, 300, 301)]
    assert all(torch.equal(a, other.batch(step)) for a, step in zip(later, (7, 300, 301), strict=True))
