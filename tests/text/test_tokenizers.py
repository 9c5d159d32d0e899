"""Tokenizers: exact round trips, names, refusals, JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layertie_lab.core.config import TextConfig
from layertie_lab.core.errors import CorpusError
from layertie_lab.text import reach
from layertie_lab.text.texts import Text
from layertie_lab.text.tokenizers import subwords
from layertie_lab.text.tokenizers.bpe import BPETokenizer
from layertie_lab.text.tokenizers.bytes import ByteTokenizer
from layertie_lab.text.tokenizers.characters import CharacterTokenizer
from layertie_lab.text.tokenizers.lookup import maker, tokenizer_from_dict, tokenizer_identity
from layertie_lab.text.tokenizers.pretrained import PretrainedTokenizer

ALPHABET = "\n abcé語🙂"


@pytest.fixture(scope="module")
def bpe() -> BPETokenizer:
    return BPETokenizer.train(["the tie of the layers, the ties of the layer\n" * 50], 300)


@given(st.text(alphabet=ALPHABET))
def test_characters_round_trip(text: str) -> None:
    tokenizer = CharacterTokenizer.train([ALPHABET])
    ids = tokenizer.encode(text)
    assert ids.dtype == np.uint16
    assert len(ids) == len(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode(ids.tolist()) == text


def test_characters_are_ordered_and_shown() -> None:
    tokenizer = CharacterTokenizer.train(["cab\n", "ä"])
    assert tokenizer.characters == "\nabcä"
    assert tokenizer.vocabulary_size == 5
    assert [tokenizer.token_text(i) for i in range(5)] == ["\\n", "a", "b", "c", "ä"]


@pytest.mark.parametrize("unknown", ["é", "🙂", "\0", "\ud800"])
def test_an_unknown_character_is_named(unknown: str) -> None:
    tokenizer = CharacterTokenizer.train(["abc"])
    with pytest.raises(CorpusError, match=rf"U\+{ord(unknown):04X}\) at position 2") as caught:
        tokenizer.encode("ab" + unknown + unknown)
    assert repr(unknown) in caught.value.message
    assert "bytes" in caught.value.remedy


@given(st.text())
def test_bytes_round_trip(text: str) -> None:
    tokenizer = ByteTokenizer()
    ids = tokenizer.encode(text)
    assert ids.dtype == np.uint16
    assert len(ids) == len(text.encode())
    assert tokenizer.decode(ids) == text


def test_single_bytes_are_shown_and_broken_ones_decoded() -> None:
    tokenizer = ByteTokenizer()
    assert [tokenizer.token_text(i) for i in (10, 65, 32, 0xE9)] == ["\\n", "A", " ", "\\xe9"]
    assert tokenizer.decode([0xC3]) == "�"


@given(text=st.text())
def test_bpe_knows_every_character(bpe: BPETokenizer, text: str) -> None:
    ids = bpe.encode(text)
    assert ids.dtype == np.uint16
    assert bpe.decode(ids) == text


def test_bpe_is_shorter_than_bytes_and_shown(bpe: BPETokenizer) -> None:
    assert len(bpe.encode("the layers")) < 4
    assert " the" in {bpe.token_text(i) for i in range(bpe.vocabulary_size)}
    assert all(bpe.token_text(i) for i in range(bpe.vocabulary_size))
    assert bpe.vocabulary_size <= 300


def test_long_texts_are_encoded_in_parts(bpe: BPETokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "the layers of the tie\nare é tied\n" * 40
    whole = bpe.encode(text)
    monkeypatch.setattr(subwords, "_CHUNK", 70)
    assert np.array_equal(bpe.encode(text), whole)
    assert bpe.decode(bpe.encode(text.replace("\n", " "))) == text.replace("\n", " ")


@pytest.mark.parametrize("name", ["characters", "bytes", "bpe"])
def test_json_and_back(name: str) -> None:
    splits = {"train": Text.of("one tie\ntwo ties\n" * 20), "validation": Text.of("é")}
    tokenizer, _ = maker(TextConfig(tokenizer=name, vocabulary_size=270))(splits)
    again = tokenizer_from_dict(json.loads(json.dumps(tokenizer.to_dict())))
    assert (again.name, again.vocabulary_size) == (name, tokenizer.vocabulary_size)
    assert np.array_equal(
        again.encode("two é tie\n".replace(" ", "\n")), tokenizer.encode("two é tie\n".replace(" ", "\n"))
    )
    assert again.to_dict() == tokenizer.to_dict()
    with pytest.raises(CorpusError, match="from 0 to"):
        again.decode([again.vocabulary_size])
    with pytest.raises(CorpusError, match="from 0 to"):
        again.decode([-1])


def test_bpe_sees_only_the_train_split_and_characters_see_all() -> None:
    splits = {"train": Text.of("abab " * 50), "validation": Text.of("xyxy " * 50), "test": Text.of("é")}
    bpe, notes = maker(TextConfig(tokenizer="bpe", vocabulary_size=512))(splits)
    assert len(bpe.encode("abab")) == 1
    assert len(bpe.encode("xyxy")) == 4
    assert "of the 512" in notes[0]
    characters, _ = maker(TextConfig())(splits)
    assert characters.encode("éxa").size == 3


def test_bpe_does_not_depend_on_process_or_threads(tmp_path: Path) -> None:
    program = (
        "import random, sys; from layertie_lab.text.tokenizers.bpe import BPETokenizer\n"
        "words = [''.join(random.Random(i).choices('abcdefgh', k=4)) for i in range(500)]\n"
        "t = BPETokenizer.train([' '.join(words), '\\n'.join(words)], 400)\n"
        "sys.stdout.write(t.to_dict()['json'])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads},
        ).stdout
        for seed, threads in (("1", "1"), ("2", "3"))
    }
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("name", "meant"), [("charcters", "characters"), ("BPE", "bpe"), ("gpt2", "hf:gpt2"), ("chars", "characters")]
)
def test_a_tokenizer_that_does_not_exist(name: str, meant: str) -> None:
    with pytest.raises(CorpusError, match=name) as caught:
        tokenizer_identity(TextConfig(tokenizer=name))
    assert meant in caught.value.remedy


def pretrained_file(folder: Path, bpe: BPETokenizer) -> Path:
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(bpe.to_dict()["json"], encoding="utf-8")
    return folder


def test_a_pretrained_tokenizer_by_path(tmp_path: Path, bpe: BPETokenizer) -> None:
    folder = pretrained_file(tmp_path / "mine", bpe)
    config = TextConfig(tokenizer=f"hf:{folder}")
    tokenizer, _ = maker(config)({})
    assert tokenizer.name == f"hf:{folder}"
    assert np.array_equal(tokenizer.encode("the tie"), bpe.encode("the tie"))
    again = tokenizer_from_dict(tokenizer.to_dict())
    assert np.array_equal(again.encode("the tie"), bpe.encode("the tie"))
    first = tokenizer_identity(config)
    (folder / "tokenizer.json").write_text("{}")
    assert tokenizer_identity(config) != first
    with pytest.raises(CorpusError, match=r"tokenizer\.json"):
        maker(config)


def test_a_pretrained_tokenizer_from_the_hubs_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bpe: BPETokenizer
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(reach, "hub_reachable", lambda: pytest.fail("no look at the network is needed"))
    repository = tmp_path / "models--someone--words"
    pretrained_file(repository / "snapshots" / "0123abc", bpe)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abc")
    tokenizer = PretrainedTokenizer.load("hf:someone/words")
    assert np.array_equal(tokenizer.encode("the tie"), bpe.encode("the tie"))


def test_a_pretrained_tokenizer_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(reach, "hub_reachable", lambda: False)
    with pytest.raises(CorpusError, match="does not answer") as caught:
        maker(TextConfig(tokenizer="hf:someone/words"))
    assert '"characters", "bytes" or "bpe"' in caught.value.remedy
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CorpusError, match="forbids downloads"):
        maker(TextConfig(tokenizer="hf:someone/words"))
    with pytest.raises(CorpusError, match="a/b/c"):
        maker(TextConfig(tokenizer="hf:a/b/c"))
