"""The probe set: which sequences an analysis looks at, chosen from the run's text or typed by a person.

torch is imported where somebody computes with it: a page shows the sequences as soon as it opens a run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.errors import AnalysisError
from ..text.dataset import TokenData
from ..text.windows import spread_windows

if TYPE_CHECKING:
    from torch import Tensor

MOST_SEQUENCES = 64
"""Sequences in a probe set, at most: beyond, an analysis takes minutes on a laptop and says little more."""
_OVERLAP = 24
"""Tokens in a row that make a probe sequence count as taken from the training text."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A probe set.

    Args:
        ids: [sequences, time + 1] token ids; the last of each is only predicted.
        pieces: The same as text: for each sequence the text of each token.
        source: Where it is from, in words.
        warnings: What a reader should know, a sentence each.
    """

    ids: NDArray[np.int64]
    pieces: list[list[str]]
    source: str
    warnings: tuple[str, ...] = ()

    @property
    def tokens(self) -> Tensor:
        """The ids as a tensor, [sequences, time + 1] int64."""
        import torch

        return torch.from_numpy(self.ids)

    @property
    def name(self) -> str:
        """12 hexadecimal digits over its tokens: equal for equal sets."""
        shape = f"{self.ids.shape}".encode()
        return hashlib.blake2b(shape + self.ids.tobytes(), digest_size=6).hexdigest()


def probe_of(data: TokenData, context: int, *, sequences: int = 8, text: str | None = None) -> Probe:
    """A probe set from a run's validation split, or from a text.

    Args:
        data: The run's text.
        context: Tokens that the model reads at most.
        sequences: How many windows of the validation split; ignored with a text.
        text: Typed or pasted. Cut into sequences of context + 1 tokens that overlap by the one that is only predicted;
            a text shorter than two of them becomes one sequence, and what is left over at the end is not used.

    Raises:
        AnalysisError: An empty or too short or too long text, or a number of sequences out of range.
        CorpusError: A character that the tokenizer does not know.
    """
    if text is None:
        if not 1 <= sequences <= MOST_SEQUENCES:
            raise AnalysisError(
                f"Expected 1 to {MOST_SEQUENCES} probe sequences, but got {sequences}.", "Use 8, or up to 64."
            )
        spread = spread_windows(data.splits["validation"], context, sequences)
        source = f"{len(spread)} sequences of {context} tokens, spread evenly over the validation split"
        return Probe(spread, _pieces(data, spread), source)
    if not text.strip():
        raise AnalysisError("Expected a probe text, but it is empty.", "Type or paste some, or use the validation set.")
    ids = np.asarray(data.tokenizer.encode(text)).astype(np.int64)
    if len(ids) < 5:
        raise AnalysisError(f"Expected a probe text of at least 5 tokens, but got {len(ids)}.", "Type some more.")
    length = min(context, len(ids) - 1)
    count = (len(ids) - 1) // length
    if count > MOST_SEQUENCES:
        raise AnalysisError(
            f"Expected a probe text of at most {MOST_SEQUENCES * length + 1:,} tokens ({MOST_SEQUENCES} sequences), "
            f"but got {len(ids):,}.",
            "Paste a shorter part of it.",
        )
    cut = np.stack([ids[start * length : start * length + length + 1] for start in range(count)])
    source = f"a typed text, as {count} sequence{'s' if count > 1 else ''} of {length} tokens"
    return Probe(cut, _pieces(data, cut), source, _overlap(data, cut))


def _pieces(data: TokenData, ids: NDArray[np.int64]) -> list[list[str]]:
    return [[data.tokenizer.token_text(token) for token in sequence] for sequence in ids.tolist()]


def _overlap(data: TokenData, ids: NDArray[np.int64]) -> tuple[str, ...]:
    train = np.ascontiguousarray(data.splits["train"])
    whole, kind = train.tobytes(), train.dtype
    found = 0
    for sequence in ids:
        starts = range(0, max(1, len(sequence) - _OVERLAP + 1), _OVERLAP)
        found += any(_is_in(sequence[start : start + _OVERLAP].astype(kind).tobytes(), whole, kind) for start in starts)
    if not found:
        return ()
    return (
        f"{found} of the {len(ids)} probe sequences are in the training text: what the model does there is memory "
        "as well as skill.",
    )


def _is_in(part: bytes, whole: bytes, kind: np.dtype) -> bool:
    """Whether ids lie in others at a token's boundary."""
    place = whole.find(part)
    while place >= 0 and place % kind.itemsize:
        place = whole.find(part, place + 1)
    return place >= 0
