"""Worths of tie maps with a known best map: what an agent that works must find."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from ...core.errors import ConfigError
from ...core.ties import TieMap

Worth: TypeAlias = Callable[[TieMap], float]
"""What a map is worth, at most 1."""


@dataclass(frozen=True)
class Landscape:
    """What each map is worth, at most 1, and how much of that is seen.

    Args:
        name: Which of `LANDSCAPES`.
        layers: Depth L.
        worth: Of a map.
        best: A map of highest worth (which is 1).
        noise: Scale of the noise through which worth is seen, in units of worth; its standard deviation where it is
            normal.
        drift: What training alone gains in all, in units of worth; it decays like a training loss.
        freedom: Degrees of freedom of Student's t distribution, from which the noise is drawn; infinite = normal.
        lag: Decisions (a time constant) in which the worth that is seen approaches the map's worth; 0 = at once.
        cost: Worth that is lost to sight with every change of the map, on top of what was lost and is not back yet.
        recovery: Decisions (a time constant) in which that comes back.
        later: What maps are worth in the second half of the budget; None = the same.
    """

    name: str
    layers: int
    worth: Worth
    best: TieMap
    noise: float = 0.0
    drift: float = 0.0
    freedom: float = math.inf
    lag: float = 0.0
    cost: float = 0.0
    recovery: float = 0.0
    later: Landscape | None = None

    def at(self, decision: int, budget: int) -> Landscape:
        """What holds once a number of a run's budget of decisions is made."""
        return self.later if self.later is not None and 2 * decision > budget else self


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
            T: A through heavy-tailed noise (t with 2 degrees of freedom, which has no variance), its scale as large as
            one layer's effect.
            N: A through noise five times as large as one layer's effect (C's is once), without a drift.
            S: A whose best sources are drawn anew half-way through the budget.
            D: A whose effects come late: the worth that is seen approaches the map's with a time constant of one sweep.
            Q: layers 1 .. L-1 in random pairs (of an odd number one stands alone); worth is the share of pairs of which
            both have their best source. One of the two alone pays nothing.
            W: a plateau: worth is 0 up to a third of the layers with their best source, and rises from there to 1 in
            proportion to the others.
            K: A with a cost of every change, twice one layer's effect at first, that is gone with a time constant of
            10 decisions: what is right looks wrong at first.
            Z: smooth in depth: what owning is worth goes up and down with depth like a wave (.75 to 1.5 periods). Worth
            is 1 - .7 (share of the wave's size at layers that own where it is negative, or do not where it is positive)
            - .3 (1 - share of layers that own or have the owner of the layer before).
        layers: Depth L, at least 4.
        seed: Of the best sources or the given layers.

    Raises:
        ConfigError: Unknown name, or too few layers.
    """
    if name not in _MAKERS:
        raise ConfigError(f"Expected a landscape out of {', '.join(LANDSCAPES)}, but got {name!r}.", "Use A.")
    if layers < 4:
        raise ConfigError(f"Expected at least 4 layers, but got {layers}.", "Use 6.")
    return _MAKERS[name](name, layers, random.Random(f"landscape/{name}/{layers}/{seed}"))


def _sources(name: str, layers: int, draw: random.Random) -> Landscape:
    """A, and with a way of seeing of their own C, T, N, S, D and K."""
    made = _best_sources(name, layers, draw)
    effect, sweep = 1 / (layers - 1), layers - 1
    match name:
        case "C":
            return replace(made, noise=effect, drift=3.0)
        case "T":
            return replace(made, noise=effect, freedom=2.0)
        case "N":
            return replace(made, noise=5 * effect)
        case "S":
            return replace(made, later=_best_sources(name, layers, draw))
        case "D":
            return replace(made, lag=float(sweep))
        case "K":
            return replace(made, cost=2 * effect, recovery=10.0)
        case _:
            return made


def _best_sources(name: str, layers: int, draw: random.Random) -> Landscape:
    best = _drawn(layers, draw)
    return Landscape(name, layers, lambda ties: _right(ties, best) / (layers - 1), best)


def _drawn(layers: int, draw: random.Random) -> TieMap:
    return TieMap((0, *(draw.randrange(layer + 1) for layer in range(1, layers))))


def _right(ties: TieMap, best: TieMap, among: Sequence[int] | None = None) -> int:
    """How many layers (of all but layer 0) have their best source."""
    layers = range(1, len(best)) if among is None else among
    return sum(ties.sources[layer] == best.sources[layer] for layer in layers)


def _plateau(name: str, layers: int, draw: random.Random) -> Landscape:
    """W."""
    best = _drawn(layers, draw)
    return Landscape(name, layers, lambda ties: max(0.0, (3 * _right(ties, best) / (layers - 1) - 1) / 2), best)


def _both(name: str, layers: int, draw: random.Random) -> Landscape:
    """Q."""
    best, order = _drawn(layers, draw), list(range(1, layers))
    draw.shuffle(order)
    pairs = [order[first : first + 2] for first in range(0, len(order), 2)]

    def worth(ties: TieMap) -> float:
        return sum(_right(ties, best, pair) == len(pair) for pair in pairs) / len(pairs)

    return Landscape(name, layers, worth, best)


def _partition(name: str, layers: int, draw: random.Random) -> Landscape:
    """P."""
    drawn = (draw.randrange(layer) if draw.random() < 0.7 else layer for layer in range(1, layers))
    best = TieMap((0, *drawn)).flattened()
    wanted = np.array(best.owners)
    upper = np.triu_indices(layers, 1)
    together = (wanted[:, None] == wanted)[upper]

    def worth(ties: TieMap) -> float:
        owners = np.array(ties.owners)
        return float(np.mean((owners[:, None] == owners)[upper] == together))

    return Landscape(name, layers, worth, best)


def _owners(name: str, layers: int, draw: random.Random) -> Landscape:
    """B and V."""
    owners = max(3, layers // 4)
    given = sorted(draw.sample(range(1, layers), owners - 1))
    weight = 0.4 if name == "B" else 0.6 * owners

    def worth(ties: TieMap) -> float:
        count = len(ties.independent_layers)
        placed = sum(ties.sources[layer] == layer for layer in given) / len(given)
        return 1 - weight * ((count - owners) / owners) ** 2 - 0.3 * (1 - placed) - 0.3 * (1 - _in_runs(ties))

    return Landscape(name, layers, worth, _runs(layers, given))


def _wave(name: str, layers: int, draw: random.Random) -> Landscape:
    """Z."""
    phase, periods = draw.random(), draw.uniform(0.75, 1.5)
    wave = [math.cos(2 * math.pi * (phase + periods * (layer - 1) / (layers - 2))) for layer in range(1, layers)]
    size = math.fsum(map(abs, wave))

    def worth(ties: TieMap) -> float:
        wrong = (abs(gain) for layer, gain in enumerate(wave, 1) if (ties.sources[layer] == layer) != (gain > 0))
        return 1 - 0.7 * math.fsum(wrong) / size - 0.3 * (1 - _in_runs(ties))

    return Landscape(name, layers, worth, _runs(layers, [layer for layer, gain in enumerate(wave, 1) if gain > 0]))


def _in_runs(ties: TieMap) -> float:
    """The share of layers that own or have the owner of the layer before."""
    sources, ends = ties.sources, ties.owners
    runs = sum(sources[layer] == layer or ends[layer] == ends[layer - 1] for layer in range(1, len(ties)))
    return runs / (len(ties) - 1)


def _runs(layers: int, owners: Sequence[int]) -> TieMap:
    """Each layer tied to the nearest owner up to it; layer 0 owns too."""
    sources = [0]
    for layer in range(1, layers):
        sources.append(layer if layer in owners else sources[-1])
    return TieMap(tuple(sources))


_MAKERS: dict[str, Callable[[str, int, random.Random], Landscape]] = {
    "A": _sources,
    "B": _owners,
    "C": _sources,
    "V": _owners,
    "P": _partition,
    "T": _sources,
    "N": _sources,
    "S": _sources,
    "D": _sources,
    "Q": _both,
    "W": _plateau,
    "K": _sources,
    "Z": _wave,
}
LANDSCAPES: tuple[str, ...] = tuple(_MAKERS)
