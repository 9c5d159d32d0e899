"""What a run measures of its ties without training for it, in the form that the lab agent reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...core.ties import TieMap

Kind = Literal["tie", "re-tie", "untie"]
KINDS: tuple[Kind, ...] = ("tie", "re-tie", "untie")
"""What an action changes: a layer gives up its own weights, changes its source, or gets weights of its own."""


def kind_of(present: int, layer: int, action: int) -> Kind:
    """Which kind of change an action is."""
    if action == layer:
        return "untie"
    return "tie" if present == layer else "re-tie"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Measured on one map, at one decision.

    Args:
        ties: The map.
        decision: Decisions made before.
        costs: [L, L] the change of the loss at once if layer l named source a <= l, nats per token
            (`training.evidence.tie_costs`); 0 for a > l.
        splits: [L] by how much the step of a layer's block would be longer, to first order, if the layer had weights of
            its own, as a share of the block's step (`split_gains`); 0 for a layer that shares with nobody.
    """

    ties: TieMap
    decision: int
    costs: NDArray[Any]
    splits: NDArray[Any]

    @classmethod
    def of(cls, ties: TieMap, decision: int, costs: NDArray[Any], agreement: NDArray[Any]) -> Evidence:
        """From what a run measures (`AgentState.tie_costs` and `agreement`)."""
        return cls(ties, decision, np.tril(np.asarray(costs, float)), split_gains(agreement, ties.owners))


def split_gains(agreement: NDArray[Any], owners: Sequence[int]) -> NDArray[Any]:
    """By how much the step of each layer's block would be longer if the layer left it, as a share of it. [L]

    Args:
        agreement: [L, L] as `training.evidence.gradient_agreement` gives it.
        owners: Of each layer.
    """

    def length(group: list[int]) -> float:
        return max(0.0, float(agreement[np.ix_(group, group)].sum())) ** 0.5

    found = np.zeros(len(owners))
    for layer, owner in enumerate(owners):
        group = [other for other, whose in enumerate(owners) if whose == owner]
        whole = length(group)
        if len(group) > 1 and whole > 0:
            found[layer] = (length([layer]) + length([other for other in group if other != layer])) / whole - 1
    return found
