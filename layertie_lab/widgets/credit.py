"""Whether a page keeps up with what it is sent, so that nothing piles up for one that sleeps.

What a page does not read waits in its connection, and the signs of life wait behind it: one that a browser has put to
sleep would lose its connection, and with it its run, for the sake of pictures that nobody sees.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

ASK_SECONDS = 1.0
"""Least time between two questions to the page."""
PATIENCE_SECONDS = 3.0
"""A page that owes an answer for longer is sent no more until it answers."""


class Paced(Protocol):
    """What is sent to a page as far as that keeps up."""

    def go_on(self, *, lost: bool) -> None:
        """Send what was held back; all of it anew where something that was sent has been `lost`."""


class Credit:
    """Asks a page, in the stream of what it is sent, and holds the stream while the answer is due.

    Args:
        ask: Sends the page a question with a number, which it answers with the same one (`answered`). Held weakly.
        clock: Seconds, monotonic.

    Before the page has said anything it is sent everything: nobody knows yet whether it can answer.
    """

    def __init__(self, ask: Callable[[int], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = weakref.WeakMethod(ask), clock
        self._lock = threading.Lock()
        self._paced: weakref.WeakSet[Any] = weakref.WeakSet()
        self._due: deque[tuple[int, float]] = deque()
        self._count = 0
        self._next = float("inf")
        self.held = False

    def join(self, widget: Paced) -> None:
        """Have a widget told when it may go on."""
        self._paced.add(widget)

    def may_send(self) -> bool:
        """Whether the page may be sent more; asks it now and then."""
        now = self._clock()
        with self._lock:
            if self._due and now - self._due[0][1] > PATIENCE_SECONDS:
                self.held = True
            if self.held or now < self._next:
                return not self.held
            number = self._question(now)
        self._put(number)
        return True

    def heard(self) -> None:
        """The page has said something. If it is behind, its connection may be another one: it is asked again."""
        now = self._clock()
        with self._lock:
            if not self.held and self._next != float("inf"):
                return
            number = self._question(now)
        self._put(number)

    def answered(self, number: int) -> None:
        """The page has answered a question: it has all that was sent before, or those before got lost on their way."""
        with self._lock:
            if not any(number == due for due, _ in self._due):
                return
            lost = self._due[0][0] != number
            while self._due[0][0] != number:
                self._due.popleft()
            self._due.popleft()
            going_on, self.held = self.held or lost, False
        if going_on:
            for widget in list(self._paced):
                widget.go_on(lost=lost)

    def _question(self, now: float) -> int:
        self._count += 1
        self._next = now + ASK_SECONDS
        self._due.append((self._count, now))
        while len(self._due) > 100:
            self._due.popleft()
        return self._count

    def _put(self, number: int) -> None:
        if (ask := self._ask()) is not None:
            ask(number)
