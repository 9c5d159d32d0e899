"""Tokens that were handed in as ids, without a text behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from .dataset import TokenData, unigram_entropy
from .tokenizers.registry import checked_ids, id_type


class NumberTokenizer:
    """One token per whole number below `vocabulary_size`, written in decimal with spaces between.

    Args:
        vocabulary_size: Number of ids.
    """

    name = "numbers"

    def __init__(self, vocabulary_size: int) -> None:
        self.vocabulary_size = vocabulary_size

    def encode(self, text: str) -> np.ndarray:
        """Ids of numbers with white space between, [tokens].

        Raises:
            CorpusError: A number outside the vocabulary.
            ValueError: Something that is no whole number.
        """
        numbers = [int(word) for word in text.split()]
        return checked_ids(numbers, self.vocabulary_size).astype(id_type(self.vocabulary_size))

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        return "".join(f"{number} " for number in checked_ids(ids, self.vocabulary_size))

    def token_text(self, token: int) -> str:
        return str(checked_ids([token], self.vocabulary_size)[0])

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.name, "vocabulary_size": self.vocabulary_size}


def numbered(train: np.ndarray, held_out: np.ndarray, vocabulary_size: int) -> TokenData:
    """What a run reads where all its tokens are handed in as ids.

    Args:
        train: Ids of the train split, [tokens].
        held_out: Ids that serve as reward, validation and test split alike, [tokens].
        vocabulary_size: Number of ids.

    Raises:
        CorpusError: An id outside the vocabulary.
    """
    kind = id_type(vocabulary_size)
    first, second = (checked_ids(ids, vocabulary_size).astype(kind) for ids in (train, held_out))
    tokenizer = NumberTokenizer(vocabulary_size)
    digest = hashlib.blake2b(first.tobytes() + b"/" + second.tobytes(), digest_size=20)
    return TokenData(
        splits={"train": first, "reward": second, "validation": second, "test": second},
        tokenizer=tokenizer,
        bytes_per_token=len(tokenizer.decode(second)) / len(second),
        unigram_entropy=unigram_entropy(first, second, vocabulary_size),
        description="Token ids that were handed in, without a text: train = the training batches; reward, validation "
        "and test = the reward batches, laid end to end.",
        notes=("No text is held out: validation and test are measured on the reward batches.",),
        digest=digest.hexdigest(),
    )
