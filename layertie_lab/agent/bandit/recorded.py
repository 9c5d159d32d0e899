"""What recorded runs taught, for an agent to begin with: what maps were worth, and what changes of ties brought.

The runs, how they were made and the fit are in data/prior; `recorded.json` is what came of it. They are of other sizes
and texts than the runs that agents are compared on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import TieError
from ...core.rules import Rules
from ...core.ties import TieMap
from .forecast import Forecast

TRAITS = ("spread", "single", "first", "last", "jumps", "largest")
"""What of a map its loss is predicted from, see `traits`."""


def traits(ties: TieMap) -> NDArray[Any]:
    """A map as numbers that mean the same at every depth. [len(TRAITS)]; all 0 where every layer is on its own.

    spread: ln(layers / owners). single: 1 where one layer owns everything. first, last: 1 where the first or the last
    layer shares its block. jumps: share of layers that are tied and have another owner than the layer before.
    largest: share of the layers in the largest block, beyond that of one layer.
    """
    owners, layers = ties.owners, len(ties)
    count = len(set(owners))
    jumps = sum(owners[layer] not in (layer, owners[layer - 1]) for layer in range(1, layers))
    largest = max(owners.count(owner) for owner in set(owners))
    shared = [owners.count(owners[layer]) > 1 for layer in (0, layers - 1)]
    return np.array(
        [math.log(layers / count), count == 1, *shared, jumps / layers, (largest - 1) / layers], dtype=np.float64
    )


@dataclass(frozen=True)
class MapWorth:
    """What a map is predicted to lose against every layer on its own, trained alike from the start.

    Args:
        mean: [traits] coefficients, nats per token.
        covariance: [traits, traits].
        noise: Standard deviation of one run about the prediction, nats per token.
    """

    mean: NDArray[Any]
    covariance: NDArray[Any]
    noise: float

    def excess(self, ties: TieMap) -> tuple[float, float]:
        """Predicted loss minus that of every layer on its own, with the standard deviation of that mean."""
        row = traits(ties)
        return float(row @ self.mean), float(np.sqrt(row @ self.covariance @ row))

    def best(self, layers: int, owners: int, rules: Rules = Rules()) -> TieMap:  # noqa: B008
        """The map of so many owners whose predicted loss is lowest, out of `candidates` (the first of equals).

        Args:
            layers: Depth L.
            owners: 1 .. L.
            rules: That it must keep. Where no candidate of so many owners does, one of the next smaller number is
                taken, and where none does at all the map in which every layer is tied to layer 0.
        """
        for count in range(owners, 0, -1):
            found = [ties for ties in candidates(layers, count) if _keeps(ties, rules)]
            if found:
                return min(found, key=lambda ties: round(self.excess(ties)[0], 9))
        return TieMap.all_tied(layers)

    def front(self, layers: int) -> list[tuple[int, float]]:
        """Number of owners, and the predicted loss of the best map of so many above that of every layer on its own."""
        return [(owners, self.excess(self.best(layers, owners))[0]) for owners in range(1, layers + 1)]


def candidates(layers: int, owners: int) -> Iterator[TieMap]:
    """Maps with some layers at both ends on their own and the others in runs of equal length, or in a cycle.

    Args:
        layers: Depth L.
        owners: 1 .. L.
    """
    for ends in range(min(owners, layers - 1), -1, -1):
        for front in range(ends, -1, -1):
            back, inner = ends - front, owners - ends
            middle = layers - ends
            if not 1 <= inner <= middle:
                continue
            runs = [place * inner // middle for place in range(middle)]
            firsts = [front + runs.index(block) for block in range(inner)]
            head, tail = range(front), range(layers - back, layers)
            yield TieMap((*head, *(firsts[block] for block in runs), *tail))
            if 1 < inner < middle:
                yield TieMap((*head, *(front + place % inner for place in range(middle)), *tail))


def _keeps(ties: TieMap, rules: Rules) -> bool:
    try:
        return all(ties[layer] in rules.legal(ties, layer) for layer in range(1, len(ties)))
    except TieError:
        return False


def recorded() -> tuple[MapWorth, Forecast]:
    """What maps are worth, and what changes bring, before anything is known of a run."""
    values = _fitted()
    maps = values["maps"]
    return MapWorth(np.array(maps["mean"]), np.array(maps["covariance"]), maps["noise"]), Forecast.recorded(
        values["changes"]
    )


@cache
def _fitted() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("recorded.json").read_text(encoding="utf-8"))
