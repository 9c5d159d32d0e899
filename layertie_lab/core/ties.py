"""The tie map: which layer uses whose parameters, as an immutable value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from .errors import TieError


@dataclass(frozen=True)
class TieMap:
    """Which layer each layer takes its parameters from.

    Args:
        sources: One entry per layer. `sources[i] == i`: layer i trains on its own (*independent*);
            `sources[i] == j < i`: layer i is *tied* to layer j. A source may itself be tied; `owners`
            follows the chain to its end.

    Raises:
        TieError: The map is empty, or a source points forward or is negative.

    Source: the agent's state in Hay & Wolf (ICLR 2024), section 3.
    """

    sources: tuple[int, ...]

    def __post_init__(self) -> None:
        try:
            clean = tuple(int(source) for source in self.sources)
        except (TypeError, ValueError):
            raise TieError(
                f"Expected a tie map of whole numbers, one per layer, but got {self.sources!r}.",
                "Write it like [0, 0, 2].",
            ) from None
        object.__setattr__(self, "sources", clean)
        if not clean:
            raise TieError(
                "Expected a tie map with at least one layer, but got an empty one.", "Write it like [0, 0, 2]."
            )
        for layer, source in enumerate(clean):
            if not 0 <= source <= layer:
                raise TieError(
                    f"Expected layer {layer} to be tied to itself or to an earlier layer (0 to {layer}), "
                    f"but got source {source} in {list(clean)}.",
                    "A layer can only copy a layer before it.",
                )

    @classmethod
    def parse(cls, text: str) -> TieMap:
        """The map that a line names by its sources, parted by blanks or commas: "0 0 2", "0,0,2" or "[0, 0, 2]".

        Raises:
            TieError: Not whole numbers, or not a map.
        """
        words = text.strip().removeprefix("[").removesuffix("]").replace(",", " ").split()
        try:
            return cls(tuple(int(word) for word in words))
        except ValueError:
            raise TieError(
                f"Expected a tie map of whole numbers, one per layer, but got {text!r}.", 'Write it like "0 0 2".'
            ) from None

    @classmethod
    def all_tied(cls, layers: int) -> TieMap:
        """Every layer uses layer 0's parameters (ALBERT, Universal Transformer)."""
        return cls((0,) * layers)

    @classmethod
    def independent(cls, layers: int) -> TieMap:
        """Every layer trains on its own (a conventional transformer)."""
        return cls(tuple(range(layers)))

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[int]:
        return iter(self.sources)

    def __getitem__(self, layer: int) -> int:
        return self.sources[layer]

    def __str__(self) -> str:
        return "[" + ", ".join(map(str, self.sources)) + "]"

    @property
    def text(self) -> str:
        """The sources parted by blanks, which `parse` reads."""
        return " ".join(map(str, self.sources))

    @cached_property
    def owners(self) -> tuple[int, ...]:
        """For each layer, the independent layer at the end of its chain of sources."""
        owners: list[int] = []
        for layer, source in enumerate(self.sources):
            owners.append(layer if source == layer else owners[source])
        return tuple(owners)

    @cached_property
    def independent_layers(self) -> tuple[int, ...]:
        """The layers that own their parameters, in order."""
        return tuple(layer for layer, source in enumerate(self.sources) if layer == source)

    @cached_property
    def groups(self) -> dict[int, tuple[int, ...]]:
        """Owner -> the layers that use its parameters (itself first), in order."""
        groups: dict[int, list[int]] = {owner: [] for owner in self.independent_layers}
        for layer, owner in enumerate(self.owners):
            groups[owner].append(layer)
        return {owner: tuple(members) for owner, members in groups.items()}

    def legal(self, layer: int) -> tuple[int, ...]:
        """The legal actions for a layer: 0 .. layer, where `layer` itself means *train on its own*."""
        self._check_layer(layer)
        return tuple(range(layer + 1))

    def act(self, layer: int, source: int) -> TieMap:
        """The map after the action `source` for `layer` (`source == layer`: train on its own).

        Raises:
            TieError: No such layer, or not a legal action for it.
        """
        self._check_layer(layer)
        if isinstance(source, bool) or not isinstance(source, int) or not 0 <= source <= layer:
            raise TieError(
                f"Expected an action from 0 to {layer} for layer {layer}, but got {source!r}.",
                f"Take {layer} to train the layer on its own, or name an earlier layer to tie it to.",
            )
        return TieMap((*self.sources[:layer], source, *self.sources[layer + 1 :]))

    def flattened(self) -> TieMap:
        """The same sharing with every chain replaced by its end: `flattened().sources == owners`."""
        return TieMap(self.owners)

    def _check_layer(self, layer: int) -> None:
        if isinstance(layer, bool) or not isinstance(layer, int) or not 0 <= layer < len(self):
            raise TieError(
                f"Expected a layer from 0 to {len(self) - 1}, but got {layer!r}.", "Layers are counted from 0."
            )


def sharing_of(identities: Iterable[object]) -> TieMap:
    """The map that equal identities describe: each position points at the first one equal to it.

    Args:
        identities: One hashable per layer (a storage pointer, an object id, ...).
    """
    first: dict[object, int] = {}
    return TieMap(tuple(first.setdefault(identity, layer) for layer, identity in enumerate(identities)))
