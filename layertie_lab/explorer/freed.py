"""The memory of a server that is visited again and again."""

from __future__ import annotations

import ctypes
import gc
import threading
from contextlib import suppress

SECONDS = 2.0
"""After the end of a page its host still takes it apart for a moment."""
LARGE = 128 * 1024
"""Bytes from which a block is got from the system, and given back to it, by itself: what glibc begins with."""
_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h


def give_back_large_blocks() -> None:
    """From now on have large blocks go back to the system as soon as they are free, where the C library is glibc.

    It raises the size from which that is so with each large block that is freed, up to 32 MB, and those below lie
    between small ones that stay. A page is sent scripts and states of a megabyte: .6 to 1.2 MB were left of each page
    that was opened and closed.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(_M_MMAP_THRESHOLD, LARGE)


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
