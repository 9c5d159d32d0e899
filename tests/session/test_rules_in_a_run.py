"""Rules and answers ahead in sessions and workers: masks for everybody, exact through kills, forks and branches."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

import pytest
from branching import assert_equal, everything, small, trunk
from hypothesis import given, settings
from hypothesis import strategies as st

from layertie_lab import Session, Worker, load_run
from layertie_lab.core.errors import ConfigError, LayertieError, TieError
from layertie_lab.core.rules import Rules
from layertie_lab.records.tree import make_branch
from layertie_lab.session.moment import Moment

numbers = st.lists(st.integers(-4, 3), max_size=2).map(tuple)


def test_agent_and_person_see_the_same_mask(text_file: Path) -> None:
    session = trunk(text_file, 0, rules="neighbours; independent=-1")
    assert session.propose().legal == (0, 1)
    session.run(2)
    proposal = session.propose()  # layer 3, the last
    assert (proposal.layer, proposal.legal) == (3, (3,))
    with pytest.raises(TieError, match=r"out of \[3\] for layer 3.*rules \(independent=-1; neighbours\)"):
        session.commit(0)
    session.commit(3)
    session.run(6)
    assert all(source >= layer - 1 for layer, source in enumerate(session.ties))


def test_rules_change_while_the_run_goes_on_and_survive_a_kill(text_file: Path, tmp_path: Path) -> None:
    with Session(small(text_file), tmp_path / "whole") as session:
        session.run(3)
        before = session.propose()
        session.set_rules("most-owners=1")
        assert session.propose() != before
        session.run(4)
        session.set_rules("")
        session.run(3)
    # Ended without a checkpoint since the start, as by a kill: the log has the rules.
    session = Session(small(text_file, checkpoint_seconds=10_000), tmp_path / "killed")
    session.run(3)
    session.set_rules(Rules(most_owners=1))
    session.run(2)
    session.close(save=False)
    with Session.resume(tmp_path / "killed") as resumed:
        assert str(resumed.rules) == "most-owners=1"
        resumed.run(2)
        resumed.set_rules("")
        resumed.run(3)
    assert (tmp_path / "killed/events.jsonl").read_bytes() == (tmp_path / "whole/events.jsonl").read_bytes()
    with Session.resume(make_branch(tmp_path / "whole", 6)) as branch:
        assert str(branch.rules) == "most-owners=1"
    assert load_run(tmp_path / "whole").decisions.height == 10


def test_forks_and_moments_keep_to_the_rules(text_file: Path) -> None:
    session = trunk(text_file, 4)
    session.set_rules("neighbours")
    fork, moment = session.fork(), Moment.of(session).open(session.data)
    assert fork.rules == moment.rules == session.rules
    for other in (fork, moment):
        other.run(5)
    session.run(5)
    assert_equal(everything(session), everything(fork))
    assert_equal(everything(session), everything(moment))


def test_what_the_agent_was_asked_keeps_its_rules(text_file: Path) -> None:
    session = trunk(text_file, 3, rules="neighbours")
    session.begin(session.propose().choice)
    session.advance()
    session.set_rules("independent=-1")
    moment = Moment.of(session)
    opened = moment.open(session.data)
    assert opened.state.asked == session.state.asked
    assert str(opened.state.asked.rules) == "neighbours"
    assert str(opened.rules) == "independent=-1"
    assert opened.complete() == session.complete()
    assert_equal(everything(opened), everything(session))
    # As the version before wrote it: the rules of the run are taken.
    del moment.meta["under_way"]["asked"]["rules"], moment.meta["streams"]
    assert str(moment.open(session.data).state.asked.rules) == "independent=-1"


def test_rules_that_cannot_stand_change_nothing(text_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="from 0 to 3"):
        small(text_file, rules="independent=4")
    with pytest.raises(TieError, match=r"layer 2.*leave none"):
        Session(small(text_file, policy="random", rules="locked=2; independent=2"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with Session(small(text_file, policy="random"), tmp_path / "run") as session:
        log = (tmp_path / "run/events.jsonl").read_bytes()
        for rules, error in (("nonsense", ConfigError), ("locked=2; independent=2", TieError)):
            with pytest.raises(error):
                session.set_rules(rules)
        assert not session.rules
        assert (tmp_path / "run/events.jsonl").read_bytes() == log


def test_answers_ahead_wait_for_their_layers(text_file: Path, tmp_path: Path) -> None:
    with Worker(small(text_file), tmp_path / "run") as worker:
        worker.run(3)  # layer 1 comes next
        outcomes = worker.answer_ahead({2: 1, 3: 3}, run=True)
        assert [(o.decision.proposal.layer, o.decision.choice, o.decision.by) for o in outcomes][1:] == [
            (2, 1, "human"),
            (3, 3, "human"),
        ]
        assert outcomes[0].decision.by == "agent"
        assert worker.snapshot()["ahead"] == {}
        assert worker.answer_ahead({2: 2}) == []
        assert worker.snapshot()["ahead"] == {2: 2}
        worker.answer_ahead({})
        assert worker.snapshot()["ahead"] == {}
        worker.answer_ahead({1: 0})
        worker.commit(1)  # by hand, before its turn came
        assert worker.snapshot()["ahead"] == {}
        with pytest.raises(TieError, match="layer 0 is never asked"):
            worker.answer_ahead({0: 0})
        with pytest.raises(TieError):
            worker.answer_ahead({1: 2})
        worker.set_rules("neighbours")
        assert worker.snapshot()["rules"] == "neighbours"
        with pytest.raises(TieError, match="out of"):
            worker.answer_ahead({3: 0})
    decisions = load_run(tmp_path / "run").decisions
    assert decisions["by"].to_list() == ["agent"] * 4 + ["human"] * 3


@given(
    st.builds(Rules, independent=numbers, most_owners=st.integers(0, 4), neighbours=st.booleans(), locked=numbers),
    st.sampled_from(["lab", "paper", "official-code"]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=12, deadline=None)
def test_the_books_balance_under_any_rules(rules: Rules, algorithm: str, draw: Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text("The books balance whatever stands. " * 60)
        session = Session(small(text, algorithm=algorithm))
        try:
            session.set_rules(rules)
        except LayertieError:
            return
        for _ in range(9):
            legal = session.propose().legal
            session.commit(draw.choice(legal), by="human") if draw.random() < 0.5 else session.run(1)
            session.model.stack.check_books()
            session.components.optimizer.check_books()
            assert set(session.blocks.owners) <= set(range(4))
