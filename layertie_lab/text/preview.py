"""A text as a run would read it, told before there is a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..core.config import TextConfig
from .dataset import ArrayStore, entry_of
from .sources import SPLITS
from .tokenizers.lookup import in_words, tokenizer_from_dict


@dataclass(frozen=True)
class Preview:
    """What a run would read.

    Args:
        head: How the text begins.
        characters: Of all splits.
        bytes: The same as UTF-8.
        tokens: Split -> its tokens.
        tokenizer: What makes them, in words.
        overlap: Held-out split -> share of its passages that stand in the train split too.
        notes: What a reader should know, as the run would say it.
    """

    head: str
    characters: int
    bytes: int
    tokens: Mapping[str, int]
    tokenizer: str
    overlap: Mapping[str, float]
    notes: tuple[str, ...]


def preview(config: TextConfig, context: int, store: ArrayStore) -> Preview:
    """The text of a config, read as `dataset.prepare` reads it, whose work is kept for the run.

    Args:
        config: Corpus, column, tokenizer and limit.
        context: Sequence length in tokens.
        store: Where prepared tokens are kept.

    Raises:
        CorpusError: A run could not read it; the message is what it would say.
    """
    arrays, meta, _ = entry_of(config, context, store)
    return Preview(
        head=meta["head"],
        characters=meta["characters"],
        bytes=meta["bytes"],
        tokens={split: len(arrays[split]) for split in SPLITS},
        tokenizer=in_words(tokenizer_from_dict(meta["tokenizer"])),
        overlap=meta["overlap"],
        notes=tuple(meta["notes"]),
    )
