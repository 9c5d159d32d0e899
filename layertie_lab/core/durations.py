"""How long something takes, as people say it."""

from __future__ import annotations


def in_time(seconds: float) -> str:
    """Seconds in the unit that people use: "95 s", "12 min", "1 h 28 min"; a part of a second counts as one.

    Args:
        seconds: 0 or more.
    """
    if seconds < 119.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours:,} h {rest} min" if rest else f"{hours:,} h"
