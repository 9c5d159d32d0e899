"""Text to token ids and back: what a run needs of a tokenizer, and how tokenizers are found by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...core.config import TextConfig
from ...core.descriptions import Description, Registry
from ...core.errors import CorpusError
from ..texts import Text


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


Made = tuple[Tokenizer, tuple[str, ...]]
"""A tokenizer, and what a reader should know of it, a sentence each."""
Maker = Callable[[Mapping[str, Text]], Made]
"""Makes a tokenizer from the text of each split."""


class TokenizerKind(Protocol):
    """How a kind of tokenizer is made and brought back; the class of the tokenizer says it in class methods."""

    def identity(self, config: TextConfig) -> list[Any]:
        """Values (for JSON) that decide the tokenizer, given the text.

        Raises:
            CorpusError: No such tokenizer.
        """
        ...

    def maker(self, config: TextConfig) -> Maker:
        """What makes it from the splits' text. What can be loaded without the text is loaded now.

        Raises:
            CorpusError: One that cannot be loaded.
        """
        ...

    def from_dict(self, values: dict[str, Any]) -> Tokenizer:
        """Back from `Tokenizer.to_dict`."""
        ...


@dataclass(frozen=True)
class TokenizerDescription(Description):
    """What a tokenizer says of itself; `name` is the kind in `to_dict`.

    Args:
        origin: What its vocabulary is made from, as it is written behind the name; "" where it is nothing of the run.
        settings: Settings of the text that its vocabulary depends on.
    """

    origin: str = ""
    settings: tuple[str, ...] = ()


TOKENIZERS: Registry[TokenizerDescription, TokenizerKind] = Registry(
    "tokenizer",
    [f"layertie_lab.text.tokenizers.{module}" for module in ("characters", "bytes", "bpe", "pretrained")],
    "layertie_lab.tokenizers",
)
"""Kind -> what makes it; a package brings its own in the entry-point group `layertie_lab.tokenizers`."""


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
