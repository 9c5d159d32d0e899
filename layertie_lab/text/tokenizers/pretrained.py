"""The tokenizers hf:NAME: trained by somebody else, from the Hugging Face hub or a local file.

The libraries are imported in the functions: only runs that use them wait for them.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

from ...core.config import TextConfig
from ...core.errors import CorpusError
from .. import reach
from ..corpora.files import identity_of
from .registry import TOKENIZERS, Maker, TokenizerDescription
from .subwords import SubwordTokenizer

_OTHERS = 'Without a network, use the tokenizer "characters", "bytes" or "bpe".'


@TOKENIZERS.register(
    TokenizerDescription(
        "pretrained",
        "Pretrained (hf:NAME)",
        about="a pretrained Hugging Face tokenizer, written hf:NAME (or hf:PATH of a local one)",
        reads="its tokenizer.json",
    )
)
class PretrainedTokenizer(SubwordTokenizer):
    """A tokenizer that somebody else trained, read from its `tokenizer.json`."""

    kind = "pretrained"

    @classmethod
    def identity(cls, config: TextConfig) -> list[Any]:
        """Values that decide it: its name, and of a local one the state of its file."""
        here = local_file(config.tokenizer)
        return [config.tokenizer, version("tokenizers"), identity_of(here) if here else None]

    @classmethod
    def maker(cls, config: TextConfig) -> Maker:
        """It is loaded now, before any text is.

        Raises:
            CorpusError: As `load`.
        """
        pretrained = cls.load(config.tokenizer)
        return lambda splits: (pretrained, ())

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
