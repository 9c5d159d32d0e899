"""The command line as a person uses it: output, JSON, exit codes, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from layertie_lab import Session, load_run
from layertie_lab.cli import main
from layertie_lab.cli.arguments import Train, parse
from layertie_lab.cli.display import size_text, sparkline

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
    "6",
]
PROMISED = {
    "final_validation_loss", "best_validation_loss", "unigram_entropy", "perplexity", "bits_per_byte", "owners",
    "trainable_parameters", "peak_memory_bytes", "steps_per_second", "decisions", "directory",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "run"
    assert main(["train", *QUICK, "--corpus", str(text_file), "--directory", str(folder), "--quiet"]) == 0
    return folder


def test_train_prints_one_json_object(text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", *QUICK, "--corpus", str(text_file), "--seed", "2", "--directory", str(tmp_path / "run"), "--json"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    found = json.loads(lines[0])
    assert found.keys() >= PROMISED
    assert found["decisions"] == 6
    assert found["directory"] == str(tmp_path / "run")


def test_every_setting_is_a_flag_and_the_preset_gives_the_defaults() -> None:
    command = parse(["train", "--scale", "tiny", "--algorithm", "paper", "--no-bias", "--q-learning-rate", "0.01"])
    assert isinstance(command, Train)
    assert command.config.ties.gradient == "owner"
    assert command.config.model.layers == 4
    assert not command.config.model.bias
    assert command.config.agent.q_learning_rate == 0.01


def test_help_needs_no_torch() -> None:
    code = (
        "import sys\nfrom layertie_lab.cli import main\n"
        "try:\n    main(['train', '--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "assert 'torch' not in sys.modules and 'polars' not in sys.modules and 'altair' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--steps-per-decision" in done.stdout


def test_show(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(run)]) == 0
    text = capsys.readouterr().out
    assert "finished" in text
    assert "nats/token" in text
    assert main(["show", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["decisions"] == 6
    assert len(found["ties"]) == 3
    assert len(found["latest_decisions"]) == 6
    assert found["validation_loss"] > 0


def test_a_run_stopped_within_a_decision_has_the_decisions_with_an_outcome_and_all_its_steps(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "stopped"
    with Session(load_run(run).config, folder) as session:
        session.run(4)
        session.begin(session.propose().choice, by="agent")
        for _ in range(3):
            session.advance()
        assert (session.summary()["decisions"], session.summary()["steps"]) == (4, 19)
    log = (folder / "events.jsonl").read_bytes()
    assert main(["show", str(folder)]) == 0
    assert "4 of 6 decisions and 3 steps of the next, 19 steps" in capsys.readouterr().out
    assert main(["show", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["decisions"], shown["steps"], shown["steps_under_way"]) == (4, 19, 3)
    assert main(["runs", str(folder), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["runs"][0]
    assert (listed["decisions"], listed["step"]) == (4, 19)
    # Gone on with, none of the steps is trained again.
    assert main(["resume", str(folder), "--json", "--quiet"]) == 0
    assert (folder / "events.jsonl").read_bytes()[: len(log)] == log
    assert (folder / "events.jsonl").read_bytes() == (run / "events.jsonl").read_bytes()


def test_runs(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(run.parent), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["runs"]
    assert [entry["name"] for entry in found] == [run.name]
    assert found[0]["status"] == "finished"
    assert main(["runs", str(tmp_path)]) == 0
    assert "No runs" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_export(kind: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), "--directory", str(tmp_path / "out"), "--format", kind, "--json"]) == 0
    files = [Path(name) for name in json.loads(capsys.readouterr().out)["files"]]
    assert {"decisions", "steps", "evaluations", "ties"} <= {path.stem for path in files}
    assert all(path.exists() for path in files)


def test_resume_goes_beyond_the_budget(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    shutil.copytree(run, tmp_path / "copy")
    assert main(["resume", str(tmp_path / "copy"), "--decisions", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["decisions"] == 8


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_saves_and_says_how_to_go_on(text_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["train", *QUICK[:-1], "100000", "--corpus", str(text_file), "--directory", str(folder), "--json"]
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; from layertie_lab.cli import main; sys.exit(main())", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    log = folder / "events.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and log.read_text().count('"came"') > 2):
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert "layertie resume" in errors
    assert json.loads(out)["finished"] is False
    done = json.loads(out)["decisions"]
    assert main(["resume", str(folder), "--decisions", "1", "--quiet"]) == 0
    assert log.read_text().count('"came"') >= done + 1


def test_a_closed_pipe_is_no_error(run: Path) -> None:
    code = "import sys; from layertie_lab.cli import main; sys.exit(main())"
    shell = f"'{sys.executable}' -c '{code}' show '{run}' --json | head -c 10"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", shell], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_sparkline_and_sizes() -> None:
    assert sparkline([]) == ""
    assert sparkline([1.0, 1.0]) == "▁▁"
    assert sparkline(list(range(800)), width=8) == "▁▂▃▄▅▆▇█"
    assert [size_text(n) for n in (12, 12_000, 1.2e9, 3e15)] == ["12 B", "12.0 kB", "1.2 GB", "3000.0 TB"]


def test_the_package_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "layertie_lab", "show", "nowhere"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
