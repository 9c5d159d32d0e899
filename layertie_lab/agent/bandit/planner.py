"""The best whole map under given weights of its features."""

from __future__ import annotations

import numpy as np

from ...core.ties import TieMap
from .features import MapFeatures


class Planner:
    """Searches maps of highest worth: a weighted sum of `MapFeatures` plus what it costs to get there.

    Worth of a map, up to a constant: sum of `actions[l, source of l]` + `curve` x (owners)^2 + sum of `jumps` over
    layers that jump + `reach` x sum of owners' indices. Everything but the square of the owner count is a sum over
    layers, so the search sweeps the layers for a given price of owning, and picks the number of owners for which price
    and square agree.

    Args:
        features: The features that the weights belong to.
        weights: [features.size].
        present: Where changes are counted from.
        costs: Worth of a change: (any change, an owner's weights given up, a layer becomes an owner).
    """

    def __init__(
        self, features: MapFeatures, weights: np.ndarray, present: TieMap | None = None, costs: np.ndarray | None = None
    ) -> None:
        self._layers = layers = features.layers
        groups = features.groups
        linear, square = weights[groups["count"]]
        tilt, bend = weights[groups["position"]]
        hop, distance = weights[groups["pooled"]]
        own = (linear + tilt * features.place + bend * features.place**2) / layers
        table, starts = weights[groups["table"]], features.starts
        self._actions = [np.zeros(1)] + [
            table[starts[layer] : starts[layer] + layer + 1].copy() for layer in range(1, layers)
        ]
        for layer in range(1, layers):
            self._actions[layer][layer] += own[layer]
        if present is not None and costs is not None:
            for layer in range(1, layers):
                row, source = self._actions[layer], present[layer]
                kept = row[source]
                row += costs[0]
                if source == layer:
                    row += costs[1]
                else:
                    row[layer] += costs[2]
                row[source] = kept
        self._curve = square / layers**2
        self._jumps = np.concatenate([[0.0], weights[groups["jumps"]] + hop / layers])
        self._reach = -distance / layers**2

    def worth(self, ties: TieMap) -> float:
        """Worth of a map, up to a constant that all maps share."""
        sources, owners = ties.sources, np.array(ties.owners)
        own = np.array(sources) == np.arange(self._layers)
        actions = sum(float(self._actions[layer][source]) for layer, source in enumerate(sources))
        jumps = (owners[1:] != owners[:-1]) & ~own[1:]
        return (
            actions
            + self._curve * int(own.sum()) ** 2
            + float(jumps @ self._jumps[1:])
            + self._reach * float(owners.sum())
        )

    def completed(self, ties: TieMap, layer: int, plan: TieMap) -> TieMap:
        """The map as it stands up to a layer, and after it as planned."""
        rest = plan.sources[layer + 1 :]
        if plan.sources[:layer] != ties.sources[:layer]:
            # Somebody else acted on the way: what was planned for the rest may no longer be best.
            start = TieMap((*ties.sources[: layer + 1], *rest))
            rest = self.best([start], first=layer).sources[layer + 1 :]
        return TieMap((*ties.sources[: layer + 1], *rest))

    def action_values(self, ties: TieMap, layer: int) -> np.ndarray:
        """Worth of each legal action of one layer, the others staying as they are, up to a constant. [layer + 1]"""
        values = self._sweep_values(list(ties.sources), np.array(ties.owners), layer)
        others = len(ties.independent_layers) - (ties[layer] == layer)
        values[layer] += self._curve * (2 * others + 1)
        return values

    def best(self, starts: list[TieMap], *, first: int = 1, rounds: int = 6) -> TieMap:
        """The best map found from the given starts (the first of equals).

        Args:
            starts: Where to search from, at least one.
            first: Layers before this one stay as they are in each start.
            rounds: Most sweeps over the layers per start.
        """
        found, worth = starts[0], -np.inf
        for start in starts:
            for candidate in (start, self._search(start, first, rounds)):
                value = self.worth(candidate)
                if value > worth + 1e-12:
                    found, worth = candidate, value
        return found

    def _search(self, start: TieMap, first: int, rounds: int) -> TieMap:
        count = len(start.independent_layers)
        price = -self._curve * 2 * count
        best, worth = start, self.worth(start)
        sources = list(start.sources)
        for _ in range(rounds):
            before = list(sources)
            gains = self._sweep(sources, price, first)
            ties = TieMap(tuple(sources))
            value = self.worth(ties)
            if value > worth:
                best, worth = ties, value
            price = self._price(gains, sum(sources[layer] == layer for layer in range(first)))
            if sources == before:
                break
        return best

    def _price(self, gains: np.ndarray, fixed: int) -> float:
        """What owning must gain at least, so that the number of owners is the best one for these gains.

        Args:
            gains: What owning gains at each layer that may still change.
            fixed: Owners among the others.
        """
        ordered = np.sort(gains)[::-1]
        totals = np.concatenate([[0.0], np.cumsum(ordered)])
        counts = fixed + np.arange(len(totals))
        owners = int(np.argmax(totals + self._curve * counts**2))
        above = ordered[owners - 1] if owners else ordered[0] + 1.0
        below = ordered[owners] if owners < len(ordered) else ordered[-1] - 1.0
        return float(above + below) / 2

    def _sweep(self, sources: list[int], price: float, first: int) -> np.ndarray:
        """Give each layer from `first` on its best action, in place; returns what owning gains, before the price."""
        owners = np.array(TieMap(tuple(sources)).owners)
        gains = np.zeros(self._layers - first)
        for layer in range(first, self._layers):
            values = self._sweep_values(sources, owners, layer)
            tied = int(np.argmax(values[:layer]))
            gains[layer - first] = values[layer] - values[tied]
            chosen = layer if gains[layer - first] > price else tied
            if chosen != sources[layer]:
                members = self._members(sources, layer)
                sources[layer] = chosen
                owners[members] = layer if chosen == layer else owners[chosen]
        return gains

    def _sweep_values(self, sources: list[int], owners: np.ndarray, layer: int) -> np.ndarray:
        """Worth of each action of a layer without the owner count's part."""
        members = self._members(sources, layer) - (layer - 1)
        candidates = owners[: layer + 1].copy()
        candidates[layer] = layer
        tail = np.broadcast_to(owners[layer - 1 :], (layer + 1, self._layers - layer + 1)).copy()
        tail[:, members] = candidates[:, None]
        jumps = tail[:, 1:] != tail[:, :-1]
        for later in range(layer + 1, self._layers):
            if sources[later] == later:
                jumps[:, later - layer] = False
        jumps[layer, 0] = False
        return self._actions[layer] + jumps @ self._jumps[layer:] + self._reach * len(members) * candidates

    @staticmethod
    def _members(sources: list[int], layer: int) -> np.ndarray:
        """The layer and those whose chain of sources passes through it."""
        inside = {layer}
        for later in range(layer + 1, len(sources)):
            source = sources[later]
            if source != later and source in inside:
                inside.add(later)
        return np.array(sorted(inside))
