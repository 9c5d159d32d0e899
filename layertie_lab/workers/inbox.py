"""Where what is asked waits for its turn, each with whoever waits for the answer."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import Any, Protocol


class Caller(Protocol):
    """Who waits for an answer."""

    def reply(self, value: Any, /) -> None: ...
    def refuse(self, error: Exception, /) -> None: ...


@dataclass(frozen=True)
class Asked:
    """A request, and who waits for its answer.

    Args:
        request: A command of a run (`core.commands`), or what else a job takes.
        caller: Gets one answer.
    """

    request: Any
    caller: Caller


Inbox = queue.SimpleQueue[Asked | None]
"""Requests in the order they came; None wakes whoever takes them, to see whether anybody is left to ask."""
