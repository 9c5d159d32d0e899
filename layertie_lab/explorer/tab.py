"""What all tabs of the explorer have in common: what they show, how they are told of a run, and how they end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.notices import Entry
from ..widgets.layout import Part
from ..widgets.steer_panel import SteerPanel
from .feed import RowTaker
from .held_run import HeldRun
from .weakly import weakly


@dataclass(frozen=True)
class Page:
    """What a tab may use of the page that it is on.

    Args:
        run: What is known of the run on the page; one object for as long as the page is there, whichever run it holds.
        root: The folder of runs.
        steer: Knows the decision at hand.
        open_run: Shows another run, given its folder. It does not keep the page.
        mark: Marks the decision that is looked back at, in sight of all views; None for none.
        examples: A folder of recorded runs to look at; None = those that ship.
        comparison: A folder with the results of recorded runs (runs.csv); None = the one that ships.
    """

    run: HeldRun
    root: Path
    steer: SteerPanel
    open_run: Callable[[Path], None]
    mark: Callable[[int | None], None]
    examples: Path | None = None
    comparison: Path | None = None


class Tab(ABC):
    """Widgets of the explorer that are shown together, and what is behind them.

    One is made per page. A new one is a file in `tabs` that registers a class, named in `tabs.registry`. It must not
    hold the page's owner, and what it gives to threads and runs is to be `weakly`; else a run would be trained for a
    page that nobody holds any more.

    Args:
        page: The page it is on.
    """

    def __init__(self, page: Page) -> None:
        self.page, self.run = page, page.run

    @property
    @abstractmethod
    def layout(self) -> Part:
        """Its widgets as they stand on the page; the same ones each time."""

    @property
    def foot(self) -> Part | None:
        """What of it stands at the foot of the page, in sight of all views; None for nothing."""
        return None

    @property
    def row_takers(self) -> Sequence[RowTaker]:
        """Those of its widgets that take the rows of the run on the page, beside the live charts."""
        return ()

    def show(self) -> None:
        """Another run is on the page (`self.run`): show it, and nothing of the one before."""

    def joined(self) -> None:
        """The run on the page goes on, and its entries come from now on (`heard`)."""

    def begin(self) -> None:
        """A door of the first page has led here: do what the tab is for without being asked again."""

    def on_look(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(decision)` when a decision is pointed at in one of its widgets."""

    def look_at(self, decision: int) -> None:
        """A decision was pointed at, in the map's history, a chart or the table: look at what was after it."""

    def heard(self, entry: Entry) -> None:
        """An entry of the run on the page, in one of the run's threads."""

    def leave(self) -> None:
        """The person leaves the page, or reloads it: what it had others do for it is to end."""

    def end(self) -> None:
        """The page is gone."""

    def when_done(self, future: Future[Any], tell: Callable[..., Any], *first: Any) -> None:
        """Call a method of this tab with a future that is done, if the same run is still on the page then.

        Args:
            future: What is awaited.
            tell: The method; the future is its last argument.
            *first: Its other arguments.
        """
        run, path, call = self.run, self.run.path, weakly(tell, *first)
        future.add_done_callback(lambda done: call(done) if run.path == path else None)
