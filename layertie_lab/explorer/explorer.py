"""The explorer: the widgets of one page, the tabs below them, and the run that they all show."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..agent.choices import choices
from ..agent.policies.registry import POLICIES
from ..analysis.audit.departures import DEPARTURES
from ..core.commands import Commit, Run
from ..core.config import RunConfig
from ..core.errors import CorpusError, LayertieError, RecordError
from ..core.paths import PathError
from ..records.directory import RunDirectory, is_run
from ..records.maps import sources_of
from ..records.runs import new_folder
from ..text.tokenizers.lookup import builtin_tokenizers
from ..widgets.credit import Credit
from ..widgets.forms.form import config_of, from_query, query_names
from ..widgets.forms.settings_form import SettingsForm
from ..widgets.forms.wording import Departure
from ..widgets.frame import Frame
from ..widgets.kept import Kept
from ..widgets.layout import Rows, Tabbed, Workspace, framed, titles_at
from ..widgets.live.live_chart import LiveChart
from ..widgets.panel import Panel
from ..widgets.run_menu import RunMenu
from ..widgets.steer_panel import Press, SteerPanel
from ..widgets.tie_map_view import TieMapView
from ..widgets.vital_signs import VitalSigns
from ..widgets.welcome import Welcome
from ..workers.pool import Handle, check_room_for, get
from ..workers.thread import SessionThread
from ..workers.worker import Worker
from . import company, doors, farewells, first_steps, live_panels, run_list, shown
from .collected import when_collected
from .comparison import shipped
from .freed import give_back_large_blocks, give_back_soon
from .held_run import HeldRun
from .own_session import OwnSession
from .own_text import OwnText, as_named
from .query import VIEW, NoAddress, Query, write_run, write_settings
from .run_on_page import RunOnPage, Shows
from .server import forget, when_gone
from .tab import Page, Tab
from .tabs.registry import TABS
from .terms import Terms, place_of, within
from .visitors import own_folder
from .weakly import weakly

if TYPE_CHECKING:  # a session is handed in, and a page that shows none needs no torch
    from ..session.session import Session

WATCH, NEW_RUN, WELCOME = "Watch", "New run", "Start here"
"""The view of the live charts, and what opens for a new run's settings, and for a newcomer."""


class Explorer:
    """The widgets of one page and the run behind them, the same in marimo, Jupyter and VS Code.

    Args:
        root: The folder of runs, or one of them, or a Session of this process, which is then shown; None = ./runs, or
            what LAYERTIE_RUNS names. A session trains in a thread from then on, and is claimed as by a `ControlRoom`.
        terms: What whoever serves the page allows; None = what the environment says, for somebody at this machine.
        session: What the server knows the page by (`server.when_gone`).
        query: The page's address (`marimo.query_params()`): settings, `run` and `view`. None where it has none.
        examples: A folder of recorded runs to look at; None = those that ship.

    Raises:
        LayertieError: Somebody else runs the session.

    When nobody holds it any more its worker is saved and ended, unless it is kept. So nothing here gives a bound method
    of it to a run; widgets hold theirs weakly.

    Attributes:
        welcome: What this is, and where one can begin.
        menu: Which run is shown, and the others.
        form: The settings of a new one.
        steer: Its controls, and the decision at hand.
        tie_map: Its ties, and their history.
        signs: Where it stands, in a line.
        chart: Its live charts.
        tabs: Name -> tab, from left to right (`tabs.registry`).
        frame: All of it as one widget.
    """

    def __init__(
        self,
        root: str | Path | Session | None = None,
        *,
        query: Query | None = None,
        examples: str | Path | None = None,
        terms: Terms | None = None,
        session: str = "",
    ) -> None:
        name = ""
        if session:
            give_back_large_blocks()  # the process is a server's
        # Before anything is shown, since it is refused where somebody else runs the session.
        self._own = None if root is None or isinstance(root, str | Path) else OwnSession(root)
        folder = root if root is None or isinstance(root, str | Path) else OwnSession.folder_of(root)
        if folder is not None and is_run(path := Path(folder).expanduser().absolute()):
            folder, name = path.parent, path.name
        self.terms = Terms.of_environment(folder) if terms is None else terms
        examples = shipped.folder("examples") if examples is None else examples
        self.examples = None if examples is None else Path(examples).absolute()
        self._query: Query = NoAddress() if query is None else query
        self.root = own_folder(self.terms, self._query)
        self._run = HeldRun()
        draft, sentences = from_query(self._query.to_dict())
        self.form = SettingsForm(
            draft,
            choices=choices(),
            suggestions={"text.tokenizer": builtin_tokenizers()},
            readers={"agent.map": partial(_map_of, self.root)},
            departures=[Departure(each.title, each.paper, each.code) for each in DEPARTURES],
            note=" ".join(sentences),
        )
        self._text = OwnText(self.form, self.terms, self.root)
        self.menu, self.steer, self.tie_map = RunMenu(), SteerPanel(), TieMapView()
        self.signs = VitalSigns()
        self.welcome = Welcome(first_steps.ABOUT, first_steps.PAPER, doors.DOORS)
        panels, instead = live_panels.panels(self._run.config), live_panels.INSTEAD_OF
        self.chart = LiveChart(panels, instead_of=instead, columns=2, fills=True)
        page = Page(self._run, self.root, self.steer, weakly(self._open_here), weakly(self._mark), self.examples)
        self.tabs: dict[str, Tab] = {tab.name: TABS.get(tab.name)(page) for tab in TABS}
        shows = Shows(self.menu, self.steer, self.tie_map, self.signs, self.chart, self.tabs)
        self._shown = RunOnPage(
            self._run,
            shows,
            root=self.root,
            examples=self.examples,
            query=self._query,
            failed=weakly(self._could_not_start),
        )
        page_plan = self._page(fills=bool(session))
        self.frame = framed(page_plan)
        self.form.on_start(self.start)
        self.form.on_change(self._link)
        for pointed in (self.tie_map, self.chart, *self.tabs.values()):
            pointed.on_look(self._look)
        self.welcome.on_enter(self._enter)
        self.menu.on_list(self._list)
        self.menu.on_open(self._open_asked)
        self.menu.on_label(self._shown.label)
        self.steer.on_press(self._press)
        self.tie_map.on_answer(self._answer)
        self.steer.on_expect(self._inquire)
        if session:
            when_gone(session, weakly(self.leave))
            credit = Credit(self.steer.beat)
            for panel in self.panels:
                panel.paced_by(credit)
        when_collected(self, _end, session, self._run, list(self.tabs.values()), self.frame)
        self._outlives = False
        self._kept = Kept(self.frame, [self.tie_map, self.chart], partial(_heading, self.menu, self.signs))
        if self._own is not None:
            self._join(self._own)
        else:
            self._open_first(name or str(self._query.get("run") or ""))
        if (asked := titles_at(str(self._query.get(VIEW) or ""), page_plan.views)) is not None:
            self.frame.turn(*asked)
        if folder is not None and not Path(folder).expanduser().exists():
            # A slip in its name would else look like a folder without runs.
            self.menu.note = f"{folder} is not there yet: it is made with the first run."
        if sentences:
            # Showing a run clears the form's note; what the link had wrong is still to be read.
            self.form.say(" ".join(sentences))
            self.frame.turn(NEW_RUN)

    # -- how it stands on a page -------------------------------------------------------------------------------------

    def _page(self, *, fills: bool) -> Workspace:
        views = {TABS.describe(name).title: tab.layout for name, tab in self.tabs.items()}
        return Workspace(
            title="Layer tying explorer",
            head=self.menu,
            side=Rows((self.tie_map, self.signs, self.steer)),
            views=Tabbed({WATCH: self.chart, **views}, first_steps.TRIES),
            foot=Rows(tuple(tab.foot for tab in self.tabs.values() if tab.foot is not None)),
            drawers={WELCOME: self.welcome, NEW_RUN: self.form},
            tour=first_steps.tour(tie_map=self.tie_map, signs=self.signs, steer=self.steer, menu=self.menu),
            fills=fills,
        )

    @property
    def panels(self) -> Sequence[Panel]:
        """All panels, in the order of the page."""
        return [panel for panel in self.frame.members.values() if isinstance(panel, Panel)]

    def _ipython_display_(self, **options: Any) -> None:
        """Jupyter shows it as the last line of a cell, and keeps its picture."""
        self._is_shown()
        self._kept.show()

    def _display_(self) -> Frame:
        """marimo shows it as the last line of a cell."""
        self._is_shown()
        return self.frame

    def _is_shown(self) -> None:
        # A notebook's page comes and goes, and what it shows stays.
        self._outlives = True
        shown.hold(self, None if self._own is None else self._own.session)

    # -- which run is shown ------------------------------------------------------------------------------------------

    def start(self, config: RunConfig) -> None:
        """Begin a new run and let it go.

        Raises:
            StorageError: The folder of runs cannot be written.
            WorkerError: The server has as many runs as it allows.
        """
        try:
            config = self._text.allowed(config)
        except (CorpusError, PathError) as error:
            self.form.blame("text.corpus", as_named(str(error), config.text.corpus))
            return
        check_room_for(self.root, leaving=self._run.path)
        path = new_folder(self.root, run_list.stem(config))
        earlier, own = self._run.path if self._run.is_trained else None, isinstance(self._run.source, SessionThread)
        self._link()
        self._shown.train(path, config, lambda: Worker(config, path))
        self._shown.goal = None
        agent = POLICIES.find(config.agent.policy)
        if agent is None or not agent.by_hand:
            self._run.give(Run(outcomes=False))
        self.frame.turn(WATCH)
        self.form.say("")
        if own:
            self.menu.note = OwnSession.LEFT
        else:
            self.menu.note = "" if earlier is None else f"{earlier.name} {_fate(earlier)} and can be opened again."

    def open(self, name: str, *, returning: bool = False, copy: bool = True) -> None:
        """Show a run: joined if it goes on here, watched if it goes on elsewhere, read if it does not go on.

        Args:
            name: Of its folder; a branch is named RUN/branches/NAME.
            returning: Whether this may be its own page, reloaded; it then goes on if it was going on.
            copy: Whether its settings go into the form.

        Raises:
            RecordError: There is no such run, or it cannot be read.
        """
        self._open(place_of(name, self.root, self.examples), returning, copy)

    def leave(self) -> None:
        """The page is closed, or reloaded: its run is saved and ended in a moment, unless it is kept."""
        self._shown.say_farewell()

    def close(self) -> None:
        """End the page: its run is saved and ended as when a page is closed; a session stays open, and is let go of."""
        self.leave()
        self.frame.close()
        shown.let_go(self)

    def show_run(self, path: str | Path) -> None:
        """Show a run by its folder, such as a branch of the one on the page.

        Raises:
            RecordError: It cannot be read.
        """
        self._open(Path(path).absolute())

    def _open_asked(self, name: str, *, copy: bool = True) -> None:
        """Show a run that a person has asked for, an example too, which the page's address names then."""
        self.open(name, copy=copy)
        self._name_example()

    def _name_example(self) -> None:
        path = self._run.path
        if self.examples is not None and path is not None and path.is_relative_to(self.examples):
            write_run(self._query, path.relative_to(self.examples).as_posix())

    def _open_here(self, path: Path) -> None:
        """Show a run of the tree on the page.

        Raises:
            RecordError: It cannot be read, or lies outside the folders of runs.
        """
        if not any(folder is not None and within(path, folder) for folder in (self.root, self.examples)):
            raise RecordError(f"Expected a run in {self.root}, but {path.name} lies elsewhere.", "Choose another.")
        self._open(path.absolute())

    def _open(self, path: Path, returning: bool = False, copy: bool = True) -> None:
        directory = RunDirectory.open(path)
        if self._own is not None and self._own.lies_in(path):
            self._join(self._own)
            return
        self._shown.open(path, returning=returning)
        if copy:
            self.form.put(directory.config)
        self.form.say("")
        self._link()

    def _open_first(self, name: str) -> None:
        """The run that the link names, else the latest one, else an example.

        The latest one may be somebody else's, and go on: who shares a folder of runs shares them, so that a class that
        opens the server's name sees the run that is on. Beside its name stands how many other pages show it
        (`company`), and Start here is in the head of each page; it opens by itself only where there is no run yet.
        """
        linked = any(parameter in self._query for parameter in query_names())
        wanted, missing = self.form.draft, ""
        mine = run_list.names(self.root)
        examples = [] if self.examples is None else [run.name for run in run_list.examples_in(self.examples)]
        for candidate in [*([name] if name else []), *mine, *examples]:
            try:
                # An example that nobody asked for is there to be looked at; Start begins with the preset.
                self.open(candidate, returning=candidate == name, copy=candidate == name or candidate in mine)
                if candidate == name:
                    self._name_example()
                break
            except LayertieError as error:
                missing = missing or str(error)
        self.menu.problem = missing
        if linked and self.menu.current != name:
            # A link with settings is to reproduce a run: they stay in the form, whatever is shown meanwhile.
            self.form.put(wanted)
            self._link()
        if not name and not mine and not linked:
            self.frame.turn(WELCOME)
        if not self._run.is_trained:
            Worker.prepare()

    def _join(self, own: OwnSession) -> None:
        """Show the session of this process."""
        if not own.is_held_by(self._run):
            self._shown.join(own)
            self.form.put(own.config)

    # -- what is pressed ---------------------------------------------------------------------------------------------

    def _enter(self, name: str) -> None:
        """A door of the first page.

        Raises:
            LayertieError: What lies behind it cannot be shown.
        """
        behind = doors.behind(name)
        if name == doors.AT_ONCE and not self.form.problems:
            self.start(config_of(self.form.draft))
            return
        if behind.run:
            self._open_asked(behind.run, copy=False)
        if behind.decision is not None:
            self._look(behind.decision)
        self.frame.turn(behind.view, behind.within)
        for name, tab in self.tabs.items():
            if TABS.describe(name).title == behind.view:
                tab.begin()

    def _press(self, press: Press) -> None:
        command = press.command
        if command is None:
            if not self._outlives:
                self.leave()
            return
        self._shown.press(press)

    def _answer(self, _: int, source: int) -> None:
        """A click in the tie map; a run that goes on hears it itself (`Feed`)."""
        if not self._run.is_still or not self.tie_map.can_act:
            return
        try:
            self._shown.press(Press(Commit(source, decision=self.steer.asked)))
        except LayertieError as error:
            self.steer.show(error=str(error))

    def _inquire(self, _: str) -> None:
        self.frame.turn(TABS.describe("did-it-matter").title)

    def _look(self, decision: int) -> None:
        for tab in self.tabs.values():
            tab.look_at(decision)

    def _mark(self, decision: int | None) -> None:
        self.tie_map.looked = decision

    def _list(self) -> None:
        self.menu.show(runs=run_list.rows(self.root, self.examples))

    def _link(self, _: object = None) -> None:
        """Put the form's settings into the page's address."""
        write_settings(self._query, self.form.draft)

    def _could_not_start(self) -> None:
        """The run has failed before it began, as one of its threads says."""
        self.form.say("The run could not start; the reason stands beside the controls.", alarm=True)
        self.frame.turn(NEW_RUN)
        if self._run.path is not None:
            with suppress(OSError):  # not empty: there is a run in it
                self._run.path.rmdir()


def _heading(menu: RunMenu, signs: VitalSigns) -> str:
    if not menu.current:
        return "No run yet"
    called = menu.title if menu.title in ("", menu.current) else f"{menu.title} ({menu.current})"
    return f"{called or menu.current}, after decision {signs.decision}"


def _map_of(root: Path, words: str) -> str:
    """The sources of a tie map as typed; a folder's name is one of the runs.

    Raises:
        LayertieError: Neither sources nor a run.
    """
    names_a_run = any(letter not in "0123456789,[] \t" for letter in words)
    return sources_of(str(place_of(words.strip(), root)) if names_a_run else words)


def _fate(path: Path) -> str:
    """What becomes of a run that a page has left."""
    if (handle := get(path)) is None:
        return "is saved"
    others = handle.held > 1
    handle.release(0.0)
    return "goes on in another tab" if others else "goes on" if handle.worker.keep else "is saved"


def _end(session: str, run: HeldRun, tabs: list[Tab], frame: Frame) -> None:
    forget(session)
    source = run.source
    if isinstance(source, Handle) and source.held == 1 and source.worker.busy and not source.worker.keep:
        # The page has not said farewell: it may still be there, and be told when it comes back.
        farewells.cut_off(run.folder)
    for tab in tabs:
        tab.end()
    run.let_go()
    # The host may have closed the connection already.
    with suppress(RuntimeError, KeyError):
        frame.close()
    company.recount()
    if session:
        give_back_soon()
