"""Tokenizers of the library `tokenizers`: byte-level BPE trained here, and pretrained ones of the Hugging Face hub."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import CorpusError
from . import reach
from .tokenizers import checked_ids, id_type, shown

if TYPE_CHECKING:  # the library is loaded only by runs that use it
    from tokenizers import Tokenizer as Library

# The library works on several texts at once; one text of megabytes would keep it to one thread.
_CHUNK = 1 << 16
_CHUNKS_AT_ONCE = 64
_OTHERS = 'Without a network, use the tokenizer "characters", "bytes" or "bpe".'


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
        chunks = _chunks(text)
        while some := list(islice(chunks, _CHUNKS_AT_ONCE)):
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
    def from_dict(cls, values: dict[str, Any]):
        """Back from `to_dict`."""
        from tokenizers import Tokenizer as Library

        return cls(values["name"], Library.from_str(values["json"]))

    def _raw(self, token: int) -> str:
        return self._library.id_to_token(token) or f"<{token}>"


class BPETokenizer(SubwordTokenizer):
    """Byte-level byte-pair encoding, trained on a corpus' train split alone; knows every character."""

    kind = "bpe"

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary_size: int) -> BPETokenizer:
        """Learn merges from texts; equal texts give equal tokenizers.

        Args:
            vocabulary_size: Tokens wanted, 256 bytes included; a short text gives fewer.
        """
        from tokenizers import Tokenizer as Library
        from tokenizers import decoders, models, pre_tokenizers, trainers

        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary_size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
        library.train_from_iterator((chunk for text in texts for chunk in _chunks(text)), trainer)
        return cls("bpe", library)


class PretrainedTokenizer(SubwordTokenizer):
    """A tokenizer that somebody else trained, read from its `tokenizer.json`."""

    kind = "pretrained"

    @classmethod
    def load(cls, name: str) -> PretrainedTokenizer:
        """By name: hf:NAME on the hub (a copy in the hub's cache is taken as it is), or hf:PATH of a local one.

        Raises:
            CorpusError: No such tokenizer, not to be reached, or not one that the library reads.
        """
        from tokenizers import Tokenizer as Library

        path = local_file(name) or _cached_file(name) or _downloaded_file(name)
        try:
            library = Library.from_file(path)
        except Exception as error:  # the library raises bare Exceptions
            raise CorpusError(
                f"Expected a tokenizer of the library `tokenizers` in {path}, but it says: {error}.",
                "Name a folder with a tokenizer.json, or use another tokenizer.",
            ) from error
        return cls(name, library)


def local_file(name: str) -> str | None:
    """The file of a local tokenizer named hf:PATH, or None if no such path exists."""
    path = os.path.expanduser(name.removeprefix("hf:"))
    for candidate in (path, os.path.join(path, "tokenizer.json")):
        if os.path.isfile(candidate):
            return candidate
    return None


def _cached_file(name: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name.removeprefix("hf:"), "tokenizer.json")
    except HFValidationError as error:
        raise _no_such(name, str(error)) from error
    return found if isinstance(found, str) else None


def _downloaded_file(name: str) -> str:
    from huggingface_hub import hf_hub_download

    repository = name.removeprefix("hf:")
    if reach.hub_forbidden():
        raise CorpusError(
            f"Expected the tokenizer {name} in the local cache, because the environment forbids downloads, but it is "
            "not there.",
            f"Unset HF_HUB_OFFLINE. {_OTHERS}",
        )
    if not reach.hub_reachable():
        raise CorpusError(
            f"Expected to reach the Hugging Face hub ({reach.hub_address()}) for the tokenizer {name}, but it does not "
            "answer, and the tokenizer is not in the local cache.",
            _OTHERS,
        )
    try:
        return hf_hub_download(repository, "tokenizer.json")
    except Exception as error:  # HTTP, disk and hub errors alike
        raise _no_such(name, next(iter(str(error).splitlines()), type(error).__name__)) from error


def _no_such(name: str, reason: str) -> CorpusError:
    return CorpusError(
        f"Expected a tokenizer.json for {name} on the Hugging Face hub, but: {reason.rstrip('.')}.",
        f"Check the name, for example hf:gpt2. {_OTHERS}",
    )


def _chunks(text: str) -> Iterator[str]:
    """Parts of a text that end where a line ends, if one does within reach."""
    start = 0
    while start < len(text):
        end = min(start + _CHUNK, len(text))
        if end < len(text):
            end = text.rfind("\n", start, end) + 1 or end
        yield text[start:end]
        start = end
