"""Errors of torch, of libraries and of policies in the middle of a run: a sentence, a trace in the run, exit code 1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from finished_runs import finished, training

from layertie_lab import load_run
from layertie_lab.cli import main
from layertie_lab.core.errors import DivergedError
from layertie_lab.explorer import run_list
from layertie_lab.explorer.still_run import state_of
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.runs import summarize
from layertie_lab.training.loop import Trainer


def compiler_is_missing(*arguments: object, **settings: object) -> object:
    raise RuntimeError("Failed to find a compiler\n" + "    at some place\n" * 170)


@pytest.mark.parametrize("command", ["train", "resume", "replay", "branch"])
def test_a_sentence_a_trace_and_the_run_has_failed(
    command: str, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, new = tmp_path / "run", tmp_path / "new"
    if command != "train":
        finished(run, text_file)
    words = {
        "train": training(run, text_file),
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


@pytest.mark.parametrize("command", ["train", "resume", "replay"])
def test_what_fails_before_the_first_step_is_a_sentence_too(
    command: str, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, new = finished(tmp_path / "run", text_file), tmp_path / "new"
    words = {
        "train": training(new, text_file),
        "resume": ["resume", str(run), "--decisions", "1"],
        "replay": ["replay", str(run), "--directory", str(new)],
    }[command]
    monkeypatch.setattr(Trainer, "__init__", compiler_is_missing)
    capsys.readouterr()
    assert main(words) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "Preparing the run failed: RuntimeError: Failed to find a compiler." in told
    assert "Traceback" not in told
    assert "test_failures_of_others.py, line" in told or (run / "traces").is_dir()


def test_a_run_says_that_it_has_diverged_and_from_when(
    text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(training(run, text_file, learning_rate=1e4, gradient_clip=0)) == 1
    assert "the run has diverged" in capsys.readouterr().err
    assert main(["show", str(run)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "(diverged)" in shown
    assert "at step 2" in shown
    assert main(["show", str(run), "--json"]) == 0
    failure = json.loads(capsys.readouterr().out)["failure"]
    assert failure["diverged"] is True
    assert failure["trace"] is None


@pytest.mark.parametrize(("error", "word"), [(DivergedError, "diverged"), (RuntimeError, "failed")])
def test_one_word_for_what_ended_a_run(
    error: type[Exception],
    word: str,
    text_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ends(*_: object) -> object:
        raise error("It went wrong.")

    run = tmp_path / "runs" / "run"
    monkeypatch.setattr(Trainer, "_gradients", ends)
    assert main(training(run, text_file)) == 1
    capsys.readouterr()

    def printed(*words: str) -> Any:
        assert main(words) == 0
        return json.loads(capsys.readouterr().out)

    assert printed("show", str(run), "--json")["status"] == word
    assert printed("branch", str(run), "--tree", "--json")["tree"][0]["status"] == word
    (listed,) = printed("runs", str(run.parent), "--json")["runs"]
    (row,) = run_list.rows(run.parent)
    assert {listed["status"], row["status"], load_run(run).status} == {word}
    # The same while the process that trained it still has it open, and waits.
    held = RunDirectory.open(run)
    held.lock()
    assert {summarize(run).status, load_run(run).status} == {word}
    held.unlock()
    shown = state_of(load_run(run), example=False)["status_text"]
    assert ("diverged" in shown) == (word == "diverged")
