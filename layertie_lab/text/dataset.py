"""Tokens of a corpus, split by split, prepared once and then memory-mapped."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..core.config import TextConfig
from ..core.errors import CorpusError
from .corpora.files import is_private
from .corpora.lookup import source_of
from .overlap import WINDOW
from .sources import CUT_PERCENT, REACH_PERCENT, SPLITS, Corpus
from .splits import read
from .tokenizers.lookup import in_words, maker, tokenizer_from_dict, tokenizer_identity
from .tokenizers.registry import Maker, Tokenizer

FORMAT = 4
"""Part of every key: raised whenever equal settings would give other tokens, or other facts about them, than before."""
SHOWN = 12
"""Digits of a digest in a sentence."""
HEAD = 2_000
"""Characters of a text that are kept to be shown."""
_COUNT_AT_ONCE = 1 << 22

Arrays = dict[str, np.ndarray]


class ArrayStore(Protocol):
    """Where prepared tokens are kept."""

    def load(self, key: str) -> tuple[Arrays, dict[str, Any]] | None:
        """The arrays (memory-mapped) and plain values under a key, or None."""
        ...

    def save(
        self, key: str, arrays: Arrays, meta: dict[str, Any], *, private: bool = False
    ) -> tuple[Arrays, dict[str, Any]]:
        """Keep arrays and plain values under a key, for nobody else if `private`; what `load` would give."""
        ...


@dataclass(frozen=True)
class Origin:
    """Which text tokens were made from.

    Args:
        text: 40 hexadecimal digits over the text as it was read (UTF-8, line ends as \\n).
        bytes: Its size.
        where: Its absolute path; None for what has none (built-in corpora, the hub's data sets).
        state: 32 hexadecimal digits that change whenever the text there may have changed; to know them reads no text.
    """

    text: str
    bytes: int
    where: str | None
    state: str

    def __str__(self) -> str:
        return f"{self.bytes:,} bytes read, text's digest {self.text[:SHOWN]}"


@dataclass(frozen=True, eq=False)
class TokenData:
    """What a run reads.

    Args:
        splits: Ids of train, reward, validation and test, each [tokens], uint16 or uint32.
        tokenizer: What made them.
        bytes_per_token: UTF-8 bytes per token of the validation split.
        unigram_entropy: Cross-entropy of the validation split under the train split's token frequencies (add-one
            smoothed), nats per token: what a model without context reaches.
        description: What was read, in words, with the part that each split and the tokenizer came from.
        notes: What a reader should know, such as a limit that was reached.
        digest: 40 hexadecimal digits over all ids (`ids_digest`): equal for equal data.
        origin: Which text they are of; None where they were handed in.
    """

    splits: Arrays
    tokenizer: Tokenizer
    bytes_per_token: float
    unigram_entropy: float
    description: str
    notes: tuple[str, ...] = ()
    digest: str = ""
    origin: Origin | None = None

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids."""
        return self.tokenizer.vocabulary_size


def prepare(config: TextConfig, context: int, store: ArrayStore) -> TokenData:
    """The tokens of a corpus, from the store if they were prepared before.

    Equal configs and equal text give equal bytes. Nothing of the text is read again when the store has the tokens:
    files are known by path, size and times, the built-in corpora by Python's version and the sizes of its files, the
    hub's data sets by name.

    Args:
        config: Corpus, tokenizer and limit.
        context: Sequence length in tokens; every split must hold at least one sequence.

    Raises:
        CorpusError: Text that cannot be read or reached, an unknown tokenizer, or a split shorter than one sequence.
    """
    return _data(*entry_of(config, context, store))


def entry_of(config: TextConfig, context: int, store: ArrayStore) -> tuple[Arrays, dict[str, Any], Origin]:
    """As `prepare`, as it is kept: ids by split, what is known of them, and of which text they are.

    Raises:
        CorpusError: As in `prepare`.
    """
    source = source_of(config.corpus, config.column)
    identity = source.identity()
    key = store_key(config, identity)
    found = store.load(key)
    if found is None:
        make = maker(config)
        corpus = read(source, config)
        if source.identity() != identity:
            raise CorpusError(
                f"Expected {config.corpus} to stay as it is while it is read, but it changed.", "Try again."
            )
        arrays, meta = _tokenize(corpus, make, config.splits)
        _check_lengths(arrays, meta, config.corpus, context)
        found = store.save(key, arrays, meta, private=may_be_private(source.where))
    arrays, meta = found
    _check_lengths(arrays, meta, config.corpus, context)
    return arrays, meta, Origin(meta["text"], meta["bytes"], source.where, state_of(identity))


def may_be_private(where: str | None) -> bool:
    """Whether what is made of a text is for nobody else, since the text is not."""
    return where is not None and is_private(where)


def tokens_of(corpus: Corpus, config: TextConfig, context: int) -> TokenData:
    """The tokens of a text that is at hand and lies nowhere.

    Args:
        corpus: The text.
        config: Its tokenizer.
        context: As in `prepare`.

    Raises:
        CorpusError: An unknown tokenizer, or a split shorter than one sequence.
    """
    arrays, meta = _tokenize(corpus, maker(config), config.splits)
    _check_lengths(arrays, meta, f"the text ({corpus.name})", context)
    return _data(arrays, meta, None)


def _data(arrays: Arrays, meta: dict[str, Any], origin: Origin | None) -> TokenData:
    return TokenData(
        splits={split: arrays[split] for split in SPLITS},
        tokenizer=tokenizer_from_dict(meta["tokenizer"]),
        bytes_per_token=meta["bytes_per_token"],
        unigram_entropy=meta["unigram_entropy"],
        description=meta["description"],
        notes=tuple(meta["notes"]),
        digest=meta["digest"],
        origin=origin,
    )


def state_of(identity: list[Any]) -> str:
    """32 hexadecimal digits over the identity of a source (`Source.identity`)."""
    return hashlib.blake2b(json.dumps(identity, ensure_ascii=True).encode(), digest_size=16).hexdigest()


def ids_digest(splits: Arrays) -> str:
    """40 hexadecimal digits over the ids of all splits."""
    digest = hashlib.blake2b(digest_size=20)
    for split in SPLITS:
        ids = splits[split]
        digest.update(f"{split} {len(ids)} {ids.dtype}\n".encode())
        digest.update(np.ascontiguousarray(ids).astype(ids.dtype.newbyteorder("<"), copy=False).data)
    return digest.hexdigest()


def store_key(config: TextConfig, identity: list[Any]) -> str:
    """The name of prepared tokens: a digest of everything that decides them.

    Args:
        identity: Of the corpus' source.

    Raises:
        CorpusError: No such tokenizer.
    """
    decides = {
        "format": FORMAT,
        "corpus": config.corpus,
        "identity": identity,
        "limit_bytes": config.limit_bytes,
        "splits": config.splits,
        "cut_percent": [CUT_PERCENT, REACH_PERCENT],
        "tokenizer": tokenizer_identity(config),
    }
    text = json.dumps(decides, sort_keys=True, ensure_ascii=True).encode()
    return f"tokens-{hashlib.blake2b(text, digest_size=16).hexdigest()}"


def unigram_entropy(train: np.ndarray, validation: np.ndarray, vocabulary_size: int) -> float:
    """Cross-entropy of validation ids under the add-one-smoothed frequencies of train ids, nats per token."""
    seen, asked = _counts(train, vocabulary_size), _counts(validation, vocabulary_size)
    log_share = np.log((seen + 1.0) / (len(train) + vocabulary_size))  # [vocabulary]
    return float(-(asked * log_share).sum() / max(len(validation), 1))


def _counts(ids: np.ndarray, vocabulary_size: int) -> np.ndarray:
    counts = np.zeros(vocabulary_size, dtype=np.int64)
    # bincount widens its input to 8 bytes each; 600 million ids at once would not fit.
    for start in range(0, len(ids), _COUNT_AT_ONCE):
        counts += np.bincount(ids[start : start + _COUNT_AT_ONCE], minlength=vocabulary_size)
    return counts


def _tokenize(corpus: Corpus, make: Maker, splits: str) -> tuple[Arrays, dict[str, Any]]:
    tokenizer, notes = make(corpus.splits)
    empty, characters, head = tokenizer.encode(""), 0, ""
    ids: dict[str, list[np.ndarray]] = {split: [empty] for split in corpus.splits}
    for split in SPLITS:
        for piece in corpus.splits[split]:
            ids[split].append(tokenizer.encode(piece))
            characters += len(piece)
            head = head or piece[:HEAD]
    arrays = {split: np.concatenate(parts) for split, parts in ids.items()}
    parts = "; ".join(f"{split} = {corpus.parts[split]}" for split in SPLITS)
    # What a run's log says of a text that is cut by size stays as older runs have it.
    words = corpus.older if corpus.older and splits == "bytes" else corpus.description
    return arrays, {
        "tokenizer": tokenizer.to_dict(),
        "bytes_per_token": corpus.splits["validation"].size / max(len(arrays["validation"]), 1),
        "unigram_entropy": unigram_entropy(arrays["train"], arrays["validation"], tokenizer.vocabulary_size),
        "description": f"{corpus.name}: {words}. Splits: {parts}.{_overlap(corpus, splits)} Tokenizer: "
        f"{in_words(tokenizer)}.",
        "notes": [*corpus.notes, *notes],
        "digest": ids_digest(arrays),
        "text": corpus.digest(),
        "bytes": corpus.size,
        "characters": characters,
        "head": head,
        "overlap": dict(corpus.overlap),
        "official": list(corpus.official),
    }


def _overlap(corpus: Corpus, splits: str) -> str:
    """How much of the held-out splits stands in train, as a sentence with a blank before it; "" where not measured."""
    # Of a text that is cut by size, the notes warn.
    if not corpus.overlap or splits == "bytes":
        return ""
    shares = ", ".join(f"{share:.2%} of {split}" for split, share in corpus.overlap.items())
    return f" Of their passages of {WINDOW} bytes, {shares} stand in train."


def _check_lengths(arrays: Arrays, meta: dict[str, Any], name: str, context: int) -> None:
    split = min(SPLITS, key=lambda split: len(arrays[split]))
    tokens = len(arrays[split])
    if tokens > context:
        return
    smaller = f"use a context of at most {tokens - 1}" if tokens > 1 else "use another corpus"
    if split in meta["official"]:
        remedy = f"{smaller[0].upper()}{smaller[1:]}."
    else:
        total = sum(len(arrays[split]) for split in SPLITS)
        needed = math.ceil((context + 1) * meta["bytes"] / total * 100 / (CUT_PERCENT - REACH_PERCENT))
        remedy = f"Use at least about {needed:,} bytes of text (there are {meta['bytes']:,}), or {smaller}."
    raise CorpusError(
        f"Expected at least {context + 1} tokens in every split (one sequence of {context}, and the token after it), "
        f"but the {split} split of {name} has {tokens}.",
        remedy,
    )
