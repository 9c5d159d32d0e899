"""A package that brings a corpus and a tokenizer: one file and its entry points, and they are everywhere by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
from layertie_lab.text.corpora.registry import CORPORA, CorpusDescription
from layertie_lab.text.sources import Corpus, Source, divide
from layertie_lab.text.texts import Text
from layertie_lab.text.tokenizers.bytes import ByteTokenizer
from layertie_lab.text.tokenizers.registry import TOKENIZERS, TokenizerDescription


@CORPORA.register(CorpusDescription("counting", "Counting", about="numbers in order, 60 kB", offline=True))
def counting():
    def read(limit):
        splits, parts = divide({"train": Text.of("".join(f"{n}\\n" for n in range(12_000))[:limit])})
        return Corpus("counting", "numbers in order", splits, parts)

    return Source(lambda: ["1"], read)


@TOKENIZERS.register(TokenizerDescription("pairs", "Pairs", about="bytes again", origin="from nothing"))
class Pairs(ByteTokenizer):
    name = "pairs"
"""
POINTS = "[layertie_lab.corpora]\ncounting = more_text\n[layertie_lab.tokenizers]\npairs = more_text\n"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment where the package is installed."""
    (tmp_path / "more_text.py").write_text(MODULE)
    packaged = tmp_path / "more_text-1.dist-info"
    packaged.mkdir()
    (packaged / "METADATA").write_text("Name: more_text\nVersion: 1\n")
    (packaged / "entry_points.txt").write_text(POINTS)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH"), str(Path(__file__).parents[2])])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def typed(environment: dict[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "layertie_lab", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_they_are_listed_in_the_help(environment: dict[str, str]) -> None:
    for command in ("train", "sweep", "replay"):
        text = typed(environment, command, "--help")
        assert "- counting: numbers in order, 60 kB" in text
        assert "- pairs: bytes again" in text
        assert "- pydoc: English prose" in text


def test_a_run_reads_them_and_goes_on(environment: dict[str, str], tmp_path: Path) -> None:
    words = ["--scale", "tiny", "--corpus", "counting", "--tokenizer", "pairs", "--decisions", "2", "--json", "--quiet"]
    typed(environment, "train", *words, "--directory", str(tmp_path / "run"))
    found = json.loads(typed(environment, "show", str(tmp_path / "run"), "--json"))
    assert found["corpus"].startswith("counting: numbers in order. Splits: train = bytes 0 to ")
    assert found["corpus"].endswith("Tokenizer: pairs (256 tokens, from nothing).")
    went_on = json.loads(typed(environment, "resume", str(tmp_path / "run"), "--decisions", "1", "--json", "--quiet"))
    assert went_on
