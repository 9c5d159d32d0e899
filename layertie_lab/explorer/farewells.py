"""Runs that were going on when their page was left, so that a page that is only reloaded finds its run going on.

A slow page may take longer than the grace of its worker, which then was saved and ended meanwhile.
"""

from __future__ import annotations

import time
from pathlib import Path

RETURN_SECONDS = 60.0
"""Seconds in which a page may come back."""

_cut_off: set[Path] = set()
_left: dict[Path, tuple[float, int | None]] = {}


def put(path: Path, goal: int | None) -> None:
    """A page with this run has said farewell; the run was to go to decision `goal` (None: to its end)."""
    _left[path] = (time.monotonic(), goal)


def cut_off(path: Path) -> None:
    """The connection to a page was lost, and its run has been saved and stopped for that."""
    _cut_off.add(path)


def was_cut_off(path: Path) -> bool:
    """Whether the run was stopped because the connection to its page was lost, and has not gone on since."""
    return path in _cut_off


def goes_on(path: Path) -> None:
    """The run goes on."""
    _cut_off.discard(path)


def take(path: Path) -> tuple[bool, int | None]:
    """Whether the run's page was left a moment ago while it was going on, and where it was to go to."""
    when, goal = _left.pop(path, (float("-inf"), None))
    recent = time.monotonic() - when < RETURN_SECONDS
    return recent, goal if recent else None
