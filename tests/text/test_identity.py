"""The identity of a text: equal for equal data wherever it lies, another one for anything else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from layertie_lab.core.config import TextConfig
from layertie_lab.core.errors import CorpusError
from layertie_lab.text import dataset
from layertie_lab.text.corpora.lookup import at_place, source_of
from layertie_lab.text.dataset import prepare
from layertie_lab.text.identity import TextIdentity, pack, unpack, vocabulary_digest
from layertie_lab.text.numbered import numbered
from layertie_lab.text.sources import SPLITS, Source
from layertie_lab.text.tokenizers.bpe import BPETokenizer
from layertie_lab.text.tokenizers.characters import CharacterTokenizer

TOKENIZERS = ["characters", "bytes", "bpe"]


@pytest.fixture
def file(tmp_path: Path, prose: str) -> Path:
    path = tmp_path / "prose.txt"
    path.write_text(prose, encoding="utf-8", newline="\n")
    return path


def identified(path: Path, store, **settings):
    config = TextConfig(corpus=str(path), **settings)
    data = prepare(config, 16, store)
    return TextIdentity.of(config, data), data


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_the_same_text_elsewhere_is_the_same(store, file: Path, tmp_path: Path, tokenizer: str) -> None:
    first, data = identified(file, store, tokenizer=tokenizer)
    assert first.origin is not None
    assert first.origin.where == str(file)
    assert first.origin.bytes == file.stat().st_size
    assert TextIdentity.from_dict(json.loads(json.dumps(first.to_dict()))) == first
    moved = tmp_path / "else" / "other.txt"
    moved.parent.mkdir()
    moved.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    second, again = identified(moved, store, tokenizer=tokenizer)
    assert first.is_same(again)
    assert second.origin is not None
    assert (second.tokens, second.vocabulary, second.origin.text) == (first.tokens, first.vocabulary, first.origin.text)
    assert again.description != data.description
    assert first.named(again).description == data.description


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_another_text_is_another(store, file: Path, prose: str, tokenizer: str) -> None:
    first, _ = identified(file, store, tokenizer=tokenizer)
    for text in (prose + "x", prose[:-2] + "u\n", prose.replace("l", "\u0107"), prose[4000:] + prose[:4000]):
        file.write_text(text, encoding="utf-8", newline="\n")
        second, data = identified(file, store, tokenizer=tokenizer)
        assert not first.is_same(data)
        assert second.origin is not None
        assert first.origin is not None
        assert second.origin.text != first.origin.text


def test_ids_that_stand_for_other_characters_are_another_text(store, file: Path, prose: str) -> None:
    first, data = identified(file, store)
    # The last of the alphabet gives way to one beyond it: every id stays as it is.
    last = max(prose)
    file.write_text(prose.replace(last, chr(ord(last) + 1)), encoding="utf-8", newline="\n")
    _, other = identified(file, store)
    assert other.digest == data.digest
    assert not first.is_same(other)


def test_digests_are_made_once(store, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = identified(file, store)
    source = source_of(str(file))
    deaf = Source(source.identity, lambda limit: pytest.fail("text was read again"), source.where)
    monkeypatch.setattr("layertie_lab.text.identity.source_of", lambda corpus, column: deaf)
    monkeypatch.setattr(dataset, "source_of", lambda corpus, column: deaf)
    monkeypatch.setattr(dataset, "ids_digest", lambda splits: pytest.fail("ids were hashed again"))
    second, _ = identified(file, store)
    assert second == first
    assert first.origin is not None
    assert first.text_now(TextConfig(corpus=str(file))) == first.origin


def test_the_text_of_now(store, file: Path, prose: str) -> None:
    first, _ = identified(file, store)
    assert first.origin is not None
    file.write_text(prose, encoding="utf-8", newline="\n")  # at another time
    assert first.text_now(TextConfig(corpus=str(file))).text == first.origin.text
    file.write_text(prose + "x", encoding="utf-8", newline="\n")
    assert first.text_now(TextConfig(corpus=str(file))).text != first.origin.text
    file.unlink()
    with pytest.raises(CorpusError):
        first.text_now(TextConfig(corpus=str(file)))


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_a_pack_gives_the_same_data(store, file: Path, tokenizer: str) -> None:
    identity, data = identified(file, store, tokenizer=tokenizer)
    packed = pack(data)
    assert packed is not None
    arrays, values = packed
    again = unpack(identity, arrays, json.loads(json.dumps(values)))
    for split in SPLITS:
        assert again.splits[split].dtype == data.splits[split].dtype
        assert np.array_equal(again.splits[split], data.splits[split])
    assert again.tokenizer.to_dict() == data.tokenizer.to_dict()
    assert TextIdentity.of(TextConfig(corpus=str(file), tokenizer=tokenizer), again) == identity
    arrays["test"] = arrays["test"][:-1]
    with pytest.raises(CorpusError, match=f"Expected tokens of digest {identity.tokens}"):
        unpack(identity, arrays, values)
    del arrays["test"]
    with pytest.raises(CorpusError, match="there is no 'test'"):
        unpack(identity, arrays, values)


def test_what_is_not_prepared_here_is_not_packed(store, file: Path) -> None:
    ids = np.arange(100) % 7
    assert pack(numbered(ids, ids, 7)) is None  # a tokenizer that no config names
    _, data = identified(file, store)
    assert pack(replace(data, splits={split: ids.astype(np.int64) for split in SPLITS})) is None


def test_a_tokenizer_is_known_by_its_tokens(prose: str) -> None:
    bpe = BPETokenizer.train([prose], 300)
    renamed = BPETokenizer.from_dict(bpe.to_dict() | {"name": "hf:elsewhere"})
    assert vocabulary_digest(renamed) == vocabulary_digest(bpe)
    assert vocabulary_digest(BPETokenizer.train([prose], 301)) != vocabulary_digest(bpe)
    assert vocabulary_digest(CharacterTokenizer("ab")) != vocabulary_digest(CharacterTokenizer("ac"))


def test_a_corpus_at_another_place(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("text")
    assert at_place("old/prose.txt", tmp_path / "file.txt") == str(tmp_path / "file.txt")
    assert at_place("hf:rows", tmp_path) == f"hf:{tmp_path}"
    assert at_place("hf:rows::text", tmp_path) == f"hf:{tmp_path}::text"
    assert at_place("hf:owner/name", tmp_path / "file.txt") == str(tmp_path / "file.txt")


def test_in_words(store, file: Path) -> None:
    identity, _ = identified(file, store)
    assert f"{file} ({file.stat().st_size:,} bytes read, text's digest " in str(identity)
    assert "handed in (tokens' digest " in str(replace(identity, origin=None))
