"""The memory of a server that is visited again and again."""

from __future__ import annotations

import ctypes
import gc
import threading
from contextlib import suppress

SECONDS = 2.0
"""After the end of a page its host still takes it apart for a moment."""


def give_back_soon() -> None:
    """A page has ended: hand what it held back to the system in a moment, where the C library is glibc.

    Each page is a thread of the server, and glibc keeps what threads have freed for those to come, in up to eight
    places for each core: 2 to 3 MB for each page that was opened and closed, until all of them are in use.
    """
    timer = threading.Timer(SECONDS, _give_back)
    timer.daemon = True
    timer.start()


def _give_back() -> None:
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
