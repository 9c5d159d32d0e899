"""Thousands of commands with bad values: no trace, no hang, no exit code that is not documented."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from command_fuzzer import Ended, Fuzzer, run_words
from finished_runs import finished

from layertie_lab.cli import main

ENCODINGS = ("utf-8", "utf-8", "ascii", "cp1252", "cp437", "latin-1")
TOGETHER = 50
"""Commands whose files and branches lie beside each other."""
if sys.platform == "win32":
    pytest.skip("pipes and signals of another system", allow_module_level=True)


@pytest.fixture(scope="module")
def run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with stored moments."""
    return finished(tmp_path_factory.mktemp("fuzzed") / "runs" / "run", text_file, decisions=4, moment_every=1)


def fuzzed(seed: int, count: int, folder: Path, run: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> list[Ended]:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", str(random.Random(seed).choice((20, 40, 80, 200))))
    fuzzer, ended = Fuzzer(seed, folder, run, text), []
    log = (run / "events.jsonl").read_bytes()
    for number in range(count):
        if number % TOGETHER == 0:
            fuzzer.clear()
        words = fuzzer.command()
        ended.append(run_words(words, fuzzer.draw.choice(ENCODINGS)))
        assert not ended[-1].wrong, f"seed {seed}, command {len(ended)}: {ended[-1].words!r}: {ended[-1].wrong}"
        assert (run / "events.jsonl").read_bytes() == log, f"seed {seed}: {words!r} changed the run"
    return ended


def test_a_slice_of_bad_commands(run: Path, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = fuzzed(1, 60, tmp_path, run, text_file, monkeypatch)
    assert len({each.words[0] for each in ended if each.words}) > 5


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_ten_thousand_bad_commands(
    run: Path, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    with capsys.disabled():
        print(f"\nseed of the commands: {seed}")
    ended = fuzzed(seed, 10_000, tmp_path, run, text_file, monkeypatch)
    with capsys.disabled():
        print(f"{len(ended)} commands: {dict(Counter(each.code for each in ended))}")
    assert main(["runs", str(run.parent)]) == 0
