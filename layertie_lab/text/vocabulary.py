"""The tokenizer that a config names: checked, made, and brought back."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from importlib.metadata import version
from itertools import chain
from typing import Any

from ..core.config import TextConfig
from ..core.errors import CorpusError
from .files import identity_of
from .subwords import BPETokenizer, PretrainedTokenizer, local_file
from .texts import Text
from .tokenizers import ByteTokenizer, CharacterTokenizer, Tokenizer

NAMES = ("characters", "bytes", "bpe")
"""The tokenizers that need no network."""


def tokenizer_identity(config: TextConfig) -> list[Any]:
    """Values (for JSON) that decide the tokenizer, given the text.

    Raises:
        CorpusError: No such tokenizer.
    """
    name = config.tokenizer
    if name.startswith("hf:") and name != "hf:":
        here = local_file(name)
        return [name, version("tokenizers"), identity_of(here) if here else None]
    if name not in NAMES:
        near = difflib.get_close_matches(name.lower(), [*NAMES, "chars", "hf:gpt2"], n=1, cutoff=0.5)
        meant = "characters" if near == ["chars"] else "".join(near)
        raise CorpusError(
            f"Expected a tokenizer out of {', '.join(NAMES)}, or hf:NAME, but got {name!r}.",
            f"Did you mean {meant}?" if meant else "Use characters, or a pretrained one such as hf:gpt2.",
        )
    return [name, config.vocabulary_size, version("tokenizers")] if name == "bpe" else [name]


def maker(config: TextConfig) -> Callable[[Mapping[str, Text]], tuple[Tokenizer, tuple[str, ...]]]:
    """What makes the tokenizer from the splits' text, with notes. A pretrained one is loaded now, before any text is.

    Raises:
        CorpusError: No such tokenizer, or one that cannot be loaded.
    """
    tokenizer_identity(config)
    if config.tokenizer == "characters":
        return lambda splits: (CharacterTokenizer.train(chain.from_iterable(splits.values())), ())
    if config.tokenizer == "bytes":
        return lambda splits: (ByteTokenizer(), ())
    if config.tokenizer == "bpe":
        return lambda splits: _trained(splits, config.vocabulary_size)
    pretrained = PretrainedTokenizer.load(config.tokenizer)
    return lambda splits: (pretrained, ())


def _trained(splits: Mapping[str, Text], wanted: int) -> tuple[Tokenizer, tuple[str, ...]]:
    tokenizer = BPETokenizer.train(splits["train"], wanted)
    size = tokenizer.vocabulary_size
    return tokenizer, (f"The train split is short: it gave {size} of the {wanted} bpe tokens asked for.",) * (
        size < wanted
    )


def tokenizer_from_dict(values: dict[str, Any]) -> Tokenizer:
    """Back from a tokenizer's `to_dict`.

    Raises:
        CorpusError: A kind that this version does not know.
    """
    kinds = {
        "characters": CharacterTokenizer,
        "bytes": ByteTokenizer,
        "bpe": BPETokenizer,
        "pretrained": PretrainedTokenizer,
    }
    kind = values.get("kind")
    if kind not in kinds:
        raise CorpusError(
            f"Expected a tokenizer out of {', '.join(kinds)}, but got {kind!r}.",
            "Update layertie_lab, or clear the cache.",
        )
    return kinds[kind].from_dict(values)


def in_words(tokenizer: Tokenizer) -> str:
    """The tokenizer, and what it was made from."""
    origin = {"characters": ", from all splits", "bpe": ", trained on the train split"}.get(tokenizer.name, "")
    return f"{tokenizer.name} ({tokenizer.vocabulary_size:,} tokens{origin})"
