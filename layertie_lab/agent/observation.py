"""A state as the fixed-length vector that outside learners see."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..core.ties import TieMap


def observation_size(layers: int) -> int:
    """Length of an observation."""
    return 4 * layers + 2


def observe(ties: TieMap, layer: int, decision: int, budget: int) -> np.ndarray:
    """What an outside learner sees, all between 0 and 1, float32 [4 L + 2].

    Args:
        ties: The tie map.
        layer: The layer asked about.
        decision: Counted from 1.
        budget: Decisions the run is planned for.

    Returns:
        [0, L): each layer's source / (L-1). [L, 2L): each layer's owner / (L-1). [2L, 3L): whether each layer is
        independent. [3L, 4L): the layer asked about, one-hot. 4L: share of layers that are independent. 4L+1: share of
        the budget that is spent.
    """
    layers = len(ties)
    seen = np.zeros(observation_size(layers), dtype=np.float32)
    index = np.arange(layers)
    sources = np.array(ties.sources)
    seen[:layers] = sources / (layers - 1)
    seen[layers : 2 * layers] = np.array(ties.owners) / (layers - 1)
    seen[2 * layers : 3 * layers] = sources == index
    seen[3 * layers + layer] = 1.0
    seen[-2] = np.mean(sources == index)
    seen[-1] = min(1.0, (decision - 1) / budget)
    return seen


def legal_mask(legal: Iterable[int], layers: int) -> np.ndarray:
    """Which of the actions 0 .. L-1 are legal, bool [L]."""
    mask = np.zeros(layers, dtype=bool)
    mask[list(legal)] = True
    return mask
