"""What a similarity of layers is: it says of itself what its values mean, and is fed batch by batch.

@SIMILARITIES.register(SimilarityDescription("mine", "What I compare", unit="my measure (0 to 1)", least=0.0))
def mine(setup: Setup) -> Comparison: ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core.descriptions import Description, Registry
from ..capture import Passage
from ..statistics.intervals import LEVEL, Estimate

Metric = Literal["cosine", "euclidean"]
"""Distance between tokens, for neighbours."""


@dataclass(frozen=True)
class SimilarityDescription(Description):
    """What a similarity says of itself; `unit` names its values with their range, as it stands beside a scale.

    Args:
        label: A name for the middle of a title.
        least: The smallest value that there can be; the largest is 1.
        usual: Whether it is among those computed where none is named.
        any_shape: Whether it compares models of any shape.
    """

    label: str = ""
    least: float = -1.0
    usual: bool = False
    any_shape: bool = False


@dataclass(frozen=True)
class Setup:
    """What a comparison starts from.

    Args:
        layers: Of the one model.
        others: Of the second, for the columns; None = the same.
        permutations: Random pairings behind the null; with 19, an unrelated pair exceeds it 1 time in 20.
        seed: Of these pairings.
        k: Neighbours of a token.
        metric: Distance between tokens for the neighbours.
    """

    layers: list[nn.Module]
    others: list[nn.Module] | None
    permutations: int
    seed: int
    k: int
    metric: Metric


@dataclass(frozen=True)
class Seen:
    """A batch of sequences, as each layer saw it.

    Args:
        first: Passages through the layers of the one model.
        second: Through those of the second; of the same where there is none.
        layers: The layers whose passages `second` are.
    """

    first: list[Passage]
    second: list[Passage]
    layers: list[nn.Module]

    @cached_property
    def streams(self) -> tuple[Tensor, ...]:
        """[batch, layers, time, features] the residual stream after each layer, for each model there is."""
        sides = (self.first,) if self.second is self.first else (self.first, self.second)
        return tuple(torch.stack([passage.output for passage in side], dim=1) for side in sides)


class Comparison(ABC):
    """One similarity of every pair of layers.

    Attributes:
        reads_text: Whether it is fed at all; the weights alone need no text.
    """

    reads_text = True

    @property
    def chance(self) -> float | None:
        """What unrelated layers show on average, where theory says."""
        return None

    def update(self, seen: Seen) -> None:
        """Add a batch of sequences."""
        return

    @abstractmethod
    def estimate(self, level: float = LEVEL) -> Estimate:
        """[layers a, layers b] with intervals over sequences.

        Raises:
            AnalysisError: Too little text, or numbers that are not finite.
        """

    @abstractmethod
    def null(self) -> NDArray[np.float64]:
        """[layers a, layers b] what unrelated layers reach 1 time in 20."""


class Accumulator(Protocol):
    """A measure of two lists of representations that takes one sequence at a time."""

    @property
    def chance(self) -> float | None: ...
    def update(self, first: Tensor, second: Tensor | None = None) -> None: ...
    def estimate(self, level: float = LEVEL) -> Estimate: ...
    def null(self) -> NDArray[np.float64]: ...


class OfStreams(Comparison):
    """A measure of the residual streams after the layers, a minibatch per sequence."""

    def __init__(self, accumulator: Accumulator) -> None:
        self._accumulator = accumulator

    @property
    def chance(self) -> float | None:
        return self._accumulator.chance

    def update(self, seen: Seen) -> None:
        for sequence in zip(*seen.streams, strict=True):  # [L, T, D] per model
            self._accumulator.update(*sequence)

    def estimate(self, level: float = LEVEL) -> Estimate:
        return self._accumulator.estimate(level)

    def null(self) -> NDArray[np.float64]:
        return self._accumulator.null()


SIMILARITIES: Registry[SimilarityDescription, Callable[[Setup], Comparison]] = Registry(
    "similarity",
    [
        f"layertie_lab.analysis.similarity.{module}"
        for module in ("cka", "cosines", "weights", "neighbours", "procrustes")
    ],
    "layertie_lab.similarities",
)
"""Name -> what makes it; a package brings its own in the entry-point group `layertie_lab.similarities`."""


def usual_similarities() -> tuple[str, ...]:
    """The names of those that are computed where none is named."""
    return tuple(each.name for each in SIMILARITIES if each.usual)


def similarities_of_any_shape() -> tuple[str, ...]:
    """The names of those that compare models of any shape."""
    return tuple(each.name for each in SIMILARITIES if each.any_shape)
