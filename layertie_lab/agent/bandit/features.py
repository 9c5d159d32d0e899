"""A tie map as numbers: what the lab agent thinks a map's worth may depend on."""

from __future__ import annotations

import numpy as np

from ...core.ties import TieMap


def feature_count(layers: int) -> int:
    """How many features a map of so many layers has."""
    return sum(range(2, layers + 1)) + 2 + 2 + (layers - 1) + 2


class MapFeatures:
    """Features of a map whose weighted sum stands for its worth.

    Groups (name: number of features, meaning):
        table: one per layer 1 .. L-1 and legal action, which source the layer names (itself = trains on its own)
        count: 2, the share of layers that are owners, and its square
        position: 2, where the owners are: sums of z and z^2 over owners, z from -1 (first layer) to 1 (last), / L
        jumps: one per layer 1 .. L-1, whether it is tied but has another owner than the layer before it
        pooled: 2, the share of layers with a jump; the mean distance of layers to their owners, / L

    Args:
        layers: Depth L.
    """

    def __init__(self, layers: int) -> None:
        self.layers = layers
        sizes = [layer + 1 if layer else 0 for layer in range(layers)]
        self.starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        """First table column of each layer."""
        bounds = np.cumsum([0, sum(sizes), 2, 2, layers - 1, 2])
        names = ("table", "count", "position", "jumps", "pooled")
        self.groups = {name: slice(int(a), int(b)) for name, a, b in zip(names, bounds, bounds[1:], strict=False)}
        self.size = int(bounds[-1])
        self.place = np.linspace(-1.0, 1.0, layers)
        """z of each layer."""

    def vector(self, ties: TieMap) -> np.ndarray:
        """The features of one map, [size]."""
        sources, owners = np.array(ties.sources), np.array(ties.owners)
        index = np.arange(self.layers)
        own, groups = sources == index, self.groups
        x = np.zeros(self.size)
        x[self.starts[1:] + sources[1:]] = 1.0
        share = own.mean()
        x[groups["count"]] = share, share * share
        x[groups["position"]] = (own @ self.place) / self.layers, (own @ self.place**2) / self.layers
        jumps = (owners[1:] != owners[:-1]) & ~own[1:]
        x[groups["jumps"]] = jumps
        x[groups["pooled"]] = jumps.sum() / self.layers, (index - owners).mean() / self.layers
        return x
