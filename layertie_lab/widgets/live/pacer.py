"""Not more often than so many times per second, without losing the last time."""

from __future__ import annotations

import threading
import time
import weakref
from typing import Any


class Pacer:
    """Calls a method of an object when asked, at most once per interval; requests in between are one.

    Args:
        owner: The object, held weakly.
        method: Name of its method without arguments.
        interval: Least seconds between two calls.

    The first request is served at once in the caller's thread, later ones by a short-lived timer thread.
    """

    def __init__(self, owner: Any, method: str, interval: float) -> None:
        self._owner = weakref.ref(owner)
        self._method = method
        self._interval = interval
        self._lock = threading.Lock()
        self._last = float("-inf")
        self._waiting = False

    def request(self) -> None:
        """Ask for a call. Thread-safe."""
        with self._lock:
            if self._waiting:
                return
            wait = self._last + self._interval - time.monotonic()
            if wait > 0:
                self._waiting = True
                timer = threading.Timer(wait, self._call)
                timer.daemon = True
                timer.start()
                return
        self._call()

    def _call(self) -> None:
        with self._lock:
            self._waiting = False
            self._last = time.monotonic()
        owner = self._owner()
        if owner is not None:
            getattr(owner, self._method)()
