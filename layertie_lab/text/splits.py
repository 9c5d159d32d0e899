"""From one text to splits of which none repeats another: cut where documents end, repeated paragraphs on one side."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..core.config import TextConfig
from .overlap import WINDOW, Passages
from .sources import CUT_PERCENT, REACH_PERCENT, SPLITS, Corpus, Source
from .texts import Text

DOCUMENT_REACH_PERCENT = 2
"""How far a cut may move, to either side, to where a document ends, in percent of the text."""
REPEATED = 0.25
"""Share of a paragraph's bytes in repeated passages from which on it goes to train."""
LEFT = 0.5
"""Least share of a held-out split that has to be left; one that would lose more stays as it is, and the run says so."""
WARNED = 0.01
"""Share of a split's passages in train, above which a reader is warned."""
_BLANK = re.compile(rb"\n[ \t]*\n(?:[ \t]*\n)*")


def read(source: Source, config: TextConfig) -> Corpus:
    """The corpus of a source, divided as the config says.

    Raises:
        CorpusError: It cannot be read.
    """
    return divided(source.read(config.limit_bytes), config)


def divided(corpus: Corpus, config: TextConfig) -> Corpus:
    """A corpus whose splits were cut by size alone, divided as the config says, with how much of it repeats itself."""
    found = by_document(corpus) if config.splits == "documents" else corpus
    overlap = overlaps(found)
    warned = {split: share for split, share in overlap.items() if share > WARNED}
    if not warned:
        return replace(found, overlap=overlap)
    named = " and ".join(f"{share:.1%} of the {split} split's" for split, share in warned.items())
    note = (
        f"Warning: {named} passages of {WINDOW} bytes stand word for word in the train split too, so that losses there "
        "are partly those of learning by heart."
    )
    if config.splits == "bytes":
        note += " Runs with text.splits=documents keep what repeats on one side."
    return replace(found, overlap=overlap, notes=(*found.notes, note))


def overlaps(corpus: Corpus) -> dict[str, float]:
    """Held-out split -> share of its passages (`overlap.WINDOW`) that stand in the train split too, 0 to 1."""
    train = corpus.splits["train"]
    passages = Passages(train.pieces, Passages.one_in(train.size))
    return {split: passages.share(b"".join(corpus.splits[split].pieces)) for split in SPLITS if split != "train"}


def by_document(corpus: Corpus) -> Corpus:
    """The same text with its cuts where documents end, and without paragraphs in two splits.

    What came divided stays as it is. Of what was cut from the train text, each cut moves to the nearest end of a
    document within `DOCUMENT_REACH_PERCENT` of the text, else to that of a paragraph within `REACH_PERCENT`, else it
    stays. A paragraph (what blank lines part) of a split that was cut off goes to the end of train where a quarter of
    it stands in another split too.
    """
    cut = [split for split in SPLITS if split == "train" or split not in corpus.official]
    whole = Text(tuple(piece for split in cut for piece in corpus.splits[split].pieces))
    edges = _edges(whole, corpus.documents, len(cut))
    splits = dict(corpus.splits) | {split: whole.part(*edge) for split, edge in zip(cut, pairwise(edges), strict=True)}
    source = "the official train split" if corpus.official else "the text"
    parts = dict(corpus.parts)
    for split, (start, end) in zip(cut, pairwise(edges), strict=True):
        parts[split] = f"bytes {start:,} to {end:,} of {source}"
    splits, moved = _apart(splits, cut[1:])
    for split, (paragraphs, size) in moved.items():
        many = f"{paragraphs} paragraph{'s' * (paragraphs > 1)}"
        parts[split] += f" but for {many} ({size:,} bytes) that repeat others and went to train"
    if moved:
        parts["train"] += " and " + ", ".join(f"{size:,} of {split}" for split, (_, size) in moved.items())
    return replace(corpus, splits=splits, parts=parts)


def _edges(whole: Text, documents: Sequence[int], count: int) -> list[int]:
    """Where each split begins, and where the last one ends, in bytes."""
    size, edges = whole.size, [0]
    ends = [end for end in documents if 0 < end < size]
    far, near = size * DOCUMENT_REACH_PERCENT // 100, size * REACH_PERCENT // 100
    for left in range(count - 1, 0, -1):
        wanted = size * (100 - CUT_PERCENT * left) // 100
        at = bisect_left(ends, wanted)
        ending = min(ends[max(at - 1, 0) : at + 1], key=lambda end: abs(end - wanted), default=-size)
        if abs(ending - wanted) > far:
            blank = _BLANK.search(b"".join(whole.part(wanted, min(wanted + near, size)).pieces))
            ending = wanted + blank.end() if blank else whole.cut_near(wanted, min(near, 1 << 16))
        edges.append(max(ending, edges[-1]))
    return [*edges, size]


def _apart(splits: dict[str, Text], held_out: Sequence[str]) -> tuple[dict[str, Text], dict[str, tuple[int, int]]]:
    """The splits without paragraphs in two of them, and how many paragraphs and bytes went from each to train."""
    every = Passages.one_in(splits["train"].size)
    train = Passages(splits["train"].pieces, every)
    kept = {split: b"".join(splits[split].pieces) for split in held_out}
    others = {split: b"".join(splits[split].pieces) for split in SPLITS if split not in ("train", *held_out)}
    gone: dict[str, list[bytes]] = {split: [] for split in held_out}
    closed: set[str] = set()
    while True:
        went = Passages([text for texts in gone.values() for text in texts], every)
        found = {split: Passages([text], every) for split, text in (kept | others).items()}
        moving = {
            split: _repeated(kept[split], [train, went, *(there for other, there in found.items() if other != split)])
            for split in held_out
            if split not in closed
        }
        for split, paragraphs in moving.items():
            left = sum(len(paragraph) for paragraph, repeats in paragraphs if not repeats)
            if left < LEFT * splits[split].size:
                # A text that is one long repetition has nothing to hold out: what it has is kept, and measured.
                kept[split], gone[split] = b"".join(splits[split].pieces), []
                closed.add(split)
        news = [split for split, paragraphs in moving.items() if split not in closed and any(r for _, r in paragraphs)]
        if not news:
            break
        for split in news:
            gone[split] += [paragraph for paragraph, repeats in moving[split] if repeats]
            kept[split] = b"".join(paragraph for paragraph, repeats in moving[split] if not repeats)
    moved = {split: (len(texts), sum(map(len, texts))) for split, texts in gone.items() if texts}
    if not moved:
        return splits, moved
    texts = {split: Text((text,)) for split, text in kept.items()}
    ended = b"".join(text for split in held_out for text in gone[split])
    return splits | texts | {"train": Text((*splits["train"].pieces, ended))}, moved


def _repeated(text: bytes, passages: Sequence[Passages]) -> list[tuple[bytes, bool]]:
    """The paragraphs of a text, in order, and whether enough of each is among some passages."""
    begin = np.zeros(len(text) + 1, np.int64)
    for there in passages:
        starts, repeated = there.among(text)
        begin[starts[repeated]] = 1
    end = np.concatenate([np.zeros(WINDOW, np.int64), begin[:-WINDOW]])[: len(begin)]
    before = np.concatenate([[0], np.cumsum(np.cumsum(begin - end)[:-1] > 0)])
    ends = [match.end() for match in _BLANK.finditer(text)]
    found = []
    for start, end in pairwise(dict.fromkeys([0, *ends, len(text)])):
        share = before[end] - before[start]
        found.append((text[start:end], bool(share and share >= REPEATED * (end - start))))
    return found
