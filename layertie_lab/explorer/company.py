"""Pages of this process that show one run: each knows how many they are, and when one goes on with it, all do.

One whose browser was killed counts until its host takes it apart.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
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

    @property
    def shared(self) -> Path | None:
        """The folder of the run that it shows, where others may show it too; None where it shows none, or was left."""
        ...

    def in_company(self, others: int) -> None:
        """So many other pages show the same run by now."""
        ...


_lock = threading.Lock()
_pages: weakref.WeakSet[Watching] = weakref.WeakSet()


def enter(page: Watching) -> None:
    """From now on tell a page, as long as somebody holds it."""
    with _lock:
        _pages.add(page)


def recount() -> None:
    """A page shows another run, or has been left: tell all how many show the same."""
    with _lock:
        pages = list(_pages)
    showing = [page.shared for page in pages]
    count = Counter(path for path in showing if path is not None)
    for page, path in zip(pages, showing, strict=True):
        page.in_company(count[path] - 1 if path is not None else 0)


def tell(path: Path, by: Watching) -> None:
    """Tell all but one that a run is trained from now on."""
    with _lock:
        others = [page for page in _pages if page is not by]
    for page in others:
        with suppress(LayertieError):  # that page goes on showing what it showed
            page.goes_on(path)
