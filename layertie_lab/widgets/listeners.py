"""Callbacks that do not keep their owner alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any


class Listeners:
    """A list of callbacks. A bound method is held weakly, so that listening does not keep its object alive.

    Widgets live until they are closed (the host keeps a table of them); with strong references whoever listens to a
    widget, and with it a training process, would live as long. Functions and lambdas are held strongly.
    """

    def __init__(self) -> None:
        self._held: list[Callable[[], Callable[..., Any] | None]] = []

    def add(self, callback: Callable[..., Any]) -> Callable[[], None]:
        """Call `callback` from now on; the result ends it."""
        is_method = hasattr(callback, "__self__") and hasattr(callback, "__func__")
        held: Callable[[], Callable[..., Any] | None] = weakref.WeakMethod(callback) if is_method else lambda: callback
        self._held.append(held)

        def remove() -> None:
            if held in self._held:
                self._held.remove(held)

        return remove

    def call(self, *arguments: Any) -> bool:
        """Call them all, in order of their coming. Returns whether there was any."""
        called = False
        for held in tuple(self._held):
            callback = held()
            if callback is None:
                self._held.remove(held)
            else:
                callback(*arguments)
                called = True
        return called
