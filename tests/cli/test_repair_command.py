"""`layertie repair`: from a damaged log, by way of what the commands say of it, to a run that goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.cli import main


@pytest.fixture
def run(text_file: Path, tmp_path: Path) -> Path:
    config = RunConfig.preset("tiny", corpus=str(text_file), layers=3, width=16, context=16, batch_size=4, decisions=8)
    with Session(config, tmp_path / "run") as session:
        session.run()
    return tmp_path / "run"


def damage(run: Path, share: float = 0.5) -> tuple[bytes, int]:
    """The damaged log, and the number of its damaged line."""
    lines = (run / "events.jsonl").read_bytes().splitlines(keepends=True)
    place = int(len(lines) * share)
    lines[place] = lines[place][:9] + b"\0" * 4 + lines[place][13:]
    (run / "events.jsonl").write_bytes(b"".join(lines))
    return b"".join(lines), place + 1


@pytest.mark.parametrize("words", [["show"], ["export", "--directory", "tables"]], ids=" ".join)
def test_a_damaged_log_is_refused_with_the_command_that_helps(
    words: list[str], run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    _, line = damage(run, 0.9)
    capsys.readouterr()
    assert main([words[0], str(run), *words[1:]]) == 2
    said = capsys.readouterr().err
    assert f"line {line} of {run}/events.jsonl" in said
    assert f"layertie repair {run} " in said


def test_repaired_the_run_goes_on_to_the_same_end(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (run / "events.jsonl").read_bytes()
    broken, line = damage(run)
    assert main(["runs", str(run.parent)]) == 0
    listed = capsys.readouterr().out
    assert "damaged" in listed.splitlines()[1]
    assert f"line {line} of" in listed.splitlines()[2]
    assert main(["repair", str(run)]) == 0
    said = capsys.readouterr().out
    left = load_run(run).decisions.height
    assert f"Line {line} was damaged" in said
    assert f"the outcomes of decisions {left + 1} to 8 with them" in said
    assert f"The run is at decision {left} of 8. Go on with: layertie resume {run}" in said
    assert (run / "events.jsonl.damaged-1").read_bytes() == broken
    assert main(["repair", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"damaged": False}
    assert main(["resume", str(run), "--quiet"]) == 0
    assert (run / "events.jsonl").read_bytes() == whole


def test_as_json_and_with_no_outcome_lost(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open(run / "events.jsonl", "ab") as file:
        file.write(b"{}\n")
    lines = (run / "events.jsonl").read_bytes().count(b"\n")
    assert main(["repair", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "damaged": True,
        "line": lines,
        "lines_lost": 1,
        "decisions": 8,
        "decisions_before": 8,
        "copy": str(run / "events.jsonl.damaged-1"),
    }
    with open(run / "events.jsonl", "ab") as file:
        file.write(b"{}\n")
    assert main(["repair", str(run)]) == 0
    assert "1 line is cut off, and no decision's outcome with it" in capsys.readouterr().out


def test_what_cannot_be_repaired(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repair", str(tmp_path / "none")]) == 2
    damage(run, 0)
    assert main(["repair", str(run)]) == 2
    assert "Restore the log from a copy" in capsys.readouterr().err
