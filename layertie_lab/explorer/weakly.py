"""Callbacks that do not keep their owner: a run, a thread or a widget may hold them for longer than it is to live."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any


def weakly(method: Callable[..., Any], *first: Any) -> Callable[..., None]:
    """A function that calls a bound method, with some arguments before its own, as long as the method's owner lives."""
    held = weakref.WeakMethod(method)

    def call(*arguments: Any) -> None:
        if (found := held()) is not None:
            found(*first, *arguments)

    return call
