"""Whether anybody sees a panel: what is computed for it waits until then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .listeners import Listeners

MOST_VIEWS = 1_000
"""Of one panel that are kept in mind: a host need not say when one has ended."""


class Sight:
    """The views of a panel that there are, by what browsers say of them."""

    def __init__(self) -> None:
        self._views: set[str] = set()
        self._listeners = Listeners()

    def add(self, callback: Callable[[bool], Any]) -> Callable[[], None]:
        """Call `callback(seen)` when the first view comes and when the last one goes; the result ends it."""
        return self._listeners.add(callback)

    def note(self, view: str, seen: bool) -> None:
        """A view has come or gone."""
        # A host may make a second view of a panel before it ends the first.
        before = bool(self._views)
        (self._views.add if seen else self._views.discard)(view)
        if len(self._views) > MOST_VIEWS:
            self._views.pop()
        if before != bool(self._views):
            self._listeners.call(bool(self._views))
