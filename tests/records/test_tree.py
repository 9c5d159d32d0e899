"""Branches on disk: the same run up to where they leave, their parent untouched, whatever the parent does meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.core.errors import RecordError
from layertie_lab.records.tree import leaving_of, make_branch, moment_name, stored_moments, tree_of


def config(text: Path, **changes: Any) -> RunConfig:
    defaults = {
        "corpus": str(text),
        "layers": 4,
        "width": 16,
        "context": 16,
        "batch_size": 4,
        "decisions": 30,
        "evaluation_windows": 4,
        "evaluate_every": 3,
        "sample_every": 0,
        "dropout": 0.1,
    }
    return RunConfig.preset("tiny", **(defaults | changes))


@pytest.fixture(scope="module")
def trunk(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 decisions, the seventh of them a person's override."""
    path = tmp_path_factory.mktemp("tree") / "run"
    with Session(config(text_file), path) as session:
        session.run(6)
        proposal = session.propose()
        session.commit(next(answer for answer in proposal.legal if answer != proposal.choice))
        session.run(5)
    return path


def files(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and "branches" not in file.parts
    }


def answer_like(branch: Path, trunk: Path) -> bytes:
    """Go on with a branch as its trunk went on; the log that comes of it."""
    decisions = load_run(trunk).decisions
    with Session.resume(branch) as session:
        for row in decisions.rows(named=True):
            if row["decision"] > session.decision:
                session.commit(row["choice"], by=row["by"])
    return (branch / "events.jsonl").read_bytes()


def test_a_persons_override_stores_the_moment_before_it(trunk: Path) -> None:
    moments = stored_moments(trunk)
    assert moments[7].name == moment_name(7) == "decision-00007"
    assert 13 in moments  # the present
    assert load_run(trunk).decisions["overridden"].to_list().index(True) == 6


@pytest.mark.parametrize("decision", [1, 4, 7, 8, 12, 13, None])
def test_a_branch_that_is_answered_alike_is_the_same_run(trunk: Path, decision: int | None) -> None:
    before = files(trunk)
    branch = make_branch(trunk, decision, why="to see")
    left = leaving_of(branch)
    assert left is not None
    assert (left.parent, left.decision, left.why, left.by) == ("", decision or 13, "to see", "human")
    assert load_run(branch).decisions.height == left.decision - 1
    log = answer_like(branch, trunk)
    whole = (trunk / "events.jsonl").read_bytes()
    # What the trunk evaluated because its counted run ended is not scheduled in the branch.
    assert whole.startswith(log)
    assert files(trunk) == before


@pytest.mark.parametrize("decision", [4, None])
def test_what_comes_next_is_certain_only_where_the_log_has_its_end(
    trunk: Path, tmp_path: Path, decision: int | None
) -> None:
    run = Path(shutil.copytree(trunk, tmp_path / "run", ignore=shutil.ignore_patterns("branches")))
    log = (run / "events.jsonl").read_bytes()
    # Zeros from within the last line before decision 4 on, as a disk leaves them: what it said is lost as well.
    start = log.rindex(b"\n", 0, log.index(b'{"event":"decided"', log.index(b'"decision":3'))) - 40
    (run / "events.jsonl").write_bytes(log[:start] + bytes(len(log) - start))
    before = files(run)
    with pytest.raises(RecordError, match=r"events\.jsonl"):
        make_branch(run, decision)
    assert files(run) == before
    assert not (run / "branches").exists()


def test_what_is_common_is_shared_on_disk(trunk: Path) -> None:
    branch = make_branch(trunk, 7)
    shared = list((branch / "checkpoints").iterdir())
    assert [path.name for path in shared if path.name.startswith("decision")] == ["decision-00007.safetensors"]
    for path in shared:
        assert path.samefile(trunk / "checkpoints" / path.name)


def test_a_branch_goes_another_way_and_has_branches_itself(trunk: Path) -> None:
    branch = make_branch(trunk, 7, name="own-way")
    with Session.resume(branch) as session:
        session.run(4)
    twig = make_branch(branch, 9, name="twig", by="test")
    assert twig.parent == branch.parent
    names = {node.name: node.left.parent if node.left else None for node in tree_of(twig)}
    assert names["own-way"] == ""
    assert names["twig"] == "own-way"
    assert [node.name for node in tree_of(trunk)] == [node.name for node in tree_of(twig)]
    order = [node.name for node in tree_of(trunk)]
    assert order[0] == "run"
    assert order.index("own-way") < order.index("twig")
    assert (trunk / "events.jsonl").read_bytes() != (branch / "events.jsonl").read_bytes()


def test_a_tree_can_be_moved(trunk: Path, tmp_path: Path) -> None:
    make_branch(trunk, 3, name="moves")
    moved = Path(shutil.copytree(trunk, tmp_path / "elsewhere"))
    assert "moves" in [node.name for node in tree_of(moved)]
    with Session.resume(moved / "branches" / "moves") as session:
        assert session.decision == 2


def test_the_trunk_may_be_training_meanwhile(text_file: Path, tmp_path: Path) -> None:
    with Session(config(text_file), tmp_path / "run") as session:
        session.run(3)
        session.begin(session.propose().choice, "agent")
        session.advance()
        branch = make_branch(tmp_path / "run")  # from before the decision under way
        assert leaving_of(branch).decision == 4
        session.run()
    with Session.resume(branch) as other:
        assert other.decision == 3
        other.run()
    assert (branch / "events.jsonl").read_bytes() == (tmp_path / "run" / "events.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("decision", "name", "words"),
    [
        (0, None, "a decision from 1 to 13 to branch before, but got 0"),
        (14, None, "a decision from 1 to 13"),
        (3, "../out", "a branch's name of letters"),
        (3, "taken", "there is one named taken"),
    ],
)
def test_refusals_leave_nothing_behind(trunk: Path, decision: int, name: str | None, words: str) -> None:
    if name == "taken" and not (trunk / "branches" / "taken").exists():
        make_branch(trunk, 3, name="taken")
    before = sorted(trunk.glob("branches/*"))
    with pytest.raises(RecordError, match=words):
        make_branch(trunk, decision, name=name)
    assert sorted(trunk.glob("branches/*")) == before


def test_a_folder_that_is_no_run_has_no_tree(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="Expected a run folder"):
        tree_of(tmp_path)
    with pytest.raises(RecordError, match="Expected a run folder"):
        make_branch(tmp_path)


def test_without_hard_links_the_moments_are_copied(trunk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError("no hard links here")

    monkeypatch.setattr("os.link", refuse)
    branch = make_branch(trunk, 7, name="copied")
    copied = list((branch / "checkpoints").iterdir())
    assert copied
    assert all(file.stat().st_nlink == 1 for file in copied)
    assert 7 in stored_moments(branch)
    whole = (trunk / "events.jsonl").read_bytes()
    assert whole.startswith(answer_like(branch, trunk))
