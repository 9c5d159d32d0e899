"""`layertie audit`: a run, a short run of an algorithm, JSON, a page, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from layertie_lab.analysis.audit.run_audit import Audit
from layertie_lab.cli import main

SHORT = ["--decisions", "9", "--corpus"]


@pytest.fixture(scope="module")
def run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit") / "run"
    words = [
        "train",
        "--scale",
        "tiny",
        "--layers",
        "3",
        "--width",
        "16",
        "--context",
        "16",
        "--batch-size",
        "4",
        "--decisions",
        "6",
        "--corpus",
        str(text_file),
        "--directory",
        str(folder),
        "--quiet",
    ]
    assert main(words) == 0
    return folder


def test_a_run_as_text(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(run), "--rows", "2"]) == 0
    text = capsys.readouterr().out
    assert "lab algorithm" in text
    assert "map in memory" in text
    assert [line[:2] for line in text.splitlines() if ": not exhibited." in line or ": exhibited." in line][-1] == "11"
    assert max(len(line) for line in text.splitlines()[1:4]) <= 80


def test_a_run_as_json_and_as_a_page(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "audit.html"
    assert main(["audit", str(run), "--json", "--chart", str(page)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    audit = Audit.from_dict(json.loads(lines[0]))
    assert audit.run["decisions"] == 6
    assert audit.frame.height == 7
    assert "<title>Audit of run</title>" in page.read_text()


def test_a_short_run_of_an_algorithm(text_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--algorithm", "official-code", *SHORT, str(text_file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["run"]["algorithm"] == "official-code"
    assert found["run"]["decisions"] == 9
    exhibited = {entry["number"] for entry in found["departures"] if entry["verdict"] == "exhibited"}
    assert {4, 6, 11} <= exhibited
    assert not Path(found["run"]["directory"]).exists()


def test_quiet_says_nothing_but_the_audit(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "audit.html"
    assert main(["audit", str(run), "--rows", "2", "--chart", str(page)]) == 0
    spoken = capsys.readouterr()
    assert f"chart: {page}" in spoken.err
    assert main(["audit", str(run), "--rows", "2", "--chart", str(page), "--quiet"]) == 0
    quiet = capsys.readouterr()
    assert (quiet.out, quiet.err) == (spoken.out, "")


BAD = {
    "neither": ([], "got neither"),
    "both": (["somewhere", "--algorithm", "lab"], "got both"),
    "no run": (["nowhere"], "nowhere"),
    "another algorithm": (["--algorithm", "best"], "an algorithm out of"),
}


@pytest.mark.parametrize("name", BAD)
def test_refusals(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, said = BAD[name]
    assert main(["audit", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
