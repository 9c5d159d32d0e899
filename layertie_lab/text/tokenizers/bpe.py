"""The tokenizer bpe: byte-pair encoding, trained on the corpus. Its library is imported where it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from ...core.config import TextConfig
from ..texts import Text
from .registry import TOKENIZERS, Made, Maker, TokenizerDescription
from .subwords import SubwordTokenizer, chunks


@TOKENIZERS.register(
    TokenizerDescription(
        "bpe",
        "Byte-pair encoding",
        about="byte-level byte-pair encoding, trained on the corpus: knows every character",
        reads="the text of the train split and vocabulary_size",
        origin="trained on the train split",
        settings=("corpus", "limit_bytes", "vocabulary_size"),
    )
)
class BPETokenizer(SubwordTokenizer):
    """Byte-level byte-pair encoding, trained on a corpus' train split alone; knows every character."""

    kind = "bpe"

    @classmethod
    def identity(cls, config: TextConfig) -> list[Any]:
        """Values that decide it, given the text."""
        return [cls.kind, config.vocabulary_size, version("tokenizers")]

    @classmethod
    def maker(cls, config: TextConfig) -> Maker:
        """What makes it from the splits' text; a short text gives fewer tokens than wanted, and a note."""

        def make(splits: Mapping[str, Text]) -> Made:
            tokenizer, wanted = cls.train(splits["train"], config.vocabulary_size), config.vocabulary_size
            size = tokenizer.vocabulary_size
            short = f"The train split is short: it gave {size} of the {wanted} bpe tokens asked for."
            return tokenizer, (short,) * (size < wanted)

        return make

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
        library.train_from_iterator((chunk for text in texts for chunk in chunks(text)), trainer)
        return cls("bpe", library)
