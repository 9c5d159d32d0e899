"""What an audit finds: one sentence with its numbers for each departure of the official code from the paper's text.

The numbering is that of our notes on the paper (Hay & Wolf, ICLR 2024) and its code: (1) copies give no gradient,
(2) independent layers stay on shared storage, (3) storages only merge, (4) a frozen random start, (5) broken chains,
(6) a constant reward, (7) a count that chance gives, (8) a Q-network that dies, (9) parameters counted twice,
(10) memory that is not the peak and idle optimizer state, (11) selection on the test split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["exhibited", "not exhibited", "cannot be told"]
Told = tuple[Verdict, str, Mapping[str, float]]
"""Verdict, sentence, evidence."""

TITLES = (
    "the gradient at a copy", "what independent means", "merging storages", "the start", "chains of ties",
    "the reward", "the number of independent layers", "what the Q-network sees", "trainable parameters", "memory",
    "selection of the best model",
)  # fmt: skip
"""What each departure is about, 1 to 11."""


@dataclass(frozen=True)
class Finding:
    """One departure, as this run or module shows it.

    Args:
        number: 1 to 11, see this module's text.
        title: What it is about, in a few words.
        verdict: exhibited; not exhibited (there was occasion, and the run did otherwise); cannot be told (from what is
            on record).
        sentence: The verdict with its evidence.
        evidence: The numbers in it, by name.
    """

    number: int
    title: str
    verdict: Verdict
    sentence: str
    evidence: Mapping[str, float] = field(default_factory=dict)


def some(count: int, what: str) -> str:
    """A count with its noun: "1 layer", "2 layers"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
