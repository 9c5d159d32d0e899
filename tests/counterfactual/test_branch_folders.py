"""Branches in training: random trees, rebuilt moments, undo, live sessions, SIGKILL; moments kept within bounds."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from branching import assert_equal, everything, small

from layertie_lab import RunConfig, Session, Worker, load_run
from layertie_lab.core.errors import CancelledError, LayertieError, RecordError
from layertie_lab.counterfactual.tree import branch_at, branch_here, undo
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.state import retention as moments
from layertie_lab.records.state.checkpoints import list_checkpoints
from layertie_lab.records.state.retention import is_spaced, moment_name
from layertie_lab.records.tree import leaving_of, make_branch, stored_moments, tree_of


def config(text: Path, **changes: Any) -> RunConfig:
    return small(text, **({"evaluate_every": 3, "decisions": 30, "threads": 1} | changes))


@pytest.fixture(scope="module")
def trunk(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 decisions by the agent; only the moment before the thirteenth is stored."""
    path = tmp_path_factory.mktemp("trunk") / "run"
    with Session(config(text_file), path) as session:
        session.run(12)
        for _ in range(2):  # pushes the start out
            session.save()
    (path / "checkpoints" / "best.safetensors").unlink()
    assert list(stored_moments(path)) == [13]
    return path


def files(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and "branches" not in file.relative_to(path).parts
    }


def log(path: Path) -> bytes:
    return (path / "events.jsonl").read_bytes()


def names(run: Path) -> list[str]:
    return [info.name for info in list_checkpoints(RunDirectory.open(run)) if not info.rolling]


@pytest.mark.parametrize("seed", range(4))
def test_any_branch_that_is_answered_alike_is_its_parent_again(seed: int, text_file: Path, tmp_path: Path) -> None:
    draw, trunk = random.Random(seed), tmp_path / "run"
    with Session(config(text_file, moment_every=draw.choice([0, 1, 3])), trunk) as session:
        session.run(8)
    runs = [trunk]
    for _ in range(4):
        parent = draw.choice(runs)
        length = load_run(parent).decisions.height
        before = {run: files(run) for run in runs}
        branch = make_branch(parent, draw.randint(1, length + 1), name=f"b{len(runs)}")
        copy = make_branch(parent, load_run(branch).decisions.height + 1, name=f"copy{len(runs)}")
        linked = list((branch / "checkpoints").iterdir())
        assert all(file.stat().st_nlink >= 2 for file in linked)
        with Session.resume(copy) as session:
            for row in load_run(parent).decisions.rows(named=True)[session.decision :]:
                session.commit(row["choice"], by=row["by"])
            assert log(parent).startswith(log(copy))
            if session.decision == length and not session.finished:
                with Session.resume(parent) as same:
                    assert_equal(everything(session), everything(same))
                before[parent] = files(parent)  # opening it wrote telemetry
        with Session.resume(branch) as session:
            for _ in range(draw.randint(1, 3)):
                session.commit(draw.choice(session.propose().legal))
        assert {run: files(run) for run in runs} == before
        runs.append(branch)
    parents = {node.name: node.left.parent for node in tree_of(trunk) if node.left}
    assert set(parents.values()) <= {"", *parents}


def test_a_moment_that_is_not_stored_is_rebuilt(trunk: Path) -> None:
    with pytest.raises(RecordError, match=r"stored \(13\), but got 5\. Choose one of these, or pass rebuild=True"):
        branch_at(trunk, 5)
    seen: list[tuple[int, int]] = []
    branch = branch_at(trunk, 5, rebuild=True, watch=lambda done, wanted: seen.append((done, wanted)))
    assert seen == [(done, 4) for done in range(4)]
    assert moment_name(5) in names(branch)
    assert log(trunk).startswith(log(branch))
    with Session.resume(branch, watch=lambda done, wanted: pytest.fail("it is stored")) as session:
        session.run(8)
    assert log(branch) == log(trunk)[: len(log(branch))]
    assert leaving_of(branch_at(trunk)).decision == 13


def test_a_rebuild_can_be_cancelled_and_leaves_nothing(trunk: Path) -> None:
    before = files(trunk)
    with pytest.raises(CancelledError, match="Trained 2 of 8 decisions"):
        branch_at(trunk, 9, name="never", rebuild=True, watch=lambda done, wanted: done < 2)
    assert not (trunk / "branches" / "never").exists()
    kept = make_branch(trunk, 9, name="kept")
    start = log(kept)
    with pytest.raises(CancelledError):
        Session.resume(kept, watch=lambda done, wanted: False)
    assert log(kept) == start
    with Session.resume(kept) as session:
        assert session.decision == 8
    assert files(trunk) == before


def test_undo_is_a_branch_from_before_the_last_answer(text_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Session(config(text_file), run) as session:
        with pytest.raises(RecordError, match="Expected a decision to undo"):
            undo(run)
        session.run(5)
        first = undo(run)
        session.begin(session.propose().layer)
        session.advance()
        second = undo(run)  # of the one under way
        assert session.complete().decision.proposal.decision == 6
    for path, decision in ((first, 5), (second, 6)):
        left = leaving_of(path)
        assert left is not None
        assert (left.decision, left.why) == (decision, f"undo of decision {decision}")
        assert decision in stored_moments(path)
    assert load_run(run).decisions.height == 6


def test_a_live_session_is_branched_where_it_is(text_file: Path, tmp_path: Path) -> None:
    with Session(config(text_file)) as unrecorded, pytest.raises(LayertieError, match="no directory"):
        branch_here(unrecorded)
    with Session(config(text_file), tmp_path / "run") as session:
        session.run(4)
        branch = branch_here(session, "here", "to see")
        with Session.resume(branch, watch=lambda done, wanted: pytest.fail("it is stored")) as other:
            assert_equal(everything(session), everything(other))
            session.begin(session.propose().choice)
            with pytest.raises(LayertieError, match="under way"):
                branch_here(session)
            session.complete()
            other.commit(other.propose().choice)
            assert_equal(everything(session), everything(other))


def test_a_worker_is_branched_where_it_is(text_file: Path, tmp_path: Path) -> None:
    worker = Worker(config(text_file), tmp_path / "run")
    try:
        worker.run(3)
        branch = worker.call(branch_here, why="to see")
        assert branch == tmp_path / "run" / "branches" / "branch-001"
        other = Worker.resume(branch)
        try:
            other.run(3)
            worker.run(3)
        finally:
            other.close()
    finally:
        worker.close()
    assert log(branch) == log(tmp_path / "run")


CHILD = """
import sys
from layertie_lab import Session
session = Session.resume(sys.argv[1])
print("begun", flush=True)
session.run()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_branch_that_is_killed_goes_on_as_if_it_had_not_been(text_file: Path, tmp_path: Path) -> None:
    trunk = tmp_path / "run"
    with Session(config(text_file, checkpoint_seconds=0.1), trunk) as session:
        session.run()
    branch, before = make_branch(trunk, 4), files(trunk)
    draw = random.Random(1)
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(branch)],
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(draw.uniform(0.02, 0.1))
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert load_run(branch).decisions.height < 30
    with Session.resume(branch) as session:
        session.run()
    assert log(branch) == log(trunk)
    assert files(trunk) == before


def test_moments_at_even_distances_change_nothing_and_are_bounded(text_file: Path, tmp_path: Path) -> None:
    for name, every in (("none", 0), ("every", 1)):
        with Session(config(text_file, moment_every=every, decisions=40), tmp_path / name) as session:
            session.run()
    assert log(tmp_path / "none") == log(tmp_path / "every")
    spaced = [int(name[7:]) - 1 for name in names(tmp_path / "every") if name.startswith("spaced-")]
    assert spaced == list(range(4, 41, 4))
    for every in (1, 3, 7):
        kept: set[int] = set()
        for done in range(1, 2_000):
            kept |= {done} if is_spaced(done, every) else set()
            kept = {number for number in kept if number % moments._distance(done, every) == 0}
            assert min(8, done // every) <= len(kept) <= moments.MOST_SPACED
    branch = make_branch(tmp_path / "every", 22)
    assert "spaced-00021" in names(branch)
    with Session.resume(branch, watch=lambda done, wanted: wanted == 1) as session:
        assert session.decision == 21


def test_moments_before_overrides_are_bounded(text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "MOST_ANSWERED", 3)

    def overrule(session: Session, times: int) -> None:
        for _ in range(times):
            proposal = session.propose()
            while len(proposal.legal) == 1:
                session.commit(proposal.choice)
                proposal = session.propose()
            session.commit(next(answer for answer in proposal.legal if answer != proposal.choice))

    with Session(config(text_file), tmp_path / "run") as session:
        overrule(session, 3)
        first = make_branch(tmp_path / "run")
        held = [name for name in names(first) if name.startswith("decision-")]
        overrule(session, 3)
        kept = [name for name in names(tmp_path / "run") if name.startswith("decision-")]
        monkeypatch.setattr(moments, "MOST_BYTES", 1)
        overrule(session, 1)
        last = [name for name in names(tmp_path / "run") if name.startswith("decision-")]
    assert len(held) == len(kept) == 3
    assert not set(held) & set(kept)
    assert len(last) == 1
    assert held == [name for name in names(first) if name.startswith("decision-")]  # a branch's own links stay


def test_a_branch_is_found_by_any_path_and_is_a_trunk_when_copied_out(
    trunk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = make_branch(trunk, 3, name="by-any-path")
    monkeypatch.chdir(branch)
    whole = [node.name for node in tree_of(trunk)]
    assert [node.name for node in tree_of(".")] == whole
    twig = make_branch(".", 2, name="twig")
    assert leaving_of(twig).parent == "by-any-path"
    assert twig.parent == branch.parent
    monkeypatch.chdir(branch.parent)
    assert {node.name for node in tree_of("by-any-path")} == {*whole, "twig"}
    alone = Path(shutil.copytree(branch, tmp_path / "deep" / "alone"))
    assert [node.name for node in tree_of(alone)] == ["alone"]
    assert make_branch(alone, 2) == alone / "branches" / "branch-001"


def test_rules_that_were_set_before_the_fork_stand_in_the_branch(text_file: Path, tmp_path: Path) -> None:
    with Session(config(text_file), tmp_path / "run") as session:
        session.run(4)
        session.set_rules("independent=0")
        session.run(4)
        session.set_rules("")
        session.run(4)
    for decision, rules in ((5, "independent=0"), (7, "independent=0"), (9, ""), (4, "")):
        branch = branch_at(tmp_path / "run", decision, rebuild=True)
        with Session.resume(branch) as session:
            assert str(session.rules) == rules
            if decision == 9:
                session.run(4)
                assert log(tmp_path / "run").startswith(log(branch))
