"""What became of the tie map, as changes: the part of a run's history that the tie map's strip shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .live.thinning import Row, thin_changes

MOST_CHANGES = 4_000
"""Changes sent in one message."""
KEPT_CHANGES = 40_000
"""Changes held in Python; beyond that the older half is thinned."""
MOST_OVERRIDES = 1_000
"""Override marks held; beyond that the oldest go."""


class History:
    """Changes of each layer's owner (by the map) and block (by storage), and the overrides.

    Attributes:
        last: The latest decision recorded.
    """

    def __init__(self) -> None:
        self.last = 0
        self._start: list[tuple[int, int]] = []
        self._now: list[tuple[int, int]] = []
        self._changes: list[Row] = []
        self._overrides: list[tuple[int, int]] = []
        self._unsent: list[Row] = []
        self._unsent_overrides: list[tuple[int, int]] = []

    def begin(self, owners: Sequence[int], blocks: Sequence[int]) -> None:
        """Start over with a first map."""
        self.__init__()
        self._start = self._now = list(zip(owners, blocks, strict=True))

    def record(self, decision: int, owners: Sequence[int], blocks: Sequence[int], override: int | None = None) -> None:
        """Add the map after a decision.

        Args:
            decision: Counted from 1.
            owners: Owner of each layer by the tie map.
            blocks: First layer with the same storage, for each layer.
            override: The layer asked about, if a person acted otherwise than proposed.
        """
        if not self._start:
            self.begin(owners, blocks)
        after = list(zip(owners, blocks, strict=True))
        changes = [
            {"decision": decision, "layer": layer, "owner": new[0], "block": new[1]}
            for layer, (old, new) in enumerate(zip(self._now, after, strict=True))
            if old != new
        ]
        self._now, self.last = after, max(self.last, decision)
        self._changes += changes
        self._unsent += changes
        if override is not None:
            self._overrides = [*self._overrides, (decision, override)][-MOST_OVERRIDES:]
            self._unsent_overrides.append((decision, override))
        if len(self._changes) > KEPT_CHANGES:
            half = KEPT_CHANGES // 2
            self._changes = thin_changes(self._changes[:half], half // 2, "layer", "decision") + self._changes[half:]

    def whole(self) -> dict[str, Any]:
        """The message that a view starts from; old stretches are coarser where there were very many changes."""
        self._unsent, self._unsent_overrides = [], []
        changes = thin_changes(self._changes, MOST_CHANGES, "layer", "decision")
        return {"start": self._start, **self._message(changes, self._overrides)}

    def rows(self) -> list[Row]:
        """Rows of the table `ties`, as far as they differ from those before, and those of the latest decision."""
        names = ("owner", "block")
        first = [
            {"decision": 0, "layer": layer, **dict(zip(names, held, strict=True))}
            for layer, held in enumerate(self._start)
        ]
        last = [
            {"decision": self.last, "layer": layer, **dict(zip(names, held, strict=True))}
            for layer, held in enumerate(self._now)
        ]
        changes = thin_changes(self._changes, MOST_CHANGES, "layer", "decision")
        return [*first, *changes, *(last if self.last else [])]

    def overrides(self) -> list[tuple[int, int]]:
        """(decision, layer) of a person's actions against the agent."""
        return list(self._overrides)

    def news(self) -> dict[str, Any] | None:
        """The message with what was recorded since the last one; None if there is nothing a view needs to hear."""
        changes, self._unsent = self._unsent, []
        overrides, self._unsent_overrides = self._unsent_overrides, []
        return self._message(changes, overrides)

    def _message(self, changes: Sequence[Row], overrides: Sequence[tuple[int, int]]) -> dict[str, Any]:
        columns = ("decision", "layer", "owner", "block")
        return {
            "kind": "history",
            "changes": [[change[name] for name in columns] for change in changes],
            "overrides": list(overrides),
            "last": self.last,
        }
