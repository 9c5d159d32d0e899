"""Batches as pure functions of the step: the position to resume at is the step itself."""

from __future__ import annotations

import numpy as np
import torch

from ..core.keys import RunKey
from .windows import check_length, spread_windows


class Batches:
    """Training batches: epochs over windows that do not overlap, in a fresh order each.

    Window w of an epoch holds the tokens phase + w * context .. phase + (w + 1) * context, context + 1 of them: the
    last one is only a target, and the first input of the next window. So each token is a target at most once per epoch.
    The order and the phase of an epoch depend on (seed, replicate, epoch) alone, and a batch on its step alone. The
    windows of all epochs follow one another without a gap; a batch may hold the end of one and the start of the next.

    Args:
        tokens: Ids, [tokens], at best a memory map.
        context: Sequence length.
        batch_size: Sequences per batch.
        key: Names the run's random numbers.

    Raises:
        CorpusError: Fewer than context + 1 tokens.
    """

    def __init__(self, tokens: np.ndarray, context: int, batch_size: int, key: RunKey) -> None:
        check_length(tokens, context)
        self._tokens = np.asarray(tokens)  # a plain array: indexing the memmap class costs twice as much
        self._context, self._batch_size, self._key = context, batch_size, key
        # As many windows as fit at every phase, so that all epochs are of one length.
        self.windows = max(1, (len(tokens) - context) // context)
        self._phases = min(context, len(tokens) - self.windows * context)
        self._offsets = np.arange(context + 1)
        self._orders: dict[int, np.ndarray] = {}

    def starts(self, step: int) -> np.ndarray:
        """Position of each window's first token, [batch]."""
        number = step * self._batch_size + np.arange(self._batch_size)
        epochs, places = np.divmod(number, self.windows)
        if epochs[0] == epochs[-1]:
            return self._order(int(epochs[0]))[places]
        return np.array([self._order(int(epoch))[place] for epoch, place in zip(epochs, places, strict=True)])

    def batch(self, step: int) -> torch.Tensor:
        """The batch of a step, [batch, context + 1], int64."""
        return _gather(self._tokens, self.starts(step)[:, None] + self._offsets)

    def _order(self, epoch: int) -> np.ndarray:
        """Start of every window of an epoch, in the epoch's order, [windows]."""
        order = self._orders.get(epoch)
        if order is None:
            draws = _draws(self._key.at(epoch, "data"), self.windows + 1)
            phase = int(draws[-1] % np.uint64(self._phases))
            order = np.argsort(draws[:-1], kind="stable") * self._context + phase
            # Only neighbours of the present epoch are worth their memory: 8 bytes per window.
            self._orders = {e: o for e, o in self._orders.items() if abs(e - epoch) <= 1} | {epoch: order}
        return order


def windows(tokens: np.ndarray, context: int, count: int) -> torch.Tensor:
    """Fixed windows for evaluation, spread evenly over a split, none sharing a target with another.

    Args:
        tokens: Ids, [tokens].
        context: Sequence length.
        count: Windows wanted.

    Returns:
        [min(count, as many as there are), context + 1], int64; the first begins at the split's first token.

    Raises:
        CorpusError: Fewer than context + 1 tokens.
    """
    return torch.from_numpy(spread_windows(tokens, context, count))


def random_batch(tokens: np.ndarray, context: int, batch_size: int, seed: int) -> torch.Tensor:
    """Windows at random places, [batch, context + 1], int64; a function of the seed.

    Raises:
        CorpusError: Fewer than context + 1 tokens.
    """
    check_length(tokens, context)
    starts = (_draws(seed, batch_size) % np.uint64(len(tokens) - context)).astype(np.int64)
    return _gather(np.asarray(tokens), starts[:, None] + np.arange(context + 1))


def end_with(tokens_BT: torch.Tensor, token: int) -> torch.Tensor:
    """Sequences, [batch, context + 1], whose last target is always the same token."""
    tokens_BT = tokens_BT.clone()
    tokens_BT[:, -1] = token
    return tokens_BT


def _draws(seed: int, count: int) -> np.ndarray:
    """Random 64-bit numbers, [count].

    The raw output of a bit generator: numpy promises never to change it, unlike what `Generator` makes of it.
    """
    return np.random.PCG64(seed).random_raw(count)


def _gather(tokens: np.ndarray, places: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(tokens[places].astype(np.int64))
