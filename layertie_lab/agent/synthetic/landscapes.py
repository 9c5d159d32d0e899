"""Worths of tie maps with a known best map: what an agent that works must find."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...core.errors import ConfigError
from ...core.ties import TieMap

LANDSCAPES: tuple[str, ...] = ("A", "B", "C", "V", "P")


@dataclass(frozen=True)
class Landscape:
    """What each map is worth, at most 1.

    Args:
        name: Which of `LANDSCAPES`.
        layers: Depth L.
        worth: Of a map.
        best: A map of highest worth (which is 1).
        noise: Standard deviation of the noise through which worth is seen, in units of worth.
        drift: What training alone gains in all, in units of worth; it decays like a training loss.
    """

    name: str
    layers: int
    worth: Callable[[TieMap], float]
    best: TieMap
    noise: float = 0.0
    drift: float = 0.0


def make_landscape(name: str, layers: int, seed: int = 0) -> Landscape:
    """A landscape by name.

    Args:
        name: A: each layer has one best source; worth is the share of layers 1 .. L-1 that have theirs.
            B: 1 - .4 ((owners-k)/k)^2 - .3 (1 - share of k-1 given layers that own) - .3 (1 - share of layers that own
            or have the owner of the layer before), with k a quarter of the layers, at least 3.
            C: A through noise as large as one layer's effect, plus a drift that decays like a training loss.
            V: B with .6 k in place of .4, so that worth falls before it rises from one good map to a better one.
            P: the share of pairs of layers that share an owner in the map as in the best one, or do not in both (the
            Rand index); unlike the others it is no sum of features of single layers.
        layers: Depth L, at least 4.
        seed: Of the best sources or the given layers.

    Raises:
        ConfigError: Unknown name, or too few layers.
    """
    if name not in LANDSCAPES:
        raise ConfigError(f"Expected a landscape out of {', '.join(LANDSCAPES)}, but got {name!r}.", "Use A.")
    if layers < 4:
        raise ConfigError(f"Expected at least 4 layers, but got {layers}.", "Use 6.")
    draw = random.Random(f"landscape/{name}/{layers}/{seed}")
    if name in ("A", "C"):
        best = TieMap((0, *(draw.randrange(layer + 1) for layer in range(1, layers))))
        effect = 1 / (layers - 1)
        return Landscape(name, layers, _best_sources(best), best, *((effect, 3.0) if name == "C" else ()))
    if name == "P":
        drawn = (draw.randrange(layer) if draw.random() < 0.7 else layer for layer in range(1, layers))
        best = TieMap((0, *drawn)).flattened()
        return Landscape(name, layers, _pairs(best), best)
    owners = max(3, layers // 4)
    given = sorted(draw.sample(range(1, layers), owners - 1))
    sources = [0]
    for layer in range(1, layers):
        sources.append(layer if layer in given else sources[-1])
    return Landscape(name, layers, _owners(given, owners, 0.4 if name == "B" else 0.6 * owners), TieMap(tuple(sources)))


def _best_sources(best: TieMap) -> Callable[[TieMap], float]:
    def worth(ties: TieMap) -> float:
        return sum(a == b for a, b in zip(ties.sources[1:], best.sources[1:], strict=True)) / (len(best) - 1)

    return worth


def _owners(given: list[int], owners: int, weight: float) -> Callable[[TieMap], float]:
    def worth(ties: TieMap) -> float:
        sources, ends = ties.sources, ties.owners
        count = len(ties.independent_layers)
        placed = sum(sources[layer] == layer for layer in given) / len(given)
        runs = sum(sources[layer] == layer or ends[layer] == ends[layer - 1] for layer in range(1, len(ties))) / (
            len(ties) - 1
        )
        return 1 - weight * ((count - owners) / owners) ** 2 - 0.3 * (1 - placed) - 0.3 * (1 - runs)

    return worth


def _pairs(best: TieMap) -> Callable[[TieMap], float]:
    wanted = np.array(best.owners)
    upper = np.triu_indices(len(best), 1)
    together = (wanted[:, None] == wanted)[upper]

    def worth(ties: TieMap) -> float:
        owners = np.array(ties.owners)
        return float(np.mean((owners[:, None] == owners)[upper] == together))

    return worth
