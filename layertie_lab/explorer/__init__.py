"""The explorer as Python objects over a run: its desk, its tabs, and the way from a press to a command."""

from __future__ import annotations

from ..workers.thread import SessionThread
from .control_room import ControlRoom
from .feed import Feed

__all__ = ["ControlRoom", "Feed", "SessionThread"]
