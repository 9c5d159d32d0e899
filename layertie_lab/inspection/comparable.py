"""Whether the models of two runs may be compared at all: whether the same token ids are the same text to both."""

from __future__ import annotations

from ..core.config import RunConfig
from ..core.errors import AnalysisError
from ..text.tokenizers.lookup import kind_of


def check_comparable(config_a: RunConfig, config_b: RunConfig) -> None:
    """Refuse two runs whose token ids mean different things. Depth, width and seed may differ.

    Raises:
        AnalysisError: Another tokenizer, or one that was made from another text.
    """
    a, b = config_a.text, config_b.text
    if a.tokenizer != b.tokenizer:
        raise AnalysisError(
            f"Expected two runs with the same tokenizer, but got {a.tokenizer} and {b.tokenizer}: the same ids would "
            "be different texts to the two models.",
            "Compare runs with equal text settings.",
        )
    for setting in kind_of(a.tokenizer).settings:
        mine, theirs = getattr(a, setting), getattr(b, setting)
        if mine != theirs:
            raise AnalysisError(
                f"Expected two runs with the same {setting}, from which the {a.tokenizer} vocabulary is made, but got "
                f"{mine} and {theirs}.",
                "Compare runs with equal text settings, or train with the tokenizer bytes, which needs no text.",
            )
