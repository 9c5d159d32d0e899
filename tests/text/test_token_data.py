"""Preparing tokens: the books, the cache and its key, byte-identical results, refusals with numbers."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layertie_lab.core.config import TextConfig
from layertie_lab.core.errors import CorpusError
from layertie_lab.records.io.store import Store
from layertie_lab.text import dataset
from layertie_lab.text.corpora.lookup import load_corpus, source_of
from layertie_lab.text.dataset import TokenData, prepare, store_key, unigram_entropy
from layertie_lab.text.sources import SPLITS, Corpus, Source, divide
from layertie_lab.text.texts import Text
from layertie_lab.text.tokenizers.lookup import maker


@pytest.fixture
def file(tmp_path: Path, prose: str) -> str:
    path = tmp_path / "prose.txt"
    path.write_text(prose, encoding="utf-8", newline="\n")
    return str(path)


def key_of(config: TextConfig) -> str:
    return store_key(config, source_of(config.corpus).identity())


def same(left: TokenData, right: TokenData) -> bool:
    return (
        all(
            left.splits[split].tobytes() == right.splits[split].tobytes()
            and left.splits[split].dtype == right.splits[split].dtype
            for split in SPLITS
        )
        and left.tokenizer.to_dict() == right.tokenizer.to_dict()
        and (left.description, left.notes, left.digest) == (right.description, right.notes, right.digest)
        and (left.bytes_per_token, left.unigram_entropy) == (right.bytes_per_token, right.unigram_entropy)
    )


@pytest.mark.parametrize("tokenizer", ["characters", "bytes", "bpe"])
def test_tokens_decode_to_the_splits(store, file: str, prose: str, tokenizer: str) -> None:
    config = TextConfig(corpus=file, tokenizer=tokenizer, vocabulary_size=300)
    data = prepare(config, 64, store)
    texts = {split: data.tokenizer.decode(data.splits[split]) for split in SPLITS}
    assert "".join(texts[split] for split in SPLITS) == prose
    assert texts == {split: str(text) for split, text in load_corpus(config).splits.items()}
    assert data.vocabulary_size == data.tokenizer.vocabulary_size
    assert data.bytes_per_token == len(texts["validation"].encode()) / len(data.splits["validation"])
    assert all(data.splits[split].max() < data.vocabulary_size for split in SPLITS)
    for word in ("prose.txt", "train = bytes 0 to", "reward = ", "validation = ", "test = ", tokenizer):
        assert word in data.description


def test_the_unigram_entropy_by_hand(store, file: str) -> None:
    data = prepare(TextConfig(corpus=file), 64, store)
    train, validation = data.splits["train"].tolist(), data.splits["validation"].tolist()
    counts = Counter(train)
    expected = -sum(math.log((counts[t] + 1) / (len(train) + data.vocabulary_size)) for t in validation)
    assert data.unigram_entropy == pytest.approx(expected / len(validation), rel=1e-12)
    uniform = np.arange(8).repeat(1000)
    assert unigram_entropy(uniform, uniform, 8) == pytest.approx(math.log(8))


def test_a_second_call_reads_no_text(store, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = [TextConfig(corpus=file), TextConfig(corpus=file, tokenizer="bpe"), TextConfig()]
    first = [prepare(config, 64, store) for config in configs]
    assert store.saves == 3

    def deaf(corpus: str, column: str) -> Source:
        return Source(
            source_of(corpus, column).identity, lambda limit: pytest.fail("text was read although it is in the store")
        )

    monkeypatch.setattr(dataset, "source_of", deaf)
    second = [prepare(config, 64, store) for config in configs]
    assert store.saves == 3
    assert all(map(same, first, second))


@pytest.mark.parametrize("tokenizer", ["characters", "bpe"])
def test_equal_inputs_give_equal_bytes(file: str, tmp_path: Path, tokenizer: str) -> None:
    config = TextConfig(corpus=file, tokenizer=tokenizer)
    first = prepare(config, 64, Store(tmp_path / "one"))
    second = prepare(config, 64, Store(tmp_path / "two"))
    again = prepare(config, 64, Store(tmp_path / "one"))
    assert same(first, second)
    assert same(first, again)
    assert isinstance(first.splits["train"], np.memmap)


def test_the_key_follows_everything_that_decides_the_tokens(
    file: str, prose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = TextConfig(corpus=file)
    keys = [
        key_of(config)
        for config in (
            base,
            TextConfig(corpus=file, limit_bytes=1000),
            TextConfig(corpus=file, tokenizer="bytes"),
            TextConfig(corpus=file, tokenizer="bpe"),
            TextConfig(corpus=file, tokenizer="bpe", vocabulary_size=300),
            TextConfig(),
            TextConfig(corpus="stdlib"),
        )
    ]
    assert len(set(keys)) == len(keys)
    assert key_of(TextConfig(corpus=file, vocabulary_size=300)) == keys[0]  # characters take no size
    Path(file).write_text(prose[::-1], encoding="utf-8", newline="\n")
    assert key_of(base) != keys[0]
    pydoc = key_of(TextConfig())
    monkeypatch.setattr(sys, "version", "3.99.0")
    assert key_of(TextConfig()) != pydoc
    monkeypatch.setattr(dataset, "FORMAT", 99)
    assert key_of(TextConfig(corpus=file, tokenizer="bytes")) != keys[2]


def test_a_changed_file_is_read_again(store, file: str, prose: str) -> None:
    config = TextConfig(corpus=file)
    first = prepare(config, 64, store)
    Path(file).write_text(prose.replace("tie", "bow"), encoding="utf-8", newline="\n")
    second = prepare(config, 64, store)
    assert first.digest != second.digest
    assert "bow" in second.tokenizer.decode(second.splits["test"])


def test_a_file_that_changes_while_it_is_read(store, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(file)

    def read(limit: int):
        corpus = source.read(limit)
        Path(file).write_text("changed")
        return corpus

    monkeypatch.setattr(dataset, "source_of", lambda corpus, column: Source(source.identity, read))
    with pytest.raises(CorpusError, match="changed"):
        prepare(TextConfig(corpus=file), 64, store)
    assert not store.saves


@given(words=st.lists(st.text(alphabet="ab\né🙂", min_size=1, max_size=20), min_size=30, max_size=60))
@settings(max_examples=25)
def test_splits_of_tokens_never_overlap(words: list[str]) -> None:
    text = "".join(words)
    splits, parts = divide({"train": Text.of(text)})
    arrays, meta = dataset._tokenize(Corpus("x", "x", splits, parts), maker(TextConfig(tokenizer="bytes")), "bytes")
    assert b"".join(arrays[split].astype(np.uint8).tobytes() for split in SPLITS) == text.encode()
    assert sum(map(len, arrays.values())) == meta["bytes"]


def test_too_short_a_text_is_refused_with_numbers(store, tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("ten bytes\n" * 100)
    with pytest.raises(CorpusError) as caught:
        prepare(TextConfig(corpus=str(path)), 256, store)
    assert "at least 257 tokens" in caught.value.message
    assert "has 50" in caught.value.message
    assert "6,425 bytes of text (there are 1,000)" in caught.value.remedy
    assert "at most 49" in caught.value.remedy
    assert not store.saves
    assert len(prepare(TextConfig(corpus=str(path)), 49, store).splits["test"]) == 50
    with pytest.raises(CorpusError, match="has 50"):  # from the cache, too
        prepare(TextConfig(corpus=str(path)), 50, store)
    path.write_text("ten bytes\n" * 643)
    prepare(TextConfig(corpus=str(path)), 256, store)
    path.write_text("x")
    for tokenizer in ("characters", "bytes", "bpe"):
        with pytest.raises(CorpusError, match=r"split of .* has 0"):
            prepare(TextConfig(corpus=str(path), tokenizer=tokenizer), 8, store)


def test_too_short_an_official_split_is_not_blamed_on_the_whole(store, tmp_path: Path, prose: str) -> None:
    for name, text in {"train.txt": prose, "valid.txt": "short\n", "test.txt": prose}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"validation split .* has 6") as caught:
        prepare(TextConfig(corpus=str(tmp_path)), 64, store)
    assert caught.value.remedy == "Use a context of at most 5."


def test_a_limit_is_a_note(store, file: str) -> None:
    data = prepare(TextConfig(corpus=file, limit_bytes=50_000), 64, store)
    assert len(data.notes) == 1
    assert "limit_bytes is 50,000" in data.notes[0]


def test_large_vocabularies_take_four_bytes(store, tmp_path: Path) -> None:
    every = "".join(chr(c) for c in range(0x20, 0x20000) if not 0xD800 <= c < 0xE000)
    path = tmp_path / "large.txt"
    path.write_text(every, encoding="utf-8", newline="\n")
    data = prepare(TextConfig(corpus=str(path)), 64, store)
    assert data.vocabulary_size > 1 << 16
    assert data.splits["train"].dtype == np.uint32
    assert "".join(data.tokenizer.decode(data.splits[split]) for split in SPLITS) == every + "\n"


def test_the_cached_path_is_quick(store) -> None:
    for config in (TextConfig(), TextConfig(corpus="stdlib", limit_bytes=100_000)):
        prepare(config, 64, store)
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            prepare(config, 64, store)
            seconds.append(time.perf_counter() - start)
        assert min(seconds) < 0.5


def test_nothing_heavy_is_imported_for_plain_text(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from layertie_lab.core.config import TextConfig\n"
        "from layertie_lab.records.io.store import Store\n"
        "from layertie_lab.text.dataset import prepare\n"
        f"prepare(TextConfig(), 64, Store({str(tmp_path)!r}))\n"
        "heavy = {'torch', 'datasets', 'transformers', 'tokenizers', 'huggingface_hub', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
