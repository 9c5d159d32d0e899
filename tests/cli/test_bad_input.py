"""The list of bad input: each gets one sentence with what was expected, what came and what to do, and exit code 2."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from layertie_lab.cli import main

QUICK = [
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
    "3",
]


@pytest.fixture(scope="module")
def finished(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad") / "run"
    assert main(["train", *QUICK, "--corpus", str(text_file), "--directory", str(folder), "--quiet"]) == 0
    return folder


def file_with(content: bytes) -> Callable[[Path], list[str]]:
    def words(folder: Path) -> list[str]:
        path = folder / "input.txt"
        path.write_bytes(content)
        return ["train", *QUICK, "--corpus", str(path), "--directory", str(folder / "new")]

    return words


def flags(*words: str) -> Callable[[Path], list[str]]:
    return lambda folder: ["train", *QUICK, *words, "--directory", str(folder / "new")]


TRAINING = {
    "unknown corpus": (flags("--corpus", "pidoc"), "pidoc"),
    "empty file": (file_with(b""), "empty"),
    "text shorter than one sequence": (file_with(b"Too short."), "Expected at least"),
    "not UTF-8": (file_with(b"abc \xff\xfe" * 1000), "UTF-8"),
    "unknown tokenizer": (flags("--corpus", "pydoc", "--tokenizer", "words"), "words"),
    "heads that do not divide the width": (flags("--heads", "3"), "divides the width 16"),
    "one layer": (flags("--layers", "1"), "model.layers to be between 2 and 1024"),
    "contradictory semantics": (flags("--on-untie", "alias", "--moments", "keep"), "snapshot"),
    "no such device": (flags("--device", "cuda:7"), "device"),
    "unknown scale": (lambda folder: ["train", "--scale", "huge"], "a scale out of"),
}


@pytest.mark.parametrize("name", TRAINING)
def test_training_refuses(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, said = TRAINING[name]
    assert main(words(tmp_path)) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert captured.err.count("layertie:") == 1
    assert captured.out == ""
    assert not (tmp_path / "new" / "events.jsonl").exists() or not (tmp_path / "new" / "events.jsonl").read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        ["show", "RUN", "--memory", "--html", "PAGE"],
        ["compare", "RUN", "OTHER", "--chart", "PAGE"],
        ["audit", "RUN", "--chart", "PAGE"],
        ["audit", "--algorithm", "lab", "--chart", "PAGE"],
        ["twins", "RUN", "--exploratory", "--chart", "PAGE"],
    ],
    ids=" ".join,
)
def test_a_page_that_cannot_be_written_is_refused_before_any_work(
    words: list[str],
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    before = sorted(finished.rglob("*"))
    names = {"RUN": str(finished), "OTHER": str(tmp_path / "none"), "PAGE": str(tmp_path / "page.html")}
    assert main([names.get(word, word) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("layertie: Expected vl-convert-python 1.9.0 or newer")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert sorted(finished.rglob("*")) == before


def test_a_flag_without_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["train", "--scale"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "Missing" in said
    assert "--scale" in said


def damage_checkpoints(run: Path) -> None:
    for path in (run / "checkpoints").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-50])


def damage_log(run: Path) -> None:
    lines = (run / "events.jsonl").read_bytes().splitlines(keepends=True)
    lines[3] = b'{"event": nonsense}\n'
    (run / "events.jsonl").write_bytes(b"".join(lines))


def make_newer(run: Path) -> None:
    values = json.loads((run / "config.json").read_text())
    values["format"] = 99
    (run / "config.json").write_text(json.dumps(values))


def edit_config(run: Path) -> None:
    values = json.loads((run / "config.json").read_text())
    values["config"]["seed"] = 77
    (run / "config.json").write_text(json.dumps(values))


def remove_config(run: Path) -> None:
    (run / "config.json").unlink()


RESUMING = {
    "damaged checkpoints": (damage_checkpoints, "checkpoint"),
    "a run of a newer version": (make_newer, "newer version"),
    "an edited config": (edit_config, "config"),
    "no run": (remove_config, "config.json"),
}


@pytest.mark.parametrize("name", RESUMING)
def test_resuming_refuses_and_loses_nothing(
    name: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, said = RESUMING[name]
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    spoil(run)
    before = (run / "events.jsonl").read_bytes()
    assert main(["resume", str(run)]) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert "Traceback" not in errors
    assert (run / "events.jsonl").read_bytes() == before


def test_a_damaged_log_is_named_by_line(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    damage_log(run)
    assert main(["show", str(run)]) == 2
    assert "line 4" in capsys.readouterr().err


def test_a_folder_that_holds_a_run_is_not_overwritten(
    finished: Path, text_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (finished / "events.jsonl").read_bytes()
    assert main(["train", *QUICK, "--corpus", str(text_file), "--directory", str(finished)]) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert (finished / "events.jsonl").read_bytes() == before


def test_a_place_that_cannot_be_written(tmp_path: Path, text_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / "file" / "run"
    assert main(["train", *QUICK, "--corpus", str(text_file), "--directory", str(folder)]) == 2
    assert "Expected" in capsys.readouterr().err
