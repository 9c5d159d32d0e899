"""What tells the text of a run from any other: digests of text, tokens and tokenizer, and where the text lay."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..core.config import TextConfig
from ..core.errors import CorpusError
from ..core.plain import of_type, parse_object
from .corpora.lookup import source_of
from .dataset import SHOWN, Arrays, Origin, TokenData, ids_digest, state_of
from .sources import SPLITS
from .splits import read
from .tokenizers.lookup import tokenizer_from_dict
from .tokenizers.pretrained import local_file
from .tokenizers.registry import TOKENIZERS, Tokenizer, id_type


@dataclass(frozen=True)
class TextIdentity:
    """What a run reads, as it is recorded with the run.

    Args:
        corpus: As the config says it.
        tokenizer: As the config says it.
        tokens: 40 hexadecimal digits over the ids of all splits.
        vocabulary: 40 hexadecimal digits over the tokenizer.
        vocabulary_size: Number of token ids.
        origin: Which text the ids are of; None where they were handed in.
        tokenizer_at: Absolute path of a tokenizer that was read from a local file.
        bytes_per_token: As in `TokenData`; a number of the log, as the next two are words and a number of it.
        unigram_entropy: As in `TokenData`.
        description: As in `TokenData`.
        notes: As in `TokenData`.
    """

    corpus: str
    tokenizer: str
    tokens: str
    vocabulary: str
    vocabulary_size: int
    origin: Origin | None
    tokenizer_at: str | None
    bytes_per_token: float
    unigram_entropy: float
    description: str
    notes: tuple[str, ...]

    @classmethod
    def of(cls, config: TextConfig, data: TokenData) -> TextIdentity:
        """Of what a run with these settings reads. Text is not read again; digests are those made with the tokens."""
        local = local_file(config.tokenizer) if config.tokenizer.startswith("hf:") else None
        return cls(
            corpus=config.corpus,
            tokenizer=config.tokenizer,
            tokens=data.digest or ids_digest(data.splits),
            vocabulary=vocabulary_digest(data.tokenizer),
            vocabulary_size=data.vocabulary_size,
            origin=data.origin,
            tokenizer_at=None if local is None or data.origin is None else os.path.abspath(local),
            bytes_per_token=data.bytes_per_token,
            unigram_entropy=data.unigram_entropy,
            description=data.description,
            notes=data.notes,
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self) | {"notes": list(self.notes)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TextIdentity:
        """Back from `to_dict`.

        Raises:
            ValueError: Something else.
        """
        of_type(values, cls)
        origin = values["origin"]
        named = {"origin": None if origin is None else Origin(**origin), "notes": tuple(values["notes"])}
        return cls(**(values | named))

    def is_same(self, data: TokenData) -> bool:
        """Whether a run that reads `data` reads this, id by id and token by token."""
        return (
            (data.digest or ids_digest(data.splits)) == self.tokens
            and data.vocabulary_size == self.vocabulary_size
            and vocabulary_digest(data.tokenizer) == self.vocabulary
        )

    def named(self, data: TokenData) -> TokenData:
        """The same data under the words and numbers that the run's log has, wherever it was read now."""
        return replace(
            data,
            bytes_per_token=self.bytes_per_token,
            unigram_entropy=self.unigram_entropy,
            description=self.description,
            notes=self.notes,
        )

    def __str__(self) -> str:
        origin = self.origin
        if origin is None:
            return f"tokens that were handed in (tokens' digest {self.tokens[:SHOWN]})"
        where = "" if origin.where in (None, self.corpus) else f" at {origin.where}"
        return f"{self.corpus}{where} ({origin})"

    def text_now(self, config: TextConfig) -> Origin:
        """The text that a config names now, read only if it may have changed since this was recorded.

        Raises:
            CorpusError: It cannot be read.
        """
        assert self.origin is not None, "tokens that were handed in have no text"
        source = source_of(config.corpus, config.column)
        state = state_of(source.identity())
        if state == self.origin.state:
            return self.origin
        corpus = read(source, config)
        return Origin(corpus.digest(), corpus.size, source.where, state)


def vocabulary_digest(tokenizer: Tokenizer) -> str:
    """40 hexadecimal digits over which token each id stands for, whatever the tokenizer is called."""
    values = tokenizer.to_dict()
    if "json" in values:
        # How the library writes its files changes between its versions; which token has which id does not.
        inside = parse_object(values["json"])
        added = sorted([token["id"], token["content"]] for token in inside.get("added_tokens") or [])
        values = {"vocab": inside["model"].get("vocab"), "added": added}
    text = json.dumps({name: value for name, value in values.items() if name != "name"}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def pack(data: TokenData) -> tuple[Arrays, dict[str, Any]] | None:
    """(ids by split, in as few bytes as they need; the tokenizer as plain values), which `unpack` makes the data of.

    None where that cannot be done: a tokenizer that is not registered, or ids of another type than prepared ones.
    """
    size, tokenizer = data.vocabulary_size, data.tokenizer.to_dict()
    if tokenizer.get("kind") not in TOKENIZERS or any(data.splits[split].dtype != id_type(size) for split in SPLITS):
        return None
    kind = np.uint8 if size <= 1 << 8 else id_type(size)
    return {split: np.asarray(data.splits[split]).astype(kind) for split in SPLITS}, tokenizer


def unpack(identity: TextIdentity, arrays: Arrays, tokenizer: dict[str, Any]) -> TokenData:
    """Back from `pack`, under the words and numbers of an identity.

    Raises:
        CorpusError: Other data than the identity's, or no such data at all.
    """
    try:
        made = tokenizer_from_dict(tokenizer)
        splits = {split: arrays[split].astype(id_type(made.vocabulary_size)) for split in SPLITS}
    except KeyError as error:
        raise CorpusError(f"Expected the tokens that a run kept, but there is no {error}.") from None
    data = TokenData(
        splits=splits,
        tokenizer=made,
        bytes_per_token=identity.bytes_per_token,
        unigram_entropy=identity.unigram_entropy,
        description=identity.description,
        notes=identity.notes,
        digest=ids_digest(splits),
        origin=identity.origin,
    )
    if not identity.is_same(data):
        raise CorpusError(f"Expected tokens of digest {identity.tokens}, but those that were kept have {data.digest}.")
    return data
