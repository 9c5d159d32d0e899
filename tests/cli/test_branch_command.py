"""`layertie branch` and what `layertie runs` says of branches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.cli import main
from layertie_lab.records.tree import stored_moments


@pytest.fixture
def run(text_file: Path, tmp_path: Path) -> Path:
    config = RunConfig.preset("tiny", corpus=str(text_file), layers=3, width=16, context=16, batch_size=4, decisions=8)
    with Session(config, tmp_path / "run") as session:
        session.run(5)
    return tmp_path / "run"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_branch_is_made_answered_and_shown(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = said(
        capsys,
        "branch",
        str(run),
        "--decision",
        "3",
        "--name",
        "other",
        "--why",
        "to see",
        "--answer",
        "0",
        "--decisions",
        "2",
        "--quiet",
    )
    branch = Path(made["directory"])
    assert branch == run / "branches" / "other"
    decisions = load_run(branch).decisions
    assert decisions["by"].to_list() == ["agent", "agent", "human", "agent", "agent"]
    assert decisions["choice"][2] == 0
    undone = said(capsys, "branch", str(branch), "--undo", "--quiet")
    assert undone["decisions"] == 4
    tree = said(capsys, "branch", str(run), "--tree")["tree"]
    assert [(row["name"], row["parent"], row["decision"], row["why"]) for row in tree] == [
        ("run", None, None, ""),
        ("other", "", 3, "to see"),
        ("branch-001", "other", 5, "undo of decision 5"),
    ]
    assert main(["branch", str(run), "--tree"]) == 0
    picture = capsys.readouterr().out
    assert "other" in picture
    assert "left before decision 3: to see" in picture


def test_runs_lists_branches_below_their_trunk(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "runs", str(run.parent))["runs"][0]["branches"] == []
    said(capsys, "branch", str(run), "--name", "other", "--quiet")
    found = said(capsys, "runs", str(run.parent))["runs"]
    assert [entry["name"] for entry in found] == ["run"]
    assert [(row["name"], row["decision"]) for row in found[0]["branches"]] == [("other", 6)]
    assert main(["runs", str(run.parent)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["run", "branches/other"]


@pytest.mark.parametrize("command", ["show", "audit"])
def test_a_branch_is_a_run_to_every_command(command: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    branch = said(capsys, "branch", str(run), "--decision", "4", "--quiet")["directory"]
    assert said(capsys, command, branch)
    assert said(capsys, "resume", branch, "--quiet")["decisions"] == 8


def test_interrupted_on_the_way_it_says_how_to_go_on(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    from layertie_lab.session import session as opened

    (first := run / "checkpoints" / "best.safetensors").unlink(missing_ok=True)
    assert not first.exists()
    repeat = opened.repeat
    monkeypatch.setattr(opened, "repeat", lambda *values: (signal.raise_signal(signal.SIGINT), repeat(*values)))
    assert main(["branch", str(run), "--decision", "4", "--quiet"]) == 130
    said_so = capsys.readouterr().err.replace("\n", "")
    assert "layertie resume" in said_so
    assert "Nothing" not in said_so
    branch = run / "branches" / "branch-001"
    monkeypatch.undo()
    with Session.resume(branch) as session:
        assert session.decision == 3
    assert 4 in stored_moments(branch)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--undo", "--decision", "2"], "--undo or --decision"),
        (["--decisions", "-1"], "--decisions to be between 0 and"),
        (["--decision", "9"], "a decision from 1 to 6"),
        (["--answer", "7"], "Expected"),
    ],
)
def test_refusals(words: list[str], told: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["branch", str(run), *words, "--quiet"]) == 2
    assert told in capsys.readouterr().err.replace("\n", " ")
