"""What an audit finds: one sentence with its numbers for each departure of the official code from the paper's text.

They are numbered as in `departures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .departures import DEPARTURES

Verdict = Literal["exhibited", "not exhibited", "cannot be told"]
Told = tuple[Verdict, str, Mapping[str, float]]
"""Verdict, sentence, evidence."""

TITLES = tuple(departure.title for departure in DEPARTURES)
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
