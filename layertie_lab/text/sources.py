"""What a corpus is, and how one text becomes four that never overlap."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .texts import Text

SPLITS = ("train", "reward", "validation", "test")
"""train: gradient steps and a bpe vocabulary; reward: what the agent is told; validation and test: evaluation."""
CUT_PERCENT = 5
"""Share of a text that each split cut from its tail gets, in percent."""
REACH_PERCENT = 1
"""How far a cut may move on to the end of a line, in percent of the text."""


@dataclass(frozen=True)
class Corpus:
    """Text, divided.

    Args:
        name: As the config says it.
        description: What it is, in words, with its size.
        splits: Text of train, reward, validation and test, which have no byte in common.
        parts: For each split, in words, which part of the source it is.
        official: Splits that came divided; the others were cut from a longer text.
        notes: What a reader should know, such as a limit that was reached.
        documents: Where each document of the text that was cut ends, in bytes; empty where it is not known.
        overlap: Split -> share of its passages that stand in the train split too (`splits.overlaps`), once measured.
        older: The description in logs of runs whose text is cut by size, as it stood there before; "" = the same.
    """

    name: str
    description: str
    splits: dict[str, Text]
    parts: dict[str, str]
    official: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    documents: Sequence[int] = ()
    overlap: Mapping[str, float] = field(default_factory=dict)
    older: str = ""

    @property
    def size(self) -> int:
        """Bytes of UTF-8 in all splits."""
        return sum(text.size for text in self.splits.values())

    def digest(self) -> str:
        """40 hexadecimal digits over the text of all splits, in the order of `SPLITS`."""
        found = hashlib.blake2b(digest_size=20)
        for split in SPLITS:
            found.update(f"{split} {self.splits[split].size} {self.splits[split].digest()}\n".encode())
        return found.hexdigest()


@dataclass(frozen=True)
class Source:
    """Where a corpus comes from.

    Args:
        identity: Values (for JSON) that change whenever the text may have; cheap, reads no text.
        read: Reads the corpus, given the most bytes to read. Raises CorpusError.
        where: Absolute path of the text; None for what has none (built-in corpora, the hub's data sets).
    """

    identity: Callable[[], list[Any]]
    read: Callable[[int], Corpus]
    where: str | None = None


def divide(texts: Mapping[str, Text]) -> tuple[dict[str, Text], dict[str, str]]:
    """Cut from the tail of the train text whatever splits are missing.

    A single text becomes .85 / .05 / .05 / .05 (train, reward, validation, test), contiguous; cuts move on to the end
    of a line where one is near. Splits that are given stay as they are.

    Args:
        texts: "train", and "validation" and "test" where the corpus comes with them.

    Returns:
        The four splits, and for each in words which part of the source it is.
    """
    whole = texts["train"]
    cut = [split for split in SPLITS if split not in texts or split == "train"]
    size, reach = whole.size, min(whole.size * REACH_PERCENT // 100, 1 << 16)
    edges = [
        0,
        *(whole.cut_near(size * (100 - CUT_PERCENT * left) // 100, reach) for left in range(len(cut) - 1, 0, -1)),
        size,
    ]
    source = "the official train split" if len(texts) > 1 else "the text"
    splits, parts = {}, {}
    for split in SPLITS:
        if split in cut:
            start, end = edges[cut.index(split)], edges[cut.index(split) + 1]
            splits[split], parts[split] = whole.part(start, end), f"bytes {start:,} to {end:,} of {source}"
        else:
            splits[split] = texts[split]
            parts[split] = f"the official {split} split, {texts[split].size:,} bytes"
    return splits, parts


def room_for(split: str, limit: int, room: int) -> int:
    """Most bytes for a split that comes divided: a tenth of the limit for evaluation, what is left for train."""
    return room if split == "train" else min(room, max(limit // 10, 1))


def limit_note(what: str, read: int, limit: int, *, official: bool = False) -> str:
    """The note that a limit was reached."""
    share = "; validation and test get a tenth each" if official else ""
    return f"Of {what}, the first {read:,} bytes were read and the rest left out (limit_bytes is {limit:,}{share})."
