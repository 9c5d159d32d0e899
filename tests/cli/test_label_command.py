"""`layertie label`, and the version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from layertie_lab import RunConfig, __version__
from layertie_lab.cli import main
from layertie_lab.records.directory import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> Path:
    RunDirectory.create(tmp_path / "runs" / "run", RunConfig.preset("tiny")).unlock()
    return tmp_path / "runs" / "run"


def test_a_run_is_named_and_noted_on(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", str(run), "--title", "For class"]) == 0
    assert main(["label", str(run), "--note", "Split at 10."]) == 0
    capsys.readouterr()
    assert main(["label", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"title": "For class", "remark": "Split at 10."}
    assert main(["runs", str(run.parent)]) == 0
    listed = capsys.readouterr().out
    assert "For class" in listed
    assert "Split at 10." in listed


def test_a_damaged_label_can_be_written_anew(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "label.json").write_text("{")
    assert main(["label", str(run), "--title", "a"]) == 2
    assert "label.json" in capsys.readouterr().err
    assert main(["label", str(run), "--title", "a", "--note", ""]) == 0


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", str(tmp_path), "--title", "a"]) == 2
    assert "Expected a run's folder" in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"layertie_lab {__version__} (Python ")
