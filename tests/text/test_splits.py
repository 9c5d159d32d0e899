"""Splits of which none repeats another: cut where documents end, repeated paragraphs on one side, the rest said."""

from __future__ import annotations

import random
import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layertie_lab.core.config import RunConfig, TextConfig
from layertie_lab.core.serialize import from_dict, to_dict
from layertie_lab.session.session import Session
from layertie_lab.text.corpora.lookup import load_corpus
from layertie_lab.text.corpora.registry import offline_corpora
from layertie_lab.text.dataset import prepare
from layertie_lab.text.overlap import WINDOW, Passages, hashes
from layertie_lab.text.provided import token_data
from layertie_lab.text.sources import SPLITS, Corpus, divide
from layertie_lab.text.splits import by_document, divided, overlaps
from layertie_lab.text.texts import Text

HELD_OUT = SPLITS[1:]


def words(count: int, seed: int = 0) -> str:
    """Random letters: no passage occurs twice."""
    draws = random.Random(seed)
    return " ".join("".join(draws.choices(string.ascii_lowercase, k=6)) for _ in range(count))


def paragraphs(count: int, seed: int = 0) -> list[str]:
    return [f"{words(40, seed * 10_000 + n)}\n\n" for n in range(count)]


def corpus_of(texts: list[str], **named: object) -> Corpus:
    splits, parts = divide({"train": Text.of("".join(texts))})
    return Corpus("x", "x", splits, parts, **named)


def plain_share(text: bytes, other: bytes) -> float:
    """Share of a text's passages in another, by a set of slices."""
    there = {other[i : i + WINDOW] for i in range(len(other) - WINDOW + 1)}
    asked = [text[i : i + WINDOW] in there for i in range(len(text) - WINDOW + 1)]
    return sum(asked) / len(asked) if asked else 0.0


@given(st.binary(max_size=400), st.integers(0, 300), st.integers(0, 400))
def test_passages_are_found_as_by_comparing_bytes(data: bytes, start: int, length: int) -> None:
    other = b"head" + data[start : start + length] + b"tail"
    assert len(hashes(data)) == max(0, len(data) - WINDOW + 1)
    assert Passages([other]).share(data) == plain_share(data, other)


def test_a_share_of_the_passages_tells_nearly_as_much() -> None:
    one, other = words(20_000, 1).encode(), words(20_000, 2).encode()
    mixed = b"".join((one if n % 4 else other)[n * 1000 : (n + 1) * 1000] for n in range(100))
    whole, few = Passages([one]).share(mixed), Passages([one], every=8).share(mixed)
    assert whole == pytest.approx(0.75, abs=0.03)
    assert few == pytest.approx(whole, abs=0.03)
    assert Passages.one_in(1 << 21) == 1
    assert Passages.one_in((1 << 21) + 1) == 2
    assert Passages.one_in(20_000_000) == 16


@pytest.mark.parametrize("name", offline_corpora())
def test_the_built_in_corpora_hold_out_what_training_never_sees(name: str) -> None:
    corpus = load_corpus(TextConfig(corpus=name))
    train = b"".join(corpus.splits["train"].pieces)
    for split in HELD_OUT:
        text = b"".join(corpus.splits[split].pieces)
        assert 0.02 < len(text) / len(train) < 0.09
        assert Passages([train]).share(text) < 0.005
        assert corpus.overlap[split] < 0.005
    assert not any(note.startswith("Warning") for note in corpus.notes)


def test_cuts_move_to_where_documents_end_and_else_to_paragraphs() -> None:
    texts = paragraphs(400)
    ends = np.cumsum([len(text.encode()) for text in texts])
    documents = [int(ends[n]) for n in (100, 339, 361, 378, 399)]
    found = by_document(corpus_of(texts, documents=documents))
    sizes = np.cumsum([found.splits[split].size for split in SPLITS])
    assert list(sizes) == [documents[1], documents[2], documents[3], ends[-1]]
    without = by_document(corpus_of(texts))
    for split in SPLITS:
        assert str(without.splits[split]).startswith(tuple(texts))
        assert str(without.splits[split]).endswith("\n\n")
    assert "".join(str(without.splits[split]) for split in SPLITS) == "".join(texts)


def test_paragraphs_that_repeat_go_to_train_and_nothing_is_lost() -> None:
    texts = paragraphs(400)
    texts[350], texts[372], texts[395] = texts[10], texts[11], texts[375]  # of train; of train; of two held-out splits
    found = by_document(corpus_of(texts))
    assert sorted("".join(str(found.splits[split]) for split in SPLITS).split("\n\n")) == sorted(
        "".join(texts).split("\n\n")
    )
    for split in HELD_OUT:
        others = "".join(str(found.splits[other]) for other in SPLITS if other != split)
        assert plain_share(str(found.splits[split]).encode(), others.encode()) < 0.005
    assert "but for 1 paragraph (" in found.parts["reward"]
    assert "of reward" in found.parts["train"]


def test_a_text_that_only_repeats_itself_stays_and_is_warned_of() -> None:
    corpus = corpus_of([words(200) + "\n\n"] * 60)
    found = divided(corpus, TextConfig())
    assert all(found.splits[split].size for split in SPLITS)
    assert all(share > 0.5 for share in overlaps(found).values())
    assert len(found.notes) == 1
    assert found.notes[0].startswith("Warning: ")
    assert "word for word" in found.notes[0]


def test_what_came_divided_stays_and_is_measured() -> None:
    texts = paragraphs(400)
    whole, given = "".join(texts), "".join(texts[3:9]) + words(4000, 90_001)
    splits, parts = divide({"train": Text.of(whole), "validation": Text.of(given), "test": Text.of(words(900, 90_002))})
    found = divided(Corpus("x", "x", splits, parts, official=("train", "validation", "test")), TextConfig())
    assert str(found.splits["validation"]) == given
    assert found.overlap["validation"] == pytest.approx(plain_share(given.encode(), whole.encode()), abs=0.005)
    assert "validation split's" in found.notes[0]
    assert "test split's" not in found.notes[0]


def test_by_bytes_as_before(tmp_path: Path) -> None:
    file = tmp_path / "twice.txt"
    texts = paragraphs(400)
    texts[395] = texts[3]
    file.write_text("".join(texts))
    old = load_corpus(TextConfig(corpus=str(file), splits="bytes"))
    assert "".join(str(old.splits[split]) for split in SPLITS) == "".join(texts)
    assert "text.splits=documents" in old.notes[0]
    new = load_corpus(TextConfig(corpus=str(file)))
    assert not new.notes
    settings = to_dict(RunConfig())
    del settings["text"]["splits"]
    assert from_dict(RunConfig, settings).text.splits == "bytes"


def test_a_run_and_its_texts_say_how_much_is_left(tmp_path: Path, store) -> None:
    data = prepare(TextConfig(), 64, store)
    assert "Of their passages of 64 bytes, 0.00% of reward" in data.description
    repeated = [words(300)] * 40
    handed = token_data(repeated, TextConfig(), 64)
    assert handed.notes[0].startswith("Warning")
    session = Session(RunConfig.preset("tiny"), tmp_path / "run", data=repeated)
    session.close()
    assert session.text_notes == handed.notes
