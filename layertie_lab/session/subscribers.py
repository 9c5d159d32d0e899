"""Who watches a session."""

from __future__ import annotations

from collections.abc import Callable

from ..core.errors import LayertieError
from ..core.notices import Entry

Subscriber = Callable[[Entry], None]
"""Called with each event and each notice, in the thread in which it happens."""


class Subscribers:
    """Those who are told what happens."""

    def __init__(self) -> None:
        self._callbacks: list[Subscriber] = []

    def add(self, callback: Subscriber) -> Callable[[], None]:
        """Tell `callback` from now on; the result ends it.

        Raises:
            LayertieError: It cannot be called.
        """
        if not callable(callback):
            raise LayertieError(
                f"Expected a function that takes an event or a notice, but got {callback!r}.",
                "Give one: session.subscribe(print).",
            )
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def tell(self, entry: Entry) -> None:
        """Pass an event or a notice on."""
        for callback in tuple(self._callbacks):
            callback(entry)
