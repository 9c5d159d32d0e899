"""The run that a page shows: joined if it goes on here, watched if it goes on elsewhere, read if it does not go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.commands import Commit, Run, Step
from ..core.config import RunConfig
from ..core.errors import RecordError
from ..core.events import Event
from ..core.notices import Entry, StatusChanged, Timing
from ..records.directory import RunDirectory
from ..records.labels import Label, write_label
from ..records.log.follower import Follower
from ..records.log.reader import load_run
from ..widgets.live.live_chart import LiveChart
from ..widgets.run_menu import RunMenu
from ..widgets.steer_panel import Press, SteerPanel
from ..widgets.tie_map_view import TieMapView
from ..widgets.vital_signs import VitalSigns
from ..workers.pool import Handle, attach, check_room_for, get
from ..workers.thread import SessionThread
from ..workers.worker import Worker
from . import company, farewells, live_panels, run_list
from .feed import Feed
from .held_run import HeldRun, Past, Tables
from .own_session import OwnSession
from .query import Query, write_run
from .shown_state import ShownState
from .still_run import state_of
from .tab import Tab
from .weakly import weakly

FAREWELL_GRACE = 2.0
"""Seconds that a run goes on after its page has said farewell, so that a reloaded page finds it.

For a page that takes longer to come back it is gone on with from where it was saved.
"""
MEMORY_SECONDS = 2.0
"""Least time between two readings of the process's memory."""


@dataclass(frozen=True)
class Shows:
    """The widgets that show the run, whichever it is."""

    menu: RunMenu
    steer: SteerPanel
    tie_map: TieMapView
    signs: VitalSigns
    chart: LiveChart
    tabs: dict[str, Tab]


class RunOnPage:
    """Puts runs on a page, one in the place of the other.

    Args:
        run: What is known of the one on the page; one object, whichever run it holds.
        shows: The widgets that show it.
        root: The folder of runs.
        examples: A folder of recorded runs to look at, or None.
        query: The page's address, which names the run.
        failed: Called in one of the run's threads when it could not start. It does not keep the page.

    When nobody holds it any more its run is let go of by whoever holds `run`; what it gives to runs holds it weakly.

    Attributes:
        run: As above.
        goal: The decision that the run is to go to; None for the end of its budget, or where it stands.
    """

    def __init__(
        self,
        run: HeldRun,
        shows: Shows,
        *,
        root: Path,
        examples: Path | None,
        query: Query,
        failed: Callable[[], None],
    ) -> None:
        self.run = run
        self.goal: int | None = None
        self._shows, self._root, self._examples, self._query, self._failed = shows, root, examples, query, failed
        self._tables = Tables()
        self._feed: Feed | None = None
        self._memory_due, self._drawn = 0.0, live_panels.kind_of(run.config)
        self._left = False
        company.enter(self)

    # -- which one ---------------------------------------------------------------------------------------------------

    def open(self, path: Path, *, returning: bool = False) -> None:
        """Show a recorded run.

        Args:
            path: Its folder.
            returning: Whether this may be its own page, reloaded; it then goes on if it was going on.

        Raises:
            RecordError: There is no such run, or it cannot be read.
            WorkerError: The server has as many runs as it allows.
        """
        directory = RunDirectory.open(path)
        recently, self.goal = farewells.take(path)
        if (handle := get(path)) is not None:
            self.train(path, directory.config, lambda: handle.worker)
            handle.release()
        elif returning and recently:
            self.train(path, directory.config, lambda: Worker.resume(path))
            self.run.give(
                Run(None if self.goal is None else max(0, self.goal - self._shows.steer.decision), outcomes=False)
            )
        elif directory.running:
            self._watch(path, directory.config)
        else:
            self._read(path)

    def train(self, path: Path, config: RunConfig, factory: Callable[[], Worker]) -> None:
        """Show a run that a worker trains; there is one worker for it, however many pages show it.

        Raises:
            WorkerError: The server has as many runs as it allows.
        """
        check_room_for(path, leaving=self.run.path)
        self.leave()
        handle = attach(path, factory)
        farewells.goes_on(path)
        self._begin(path, config, handle, past=Past(path))
        self._shows.steer.show(can_save=True, can_keep=True, can_resume=True, keep=handle.worker.keep)
        company.tell(path, self)

    def join(self, own: OwnSession) -> None:
        """Show a session of this process, which trains in a thread of it.

        Raises:
            LayertieError: Somebody else runs it.
        """
        thread = own.thread()
        self.leave()
        self._begin(own.directory, own.config, thread, past=own.past())
        self._shows.steer.show(can_save=own.directory is not None, can_keep=False, can_resume=False)

    def leave(self, grace: float = 0.0) -> None:
        """Let go of the run; nothing of it reaches the widgets from now on."""
        self._tables.close()
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        self.run.let_go(grace)

    def say_farewell(self) -> None:
        """The page is closed, or reloaded: its run is saved and ended in a moment, unless it is kept."""
        if self._shows.steer.status == "running" and self.run.path is not None:
            farewells.put(self.run.path, self.goal)
        for tab in self._shows.tabs.values():
            tab.leave()
        self.leave(FAREWELL_GRACE)
        self._left = True
        company.recount()

    def goes_on(self, path: Path) -> None:
        """Another page of this process trains a run: join it where it stands still on this one.

        Raises:
            LayertieError: It cannot be joined.
        """
        if self.run.path == path and self.run.is_still:
            self.open(path)

    @property
    def shared(self) -> Path | None:
        """The run's folder; None where this page was left, or shows an example, which is everybody's."""
        return None if self._left or self.run.example else self.run.path

    def in_company(self, others: int) -> None:
        """So many other pages show the same run."""
        pages = "1 other page" if others == 1 else f"{others} other pages"
        self._shows.menu.show(company=f"also open in {pages}" if others else "")

    # -- what becomes of it ------------------------------------------------------------------------------------------

    def press(self, press: Press) -> None:
        """A command was pressed: a run that nobody trains is resumed by it.

        Raises:
            LayertieError: It cannot be resumed.
        """
        command = press.command
        if isinstance(command, Run):
            decisions = command.decisions
            self.goal = None if decisions is None else self._shows.steer.decision + decisions
        if not self.run.is_still or not isinstance(command, Step | Run | Commit) or self.run.example:
            return
        path = self.run.folder
        self.train(path, RunDirectory.open(path).config, lambda: Worker.resume(path))
        if isinstance(command, Commit):
            assert self._feed is not None, "a run that is trained has a feed"
            self._feed.press(press)
            return
        # What goes wrong is told by the run's own status, and what comes of it by its log.
        self.run.give(replace(command, outcomes=False) if isinstance(command, Run) else command)

    def label(self, name: str, title: str, remark: str) -> None:
        """Name the run on the page, and note something on it.

        Raises:
            LayertieError: It is a recorded example, another run is on the page by now, or the words are too long.
        """
        run = self.run
        if run.example or run.path is None or run.path.name != name:
            raise RecordError(
                f"Expected the name of the run on the page, but it is not {name} of your own.", "Open it."
            )
        write_label(run.path, Label(title, remark))
        self._shows.menu.show(**run_list.label_of(run.path, run.config))

    # -- how it is shown ---------------------------------------------------------------------------------------------

    def _watch(self, path: Path, config: RunConfig) -> None:
        """Show a run that somebody else trains, by its log."""
        self.leave()
        self._begin(path, config, Follower(path))
        self._shows.steer.show(can_save=False, can_keep=False, can_resume=False)

    def _begin(
        self,
        path: Path | None,
        config: RunConfig,
        source: Handle | SessionThread | Follower,
        past: Iterable[Event] = (),
    ) -> None:
        self._show(path, config, source)
        self._tables.reset({})
        source.subscribe(weakly(self._heard))
        shows = self._shows
        self._feed = Feed(
            source, chart=self._tables, tie_map=shows.tie_map, steer=shows.steer, past=past, budget=config.decisions
        )
        for tab in shows.tabs.values():
            tab.joined()

    def _read(self, path: Path) -> None:
        """Show a run that does not go on, as its log has it."""
        run = load_run(path, damaged="keep")
        self.leave()
        self._show(path, run.config)
        shows = self._shows
        shows.tie_map.show(budget=run.config.decisions)
        Feed.show(run, chart=self._tables, tie_map=shows.tie_map, steer=shows.steer)
        if run.opened is not None:
            self._tables.push({"reference": [{"name": "unigram", "loss": run.opened.unigram_entropy}]})
        state = state_of(run, example=self.run.example, cut_off=farewells.was_cut_off(path))
        shows.steer.show(**state)
        if state.get("can_act"):
            shows.tie_map.show(**{name: state[name] for name in ("layer", "legal", "proposed", "can_act")})

    def _show(
        self, path: Path | None, config: RunConfig, source: Handle | SessionThread | Follower | None = None
    ) -> None:
        """Clear the page for another run."""
        run, shows = self.run, self._shows
        run.path, run.config, run.source = path, config, source
        run.example = self._examples is not None and path is not None and path.is_relative_to(self._examples)
        shows.signs.begin(layers=config.model.layers, budget=config.decisions)
        takers = [taker for tab in shows.tabs.values() for taker in tab.row_takers]
        self._tables = Tables(shows.chart, shows.signs, *takers)
        # All of it: until the new run says where it stands, nothing on the page is the other's.
        shows.steer.show(
            **(ShownState().panel_traits() | {"error": "", "said": "", "status": "preparing", "keep": False})
        )
        if self._drawn != live_panels.kind_of(config):
            # A view that is made once is never made anew for the same panels.
            self._drawn = live_panels.kind_of(config)
            shows.chart.set_panels(live_panels.panels(config), steps_per_decision=config.training.steps_per_decision)
        shows.tie_map.clear()
        for tab in shows.tabs.values():
            tab.show()
        shows.menu.show(
            current=OwnSession.NAME if path is None else path.name,
            about=run_list.about(config, example=run.example),
            **run_list.label_of(path, config),
            can_label=path is not None and not run.example,
        )
        write_run(self._query, self._address(path))
        self._left = False
        company.recount()

    def _address(self, path: Path | None) -> str:
        """A run's name in the address; an example's only where it stands there, because somebody asked for it."""
        if path is not None and path.is_relative_to(self._root):
            return path.relative_to(self._root).as_posix()
        if path is not None and self._examples is not None and path.is_relative_to(self._examples):
            name = path.relative_to(self._examples).as_posix()
            return name if self._query.get("run") == name else ""
        return ""

    def _heard(self, entry: Entry) -> None:
        """An entry of the run, in one of its threads."""
        for tab in self._shows.tabs.values():
            tab.heard(entry)
        if isinstance(entry, Timing) and time.monotonic() > self._memory_due:
            self._memory_due = time.monotonic() + MEMORY_SECONDS
            self._shows.menu.about = run_list.about(self.run.config, timing=entry)
        elif isinstance(entry, StatusChanged) and entry.status == "failed":
            self._failed()
