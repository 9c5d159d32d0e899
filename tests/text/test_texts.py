"""Text in pieces: cuts between characters, limits, splits that never overlap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layertie_lab.text.sources import SPLITS, divide
from layertie_lab.text.texts import Collector, Text

LINES = st.lists(st.text(alphabet="ab é語🙂\n", max_size=30), max_size=40)


def pieces(lines: list[str]) -> Text:
    return Text(tuple(line.encode() for line in lines if line))


@given(LINES, st.integers(0, 3000), st.integers(0, 40))
def test_a_cut_is_between_characters_and_near(lines: list[str], position: int, reach: int) -> None:
    text = pieces(lines)
    whole = "".join(lines).encode()
    cut = text.cut_near(position, reach)
    assert whole[:cut].decode() + whole[cut:].decode() == "".join(lines)
    assert min(position, len(whole)) <= cut <= min(position + max(reach, 3), len(whole))
    line = whole.find(b"\n", max(position - 1, 0), position + reach)
    if 0 < position < len(whole) and line >= 0:
        assert cut == line + 1


@given(LINES, st.data())
def test_parts_join_to_the_whole(lines: list[str], data: st.DataObject) -> None:
    text = pieces(lines)
    cut = text.cut_near(data.draw(st.integers(0, text.size)), 0)
    left, right = text.part(0, cut), text.part(cut, text.size)
    assert str(left) + str(right) == str(text)
    assert left.size + right.size == text.size
    assert Text.of(str(text)).digest() == text.digest()


@given(LINES, st.integers(1, 300))
def test_a_collector_keeps_a_prefix_within_its_limit(lines: list[str], limit: int) -> None:
    collector = Collector(limit)
    for line in lines:
        collector.add(line.encode())
        if collector.full:
            break
    kept = collector.text()
    whole = "".join(lines).encode()
    assert kept.size <= limit
    assert whole.startswith(str(kept).encode())
    assert collector.full == (len(whole) > limit)
    if not collector.full:
        assert str(kept) == "".join(lines)


def test_a_collector_ends_pieces_where_lines_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layertie_lab.text.texts.PIECE", 100)
    collector = Collector(10_000)
    for n in range(100):
        collector.add(f"number {n}\nand a half".encode())
    text = collector.text()
    assert len(text.pieces) > 10
    assert all(piece.endswith(b"\n") for piece in text.pieces[:-1])
    assert str(text) == "".join(f"number {n}\nand a half" for n in range(100))


@given(LINES)
def test_one_text_becomes_four_that_never_overlap(lines: list[str]) -> None:
    text = pieces(lines)
    splits, parts = divide({"train": text})
    assert tuple(splits) == tuple(parts) == SPLITS
    assert "".join(str(splits[split]) for split in SPLITS) == str(text)


def test_shares_of_a_single_text(prose: str) -> None:
    splits, parts = divide({"train": Text.of(prose)})
    size = len(prose.encode())
    for split, share in zip(SPLITS, (0.85, 0.05, 0.05, 0.05), strict=True):
        assert splits[split].size / size == pytest.approx(share, abs=0.005)
        assert str(splits[split]).endswith("\n")
    assert parts["train"] == f"bytes 0 to {splits['train'].size:,} of the text"
    assert parts["test"].endswith(f"to {size:,} of the text")
    assert not set(str(splits["train"]).splitlines()) & set(str(splits["test"]).splitlines())


def test_official_splits_stay_and_reward_comes_from_the_tail_of_train(prose: str) -> None:
    official = {"train": Text.of(prose), "validation": Text.of("v\n" * 99), "test": Text.of("t\n" * 99)}
    splits, parts = divide(official)
    assert splits["validation"] is official["validation"]
    assert splits["test"] is official["test"]
    assert str(splits["train"]) + str(splits["reward"]) == prose
    assert "official train split" in parts["reward"]
    assert parts["test"] == "the official test split, 198 bytes"


def test_a_missing_validation_split_is_cut_from_train_and_not_from_test(prose: str) -> None:
    official = {"train": Text.of(prose), "test": Text.of("t\n" * 99)}
    splits, _ = divide(official)
    assert splits["test"] is official["test"]
    assert str(splits["train"]) + str(splits["reward"]) + str(splits["validation"]) == prose
