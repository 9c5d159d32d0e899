"""How far a view has come, in parts."""

from __future__ import annotations

from collections.abc import Callable

Tick = Callable[[float], None]
"""Called with the share done, 0 to 1; raises to cancel."""


def part(tick: Tick, start: float, end: float) -> Tick:
    """A tick for one part of the work, from one share of the whole to another."""
    return lambda share: tick(start + share * (end - start))
