"""The tokenizer characters: one token per character of the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from ...core.config import TextConfig
from ...core.errors import CorpusError
from .registry import TOKENIZERS, Maker, TokenizerDescription, checked_ids, id_type, shown

_UNKNOWN = 0xFFFF_FFFF


@TOKENIZERS.register(
    TokenizerDescription(
        "characters",
        "Characters",
        about="one token per character of the corpus",
        reads="the text of all splits",
        origin="from all splits",
        settings=("corpus", "limit_bytes"),
    )
)
class CharacterTokenizer:
    """One token per character.

    The vocabulary is built from the text of all splits, so that evaluation never meets an unknown character; only
    which characters exist is learned from the evaluation splits, not how often or where.

    Args:
        characters: The vocabulary, in order of their ids.
    """

    name = "characters"

    def __init__(self, characters: str) -> None:
        self.characters = characters
        self._points = np.frombuffer(characters.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        # One entry beyond the largest character stands for all that are larger.
        self._ids = np.full(int(self._points.max(initial=0)) + 2, _UNKNOWN, dtype=np.uint32)
        self._ids[self._points] = np.arange(len(self._points), dtype=np.uint32)

    @classmethod
    def identity(cls, config: TextConfig) -> list[Any]:
        """Values that decide it, given the text."""
        return [cls.name]

    @classmethod
    def maker(cls, config: TextConfig) -> Maker:
        """What makes it from the splits' text."""
        return lambda splits: (cls.train(chain.from_iterable(splits.values())), ())

    @classmethod
    def train(cls, texts: Iterable[str]) -> CharacterTokenizer:
        """All characters of the texts, in order of their code points."""
        seen = np.zeros(0x110000, dtype=bool)
        for text in texts:
            seen[np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")] = True
        return cls("".join(map(chr, np.flatnonzero(seen))))

    @property
    def vocabulary_size(self) -> int:
        return len(self._points)

    def encode(self, text: str) -> np.ndarray:
        """Ids of a text, [characters].

        Raises:
            CorpusError: A character that is not in the vocabulary; the message names it.
        """
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        ids = self._ids[np.minimum(points, len(self._ids) - 1)]
        unknown = np.flatnonzero(ids == _UNKNOWN)
        if unknown.size:
            place = int(unknown[0])
            raise CorpusError(
                f"Expected only the corpus' {self.vocabulary_size} characters, but got {text[place]!r} "
                f"(U+{ord(text[place]):04X}) at position {place}.",
                'Leave it out, or use the tokenizer "bytes" or "bpe", which know every character.',
            )
        return ids.astype(id_type(self.vocabulary_size))

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        return self._points[checked_ids(ids, self.vocabulary_size)].tobytes().decode("utf-32-le", "surrogatepass")

    def token_text(self, token: int) -> str:
        return shown(self.decode([token]))

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.name, "characters": self.characters}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CharacterTokenizer:
        """Back from `to_dict`."""
        return cls(values["characters"])
