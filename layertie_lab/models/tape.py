"""Tensors of a training step as names and sizes: what is held at each time, and most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

Place = tuple[str, int | None]
"""(component, layer); the layer is None outside the layers."""
ACTIVATIONS, GRADIENTS, TEMPORARIES = "activations", "gradients", "temporaries"


@dataclass(frozen=True)
class Predicted:
    """What a training step holds, by place, in bytes.

    Args:
        saved: What autograd saves in one forward pass (component activations).
        peak: Everything at the fullest moment.
        moment: In which part of the step that is: forward or backward.
    """

    saved: dict[Place, int]
    peak: dict[Place, int]
    moment: str


class Tape:
    """Tensors by name: which are held now, and all that came and went."""

    def __init__(self) -> None:
        self.held: dict[Hashable, tuple[int, Place]] = {}
        self.log: list[tuple[int, Place]] = []

    def hold(self, name: Hashable, size: int, component: str = TEMPORARIES, layer: int | None = None) -> None:
        assert name not in self.held, f"{name} is held already"
        self.held[name] = size, (component, layer)
        self.log.append((size, (component, layer)))

    def free(self, *names: Hashable) -> None:
        for name in names:
            size, place = self.held.pop(name)
            self.log.append((-size, place))

    def rename(self, name: Hashable, new: Hashable) -> None:
        self.held[new] = self.held.pop(name)

    def fullest(self) -> tuple[dict[Place, int], int]:
        """(place -> bytes at the fullest moment, where in the log that is)."""
        now = most = at = 0
        for index, (size, _) in enumerate(self.log):
            now += size
            if now > most:
                most, at = now, index
        held: Counter[Place] = Counter()
        for size, place in self.log[: at + 1]:
            held[place] += size
        return {place: size for place, size in held.items() if size}, at
