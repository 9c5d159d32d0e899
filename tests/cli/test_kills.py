"""SIGKILL, SIGTERM and SIGINT for the commands: they go on to the same results, bit for bit, and leave nothing."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import polars as pl
import pytest
from killing import SMALL, appears, drawn, ended, replicates, start, strike, unfinished

from layertie_lab import RunConfig, Session
from layertie_lab.cli import main
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.state.checkpoints import load_checkpoint
from layertie_lab.records.sweeps import SweepDirectory

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL"),
    pytest.mark.timeout(3600),
]


def trained(text: Path, folder: Path, decisions: int) -> list[str]:
    return [
        *("train", *SMALL, f"--decisions={decisions}", f"--corpus={text}", f"--directory={folder}", "--quiet"),
        *("--checkpoint-seconds=0.2", "--evaluate-every=4", "--moment-every=5", "--dropout=0.1"),
    ]


def is_same(folder: Path, whole: Path) -> None:
    assert (folder / "events.jsonl").read_bytes() == (whole / "events.jsonl").read_bytes()
    one, other = (load_checkpoint(RunDirectory.open(path)) for path in (folder, whole))
    assert one.meta == other.meta
    assert one.tensors.keys() == other.tensors.keys()
    assert all(one.tensors[name].equal(other.tensors[name]) for name in one.tensors)
    moments = [sorted(path.name for path in (run / "checkpoints").glob("spaced-*")) for run in (folder, whole)]
    assert moments[0] == moments[1]
    assert unfinished(folder) == []


@pytest.fixture(scope="module")
def whole(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("kills") / "whole"
    assert main(trained(text_file, folder, 100)) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end(sent: signal.Signals, whole: Path, text_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(trained(text_file, folder, 100))
    assert appears(folder / "events.jsonl", process)
    time.sleep(drawn().uniform(0.0, 0.5))
    process.send_signal(sent)
    ended(process, 0, 130)
    assert unfinished(folder) == []
    ended(start(["resume", str(folder), "--quiet"]))
    is_same(folder, whole)


@pytest.mark.parametrize("kills", [pytest.param(1, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.long)])
def test_two_processes_at_the_door(kills: int, text_file: Path, tmp_path: Path) -> None:
    """One of two gets in; when it is killed, one of the next two does."""
    folder, whole, draw, struck = tmp_path / "run", tmp_path / "whole", drawn(), 0
    assert main(trained(text_file, whole, 100 * kills)) == 0
    first = start(trained(text_file, folder, 100 * kills))
    assert appears(folder / "events.jsonl", first)
    assert strike(first)
    while struck < kills:
        both = [start(["resume", str(folder), "--quiet"]) for _ in range(2)]
        until = time.monotonic() + draw.uniform(0.0, 12.0)
        while time.monotonic() < until and all(process.poll() is None for process in both):
            time.sleep(0.01)
        time.sleep(draw.uniform(0.0, 0.5))
        standing = [process for process in both if process.poll() is None]
        killed = sum(strike(process) for process in standing)
        for process in both:
            if process not in standing:
                ended(process, 0, 2)
        struck += killed
        if not killed:  # it came to its end
            break
    print(f"killed {struck + 1} times")
    ended(start(["resume", str(folder), "--quiet"]))
    is_same(folder, whole)


@pytest.fixture(scope="module")
def asked(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a moment to ask about."""
    folder = tmp_path_factory.mktemp("kills") / "asked"
    config = RunConfig.preset(
        "tiny", corpus=str(text_file), layers=3, width=16, context=16, batch_size=4, decisions=8, threads=1
    )
    with Session(config, folder) as session:
        session.run(2)
        proposal = session.propose()
        session.commit(next(answer for answer in proposal.legal if answer != proposal.choice))
        session.run(1)
    return folder


TWINS = ["--exploratory", "--looks", "4", "--horizon=40", "--workers=1", "--quiet"]


@pytest.mark.parametrize("kills", [pytest.param(1, marks=pytest.mark.slow), pytest.param(10, marks=pytest.mark.long)])
def test_twins_are_killed(kills: int, asked: Path, tmp_path: Path) -> None:
    runs = [tmp_path / name for name in ("whole", "killed")]
    for run in runs:
        shutil.copytree(asked, run)
    ended(start(["twins", str(runs[0]), *TWINS]))
    draw, struck, tries = drawn(), 0, 0
    study = runs[1] / "studies" / "study-001"
    while struck < kills and tries < 3 * kills:
        tries += 1
        stated = (study / "statement.json").exists()
        process = start(["twins", str(runs[1]), *(["--resume", "study-001", "--quiet"] if stated else TWINS)])
        if appears(study / "statement.json", process):
            time.sleep(draw.uniform(0.0, 4.0))
        struck += strike(process)
    print(f"killed {struck} times")
    ended(start(["twins", str(runs[1]), "--resume", "study-001", "--quiet"]))
    assert struck
    assert replicates(study) == replicates(runs[0] / "studies" / "study-001")
    assert unfinished(runs[1]) == []


@pytest.mark.parametrize("kills", [pytest.param(1, marks=pytest.mark.slow), pytest.param(10, marks=pytest.mark.long)])
def test_a_sweep_is_killed(kills: int, text_file: Path, tmp_path: Path) -> None:
    def words(folder: Path) -> list[str]:
        what = ["--decisions=80", "--checkpoint-seconds=0.2", "--no-baselines"]
        what += ["--policies", "random", "all-tied", "--seeds", "0,1"]
        return ["sweep", *SMALL, *what, f"--corpus={text_file}", f"--directory={folder}", "--processes=2"]

    folders = [tmp_path / name for name in ("whole", "killed")]
    ended(start(words(folders[0])))
    draw, struck, tries = drawn(), 0, 0
    while struck < kills and tries < 3 * kills:
        tries += 1
        planned = (folders[1] / "sweep.json").exists()
        process = start(["sweep", "--resume", f"--directory={folders[1]}"] if planned else words(folders[1]))
        if appears(folders[1] / "sweep.json", process):
            time.sleep(draw.uniform(0.0, 6.0))
        struck += strike(process)
    print(f"killed {struck} times")
    ended(start(["sweep", "--resume", f"--directory={folders[1]}"]))
    assert struck
    assert SweepDirectory.open(folders[1]).runs.keys() == SweepDirectory.open(folders[0]).runs.keys()
    for name in SweepDirectory.open(folders[0]).runs:
        is_same(folders[1] / name, folders[0] / name)
    assert unfinished(folders[1]) == []


@pytest.mark.parametrize("kills", [pytest.param(1, marks=pytest.mark.slow), pytest.param(10, marks=pytest.mark.long)])
def test_an_export_is_killed(kills: int, whole: Path, tmp_path: Path) -> None:
    assert main(["export", str(whole), "--directory", str(tmp_path / "whole"), "--json"]) == 0
    wanted = {path.name: pl.read_parquet(path) for path in (tmp_path / "whole").iterdir()}
    draw, struck, tries = drawn(), 0, 0
    while struck < kills and tries < 3 * kills:
        tries += 1
        process = start(["export", str(whole), "--directory", str(tmp_path / "killed"), "--json"])
        if draw.random() < 0.7 and not (tmp_path / "killed").exists():
            appears(tmp_path / "killed", process)
        time.sleep(draw.uniform(0.0, 2.5))
        struck += strike(process)
        for path in (tmp_path / "killed").glob("*.parquet"):
            assert pl.read_parquet(path).equals(wanted[path.name])  # whole, or not there
    print(f"killed {struck} times")
    ended(start(["export", str(whole), "--directory", str(tmp_path / "killed"), "--json"]))
    assert {path.name for path in (tmp_path / "killed").glob("*.parquet")} == wanted.keys()
