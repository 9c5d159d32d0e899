"""From what a config says to its tokenizer: checked, made, and brought back."""

from __future__ import annotations

import difflib
from typing import Any

from ...core.config import TextConfig
from ...core.errors import CorpusError
from .registry import TOKENIZERS, Maker, Tokenizer, TokenizerDescription

_OF_THE_HUB = "pretrained"


def builtin_tokenizers() -> list[tuple[str, str]]:
    """(name, what it is) of every tokenizer that has a name of its own."""
    return [(each.name, each.about) for each in TOKENIZERS if each.name != _OF_THE_HUB]


def kind_of(name: str) -> TokenizerDescription:
    """The description of the kind that a config's `tokenizer` names.

    Raises:
        CorpusError: No such tokenizer.
    """
    hub = name.startswith("hf:") and name != "hf:"
    if hub or (name in TOKENIZERS and name != _OF_THE_HUB):
        return TOKENIZERS.describe(_OF_THE_HUB if hub else name)
    own = [own for own, _ in builtin_tokenizers()]
    near = difflib.get_close_matches(name.lower(), [*own, "chars", "hf:gpt2"], n=1, cutoff=0.5)
    meant = "characters" if near == ["chars"] else "".join(near)
    raise CorpusError(
        f"Expected a tokenizer out of {', '.join(own)}, or hf:NAME, but got {name!r}.",
        f"Did you mean {meant}?" if meant else "Use characters, or a pretrained one such as hf:gpt2.",
    )


def tokenizer_identity(config: TextConfig) -> list[Any]:
    """Values (for JSON) that decide the tokenizer, given the text.

    Raises:
        CorpusError: No such tokenizer.
    """
    return TOKENIZERS.get(kind_of(config.tokenizer).name).identity(config)


def maker(config: TextConfig) -> Maker:
    """What makes the tokenizer from the splits' text, with notes. A pretrained one is loaded now, before any text is.

    Raises:
        CorpusError: No such tokenizer, or one that cannot be loaded.
    """
    return TOKENIZERS.get(kind_of(config.tokenizer).name).maker(config)


def tokenizer_from_dict(values: dict[str, Any]) -> Tokenizer:
    """Back from a tokenizer's `to_dict`.

    Raises:
        CorpusError: A kind that this version does not know.
    """
    kind = str(values.get("kind"))
    if kind not in TOKENIZERS:
        raise CorpusError(
            f"Expected a tokenizer out of {', '.join(TOKENIZERS.names)}, but got {kind!r}.",
            "Update layertie_lab, install the package that brings it, or clear the cache.",
        )
    return TOKENIZERS.get(kind).from_dict(values)


def in_words(tokenizer: Tokenizer) -> str:
    """The tokenizer, and what it was made from."""
    origin = kind_of(tokenizer.name).origin
    return f"{tokenizer.name} ({tokenizer.vocabulary_size:,} tokens{', ' * bool(origin)}{origin})"
