"""How much of a held-out text stands word for word in another: exact runs of bytes, by their hashes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

WINDOW = 64
"""Bytes of a passage: long enough that two texts do not share one by chance, short enough for a sentence."""
MOST = 1 << 21
"""About the most passages that are kept of a text. Of a longer one a share is, chosen by their hashes, so that the same
passages are chosen of each text."""
_BASE = 0x9E3779B97F4A7C15
_MIX = np.uint64(0xD6E8FEB86659FD93)
_PIECE = 1 << 22

Hashes = NDArray[np.uint64]


def hashes(data: bytes) -> Hashes:
    """A hash of each passage of `WINDOW` bytes, by where it begins. [bytes - WINDOW + 1], none for a shorter text.

    A polynomial in the bytes, modulo 2^64 (Karp and Rabin 1987), mixed: two different passages agree by a chance of
    about one in 2^60.
    """
    if len(data) < WINDOW:
        return np.empty(0, np.uint64)
    found = np.frombuffer(data, np.uint8).astype(np.uint64) + np.uint64(1)
    power, length = _BASE, 1
    while length < WINDOW:
        # The hash of twice the length: that of the first half, moved on by a power of the base, and of the second.
        found = found[:-length] * np.uint64(power) + found[length:]
        power, length = power * power % (1 << 64), 2 * length
    return (found ^ (found >> np.uint64(32))) * _MIX


class Passages:
    """The passages of some texts, to look those of others up in.

    Args:
        texts: The texts.
        every: One passage in so many is kept and looked up; a power of two (`one_in`).
    """

    def __init__(self, texts: Iterable[bytes], every: int = 1) -> None:
        self.every = every
        kept = [found[self._chosen(found)] for text in texts for found in _in_pieces(text)]
        self._sorted = np.unique(np.concatenate(kept)) if kept else np.empty(0, np.uint64)

    @staticmethod
    def one_in(size: int) -> int:
        """Of how many passages one has to be kept, so that of a text of `size` bytes about `MOST` are."""
        return 1 << max(0, (-(-size // MOST) - 1).bit_length())

    def among(self, text: bytes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where the passages of a text that are looked up begin, in bytes, and whether each is among these."""
        found = hashes(text)
        starts = np.flatnonzero(self._chosen(found))
        asked = found[starts]
        if not len(self._sorted):
            return starts, np.zeros(len(starts), bool)
        places = np.minimum(np.searchsorted(self._sorted, asked), len(self._sorted) - 1)
        return starts, self._sorted[places] == asked

    def share(self, text: bytes) -> float:
        """Share of a text's passages that are among these, 0 to 1; 0 for a text of which none is looked up."""
        _, repeated = self.among(text)
        return float(repeated.mean()) if len(repeated) else 0.0

    def _chosen(self, found: Hashes) -> NDArray[np.bool_]:
        return (found >> np.uint64(40)) % np.uint64(self.every) == 0


def _in_pieces(text: bytes) -> Iterator[Hashes]:
    return (hashes(text[start : start + _PIECE + WINDOW - 1]) for start in range(0, len(text), _PIECE))
