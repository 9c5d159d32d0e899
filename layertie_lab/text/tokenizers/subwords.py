"""What the tokenizers of the library `tokenizers` have in common.

The library is imported in the functions: only runs that use it wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .registry import checked_ids, id_type, shown

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Library

# The library works on several texts at once; one text of megabytes would keep it to one thread.
_CHUNK = 1 << 16
_CHUNKS_AT_ONCE = 64


class SubwordTokenizer:
    """A tokenizer of the library `tokenizers`.

    Args:
        name: As the config says it.
        library: The library's tokenizer.
    """

    kind = ""

    def __init__(self, name: str, library: Library) -> None:
        library.no_truncation()
        library.no_padding()
        self.name = name
        self._library = library
        # Ids may have gaps: what counts for an embedding is the largest one.
        self._size = max(library.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    @property
    def vocabulary_size(self) -> int:
        return self._size

    def encode(self, text: str) -> np.ndarray:
        """Ids of a text, [tokens], without special tokens around it."""
        found: list[np.ndarray] = []
        waiting = chunks(text)
        while some := list(islice(waiting, _CHUNKS_AT_ONCE)):
            encodings = self._library.encode_batch_fast(some, add_special_tokens=False)
            found += [np.array(encoding.ids, dtype=id_type(self._size)) for encoding in encodings]
        return np.concatenate(found) if found else np.empty(0, dtype=id_type(self._size))

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        return self._library.decode(checked_ids(ids, self._size).tolist(), skip_special_tokens=False)

    def token_text(self, token: int) -> str:
        text = self.decode([token])
        # A part of a character, or a token that only means something beside others: show the library's own name.
        return shown(text) if text and "\N{REPLACEMENT CHARACTER}" not in text else self._raw(token)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "json": self._library.to_str()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Back from `to_dict`."""
        from tokenizers import Tokenizer as Library

        return cls(values["name"], Library.from_str(values["json"]))

    def _raw(self, token: int) -> str:
        return self._library.id_to_token(token) or f"<{token}>"


def chunks(text: str) -> Iterator[str]:
    """Parts of a text that end where a line ends, if one does within reach."""
    start = 0
    while start < len(text):
        end = min(start + _CHUNK, len(text))
        if end < len(text):
            end = text.rfind("\n", start, end) + 1 or end
        yield text[start:end]
        start = end
