"""The tokenizer bytes: one token per byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.config import TextConfig
from .registry import TOKENIZERS, Maker, TokenizerDescription, checked_ids, shown


@TOKENIZERS.register(
    TokenizerDescription("bytes", "Bytes", about="one token per byte of UTF-8: 256 tokens, for any text")
)
class ByteTokenizer:
    """One token per byte of UTF-8: 256 tokens, for any text."""

    name = "bytes"
    vocabulary_size = 256

    @classmethod
    def identity(cls, config: TextConfig) -> list[Any]:
        """Values that decide it, given the text."""
        return [cls.name]

    @classmethod
    def maker(cls, config: TextConfig) -> Maker:
        """What makes it from the splits' text."""
        return lambda splits: (cls(), ())

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
