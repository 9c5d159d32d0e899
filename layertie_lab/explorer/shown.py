"""What cells of a notebook have shown as their last line, without a name that would keep it.

A host keeps the widget of such an object, and not the object: without this it would be collected, and end, a moment
after it was shown.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Protocol


class Closable(Protocol):
    """What can be shown."""

    def close(self) -> None:
        """End it; what it shows stays open."""
        ...


@dataclass(frozen=True)
class _Shown:
    what: Closable
    of: Any


class _Here(threading.local):
    """Of one notebook: `marimo run` has a thread for each visitor, which ends with the visit; others have a process."""

    def __init__(self) -> None:
        self.shown: list[_Shown] = []


_HERE = _Here()


def hold(what: Closable, of: Any = None) -> None:
    """Keep what a cell shows, until it is let go or its notebook ends.

    Args:
        what: An explorer or a control room.
        of: The session that it claims; None where it claims none.
    """
    if not any(each.what is what for each in _HERE.shown):
        _HERE.shown.append(_Shown(what, of))


def give_way(of: Any) -> None:
    """Close what cells of this notebook have shown of a session: a cell that is run again has no other way to."""
    for each in [each for each in _HERE.shown if each.of is of]:
        each.what.close()
        let_go(each.what)


def let_go(what: Closable) -> None:
    """It has been closed."""
    _HERE.shown = [each for each in _HERE.shown if each.what is not what]
