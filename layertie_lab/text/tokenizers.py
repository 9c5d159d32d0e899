"""Text to token ids and back: one protocol, and the two tokenizers that need nothing but numpy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from ..core.errors import CorpusError

_UNKNOWN = 0xFFFF_FFFF


class Tokenizer(Protocol):
    """What a run needs of a tokenizer.

    Args:
        name: As the config says it: characters, bytes, bpe or hf:NAME.
    """

    name: str

    @property
    def vocabulary_size(self) -> int:
        """Number of ids; every id is below it."""
        ...

    def encode(self, text: str) -> np.ndarray:
        """Ids of a text, [tokens], uint16 (uint32 where the vocabulary is larger)."""
        ...

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of ids; bytes that are no UTF-8 come out as U+FFFD."""
        ...

    def token_text(self, token: int) -> str:
        """One token as it may be shown: what is not printable is written as an escape."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, from which `from_dict` makes the same tokenizer."""
        ...


def id_type(vocabulary_size: int) -> type[np.unsignedinteger]:
    """The smallest of uint16 and uint32 that holds every id."""
    return np.uint16 if vocabulary_size <= 1 << 16 else np.uint32


def checked_ids(ids: Sequence[int] | np.ndarray, vocabulary_size: int) -> np.ndarray:
    """Ids as an int64 array.

    Raises:
        CorpusError: An id outside the vocabulary.
    """
    array = np.asarray(ids, dtype=np.int64).reshape(-1)
    if array.size and not (array.min() >= 0 and array.max() < vocabulary_size):
        wrong = array[(array < 0) | (array >= vocabulary_size)][0]
        raise CorpusError(
            f"Expected token ids from 0 to {vocabulary_size - 1}, but got {wrong}.",
            "Decode with the tokenizer that the tokens were made with.",
        )
    return array


def shown(text: str) -> str:
    """A text with everything invisible but the space written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


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


class ByteTokenizer:
    """One token per byte of UTF-8: 256 tokens, for any text."""

    name = "bytes"
    vocabulary_size = 256

    def encode(self, text: str) -> np.ndarray:
        """Ids of a text, [bytes], uint16."""
        return np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8).astype(np.uint16)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        return checked_ids(ids, self.vocabulary_size).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def token_text(self, token: int) -> str:
        value = int(checked_ids([token], self.vocabulary_size)[0])
        return shown(chr(value)) if value < 128 else f"\\x{value:02x}"

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.name}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ByteTokenizer:
        """Back from `to_dict`."""
        return cls()
