"""Whole maps of a number of owners, read off what was measured of ties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.ties import TieMap

if TYPE_CHECKING:
    from numpy.typing import NDArray


def cheapest_ties(costs: NDArray[Any], owners: int, ties: TieMap | None = None) -> TieMap:
    """The map of so many owners that a greedy walk reaches, each tie's cost counted by itself.

    Args:
        costs: [L, L] the change of the loss if layer l alone named source a <= l.
        owners: 1 .. the number of owners of `ties`.
        ties: The map that costs were measured on, where the walk begins; by default every layer is on its own.
    """
    layers = len(costs)

    def cheapest(layer: int, left: list[int]) -> int:
        return min((a for a in left if a < layer), key=lambda a: costs[layer, a])

    def total(left: list[int]) -> float:
        return sum(float(costs[layer, cheapest(layer, left)]) for layer in range(layers) if layer not in left)

    left = list(range(layers) if ties is None else ties.independent_layers)
    while len(left) > owners:
        # Layer 0 has nobody to be tied to. A layer that loses its source goes to its next best.
        left = min(([a for a in left if a != layer] for layer in left[1:]), key=total)
    return TieMap(tuple(layer if layer in left else cheapest(layer, left) for layer in range(layers)))


def agreeing_runs(agreement: NDArray[Any], owners: int) -> TieMap:
    """The split of the layers into so many runs of neighbours whose steps are longest together, to first order.

    Args:
        agreement: [L, L] as `training.evidence.gradient_agreement` gives it.
        owners: 1 .. L.
    """
    layers = len(agreement)

    def length(first: int, end: int) -> float:
        return max(0.0, float(agreement[first:end, first:end].sum())) ** 0.5

    # For each end, the best split of the layers before it: (length in all, where its runs begin).
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for _ in range(owners):
        best = {
            end: max(
                (value + length(first, end), (*runs, first)) for first, (value, runs) in best.items() if first < end
            )
            for end in range(min(best) + 1, layers + 1)
        }
    firsts = best[layers][1]
    return TieMap(tuple(max(first for first in firsts if first <= layer) for layer in range(layers)))
