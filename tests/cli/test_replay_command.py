"""`layertie replay` and `layertie resume --rules` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from layertie_lab import load_run
from layertie_lab.cli import main

QUICK = ["--scale", "tiny", "--layers", "4", "--width", "16", "--context", "16", "--batch-size", "4", "--quiet"]


@pytest.fixture(scope="module")
def run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay") / "run"
    words = ["train", *QUICK, "--decisions", "6", "--corpus", str(text_file), "--directory", str(folder)]
    assert main(words) == 0
    return folder


def replayed(run: Path, folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    capsys.readouterr()
    assert main(["replay", str(run), "--directory", str(folder), "--quiet", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_same_log_is_said_to_be_so(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = replayed(run, tmp_path / "again", capsys)
    assert found["same_log"] is True
    assert found["replayed"] == 6
    assert found["finished"] is True


def test_other_settings_and_edits(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = replayed(run, tmp_path / "other", capsys, "--seed", "5", "--edit", "2=1", "--until", "4")
    assert found["same_log"] is False
    assert found["replayed"] == 4
    new, old = load_run(tmp_path / "other"), load_run(run)
    assert new.config == old.config.replace(seed=5)
    assert new.decisions["choice"].to_list()[1] == 1
    deeper = replayed(run, tmp_path / "deeper", capsys, "--layers", "7", "--only", "agent")
    assert deeper["replayed"] == 12
    assert load_run(tmp_path / "deeper").config.decisions == 12


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--edit", "two"], "an edit like 12=3"),
        (["--edit", "9=0"], "a decision from 1 to 6 to edit"),
        (["--until", "7"], "a last decision from 1 to 6"),
    ],
)
def test_refusals(
    run: Path, tmp_path: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(run), "--directory", str(tmp_path / "no"), *words]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_replay_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path / "missing")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_rules_can_be_given_to_a_run_that_is_resumed(
    text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    train = ["train", *QUICK, "--corpus", str(text_file), "--directory", str(folder), "--decisions", "3"]
    assert main(train) == 0
    assert main(["resume", str(folder), "--rules", "nonsense", "--decisions", "1"]) == 2
    assert "Expected rules" in capsys.readouterr().err
    assert main(["resume", str(folder), "--rules", "neighbours", "--decisions", "3", "--quiet"]) == 0
    late = load_run(folder).decisions.tail(3)
    assert all(choice >= layer - 1 for layer, choice in zip(late["layer"], late["choice"], strict=True))
