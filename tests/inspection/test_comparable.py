"""Which runs may be compared: those to which the same ids are the same text."""

from __future__ import annotations

import pytest

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import AnalysisError
from layertie_lab.inspection.comparable import check_comparable

TINY = RunConfig.preset("tiny")


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ({}, {"tokenizer": "bytes"}, "the same tokenizer, but got characters and bytes"),
        ({}, {"corpus": "stdlib"}, "same corpus, from which the characters vocabulary"),
        ({}, {"limit_bytes": 1_000_000}, "same limit_bytes"),
        ({"tokenizer": "bpe"}, {"tokenizer": "bpe", "vocabulary_size": 600}, "same vocabulary_size"),
    ],
)
def test_runs_with_other_tokens_are_refused(a: dict, b: dict, words: str) -> None:
    with pytest.raises(AnalysisError, match=words):
        check_comparable(TINY.replace(**a), TINY.replace(**b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({}, {"layers": 6, "seed": 3, "width": 32, "decisions": 9, "vocabulary_size": 300}),
        ({"tokenizer": "bytes"}, {"tokenizer": "bytes", "corpus": "stdlib"}),
        ({"tokenizer": "hf:gpt2"}, {"tokenizer": "hf:gpt2", "limit_bytes": 1_000_000}),
    ],
)
def test_runs_with_equal_tokens_may_differ_otherwise(a: dict, b: dict) -> None:
    check_comparable(TINY.replace(**a), TINY.replace(**b))
