"""Who uses whose weights after an action, as values: the pure half of a re-tie.

`LayerStack` applies a `Sharing` to modules; nothing here knows of tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.config import TieConfig
from ..core.ties import TieMap, sharing_of


@dataclass(frozen=True)
class Sharing:
    """What each layer uses.

    Args:
        ties: The map as the agent's actions left it (its state).
        blocks: For each layer the first layer on the same storage.
        objects: For each layer the first layer with the same Parameter objects. Equals `blocks` except with
            on_untie="alias", where several objects may lie on one storage.
        waiting: Layers of a frozen-random start that no action has been about yet: frozen, on random weights of their
            own.
    """

    ties: TieMap
    blocks: TieMap
    objects: TieMap
    waiting: tuple[bool, ...]

    def owns(self, layer: int) -> bool:
        """Whether the layer holds a block in its own right: independent, or waiting."""
        return self.ties[layer] == layer or self.waiting[layer]

    def frozen(self, config: TieConfig) -> tuple[bool, ...]:
        """For each layer, whether no gradient of the weights is computed at its position."""
        if config.gradient == "owner":
            return tuple(source != layer for layer, source in enumerate(self.ties))
        # A waiting layer is the first user of its block, since blocks spread to later layers only.
        return tuple(self.waiting[first] for first in self.objects)


@dataclass(frozen=True)
class Move:
    """A change from one sharing to another.

    Args:
        after: The sharing to reach.
        origins: For each layer, where its block comes from: `i >= 0` is the block that layer i had before; `~i` is a
            new copy of the block that layer i had before (equal values mean the same copy).
    """

    after: Sharing
    origins: tuple[int, ...]


def start(ties: TieMap, config: TieConfig) -> Sharing:
    """The sharing at the beginning of a run (departure of the official code: "frozen-random" ignores the map)."""
    layers = TieMap.independent(len(ties))
    if config.start == "frozen-random":
        return Sharing(ties, layers, layers, tuple(source != layer for layer, source in enumerate(ties)))
    blocks = ties.flattened()
    apart = config.on_untie == "alias" and config.gradient == "owner"
    return Sharing(ties, blocks, layers if apart else blocks, (False,) * len(ties))


def after_action(sharing: Sharing, layer: int, source: int, config: TieConfig) -> Move:
    """One action: `layer` is tied to `source`, or (source == layer) becomes independent.

    Raises:
        TieError: Not a legal action for the layer.
    """
    ties = sharing.ties.act(layer, source)
    if config.on_untie == "alias":
        return _aliased(sharing, ties, layer, source, config)
    waiting = tuple(waits and i != layer for i, waits in enumerate(sharing.waiting))
    if config.chain == "follow":
        # A waiting layer ends a chain: what is tied to it uses its random block until an action is about it.
        ends = TieMap(tuple(i if waiting[i] else s for i, s in enumerate(ties))).owners
        return _cloned(sharing, ties, waiting, ends)
    origins = list(sharing.blocks)
    if source < layer:
        origins[layer] = sharing.blocks[source]
    elif not sharing.owns(layer):
        origins[layer] = ~layer
    return _move(ties, waiting, origins)


def _cloned(sharing: Sharing, ties: TieMap, waiting: tuple[bool, ...], owners: Sequence[int]) -> Move:
    return _move(ties, waiting, [owner if sharing.owns(owner) else ~owner for owner in owners])


def _move(ties: TieMap, waiting: tuple[bool, ...], origins: list[int]) -> Move:
    blocks = sharing_of(origins)
    return Move(Sharing(ties, blocks, blocks, waiting), tuple(origins))


def _aliased(sharing: Sharing, ties: TieMap, layer: int, source: int, config: TieConfig) -> Move:
    waiting = tuple(waits and i != layer for i, waits in enumerate(sharing.waiting))
    origins, objects = list(sharing.blocks), list(sharing.objects)
    if source < layer:
        origins[layer] = sharing.blocks[source]
        objects[layer] = sharing.objects[source] if config.gradient == "shared" else layer
    else:
        objects[layer] = layer
    return Move(Sharing(ties, sharing_of(origins), sharing_of(objects), waiting), tuple(origins))
