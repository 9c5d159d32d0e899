"""Errors of torch, of libraries and of policies in the middle of a run: a sentence, a trace in the run, exit code 1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from layertie_lab import load_run
from layertie_lab.cli import main
from layertie_lab.training.loop import Trainer

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
    "2",
    "--decisions",
    "2",
]


def compiler_is_missing(*arguments: object) -> object:
    raise RuntimeError("Failed to find a compiler\n" + "    at some place\n" * 170)


@pytest.mark.parametrize("command", ["train", "resume", "replay", "branch"])
def test_a_sentence_a_trace_and_the_run_has_failed(
    command: str, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, new = tmp_path / "run", tmp_path / "new"
    train = ["train", *QUICK, "--corpus", str(text_file), "--quiet", "--directory"]
    if command != "train":
        assert main([*train, str(run)]) == 0
    words = {
        "train": [*train, str(run)],
        "resume": ["resume", str(run), "--decisions", "1"],
        "replay": ["replay", str(run), "--directory", str(new)],
        "branch": ["branch", str(run), "--name", "b", "--decisions", "1"],
    }[command]
    monkeypatch.setattr(Trainer, "_gradients", compiler_is_missing)
    capsys.readouterr()
    assert main(words) == 1
    told = capsys.readouterr().err
    assert "Training failed: RuntimeError: Failed to find a compiler." in " ".join(told.split())
    assert "Traceback" not in told
    failed = {"train": run, "resume": run, "replay": new, "branch": run / "branches" / "b"}[command]
    (trace,) = (failed / "traces").iterdir()
    assert "compiler_is_missing" in trace.read_text()
    assert str(trace) in "".join(told.split()) or trace.name in told
    assert load_run(failed).failed


def test_a_run_says_that_it_has_diverged_and_from_when(
    text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    words = [
        "--corpus",
        str(text_file),
        "--learning-rate",
        "1e4",
        "--gradient-clip",
        "0",
        "--quiet",
        "--directory",
        run,
    ]
    assert main(["train", *QUICK, *words]) == 1
    assert "the run has diverged" in capsys.readouterr().err
    assert main(["show", run]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "(diverged)" in shown
    assert "at step 2" in shown
    assert main(["show", run, "--json"]) == 0
    failure = json.loads(capsys.readouterr().out)["failure"]
    assert failure["diverged"] is True
    assert failure["trace"] is None
