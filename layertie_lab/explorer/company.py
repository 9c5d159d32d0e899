"""Pages of this process that show one run: when one of them goes on with it, the others see it go on too."""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ..core.errors import LayertieError


class Watching(Protocol):
    """A page."""

    def goes_on(self, path: Path) -> None:
        """A run is trained from now on; to be shown so where it is the one on the page, and stands still there.

        Raises:
            LayertieError: It cannot be joined.
        """
        ...


_lock = threading.Lock()
_pages: weakref.WeakSet[Watching] = weakref.WeakSet()


def enter(page: Watching) -> None:
    """From now on tell a page, as long as somebody holds it."""
    with _lock:
        _pages.add(page)


def tell(path: Path, by: Watching) -> None:
    """Tell all but one that a run is trained from now on."""
    with _lock:
        others = [page for page in _pages if page is not by]
    for page in others:
        with suppress(LayertieError):  # that page goes on showing what it showed
            page.goes_on(path)
