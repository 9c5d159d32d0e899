"""One browser tab's desk: the widgets on the page, and the run that they show."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ..agent.choices import choices
from ..core.commands import Command, Opening, Run, Step
from ..core.config import RunConfig
from ..core.errors import CorpusError, LayertieError, RecordError, WorkerError
from ..core.events import Event
from ..records.directory import RunDirectory
from ..records.log import reader
from ..records.log.follower import Follower
from ..records.log.reader import load_run
from ..records.runs import new_folder
from ..text.corpora.lookup import source_of
from ..text.corpora.registry import builtin_corpora
from ..text.tokenizers.lookup import builtin_tokenizers
from ..widgets.decision_table import DecisionTable
from ..widgets.forms.form import from_query, query_names, to_query
from ..widgets.forms.settings_form import SettingsForm
from ..widgets.live.live_chart import LiveChart
from ..widgets.run_menu import RunMenu
from ..widgets.steer_panel import Press, SteerPanel
from ..widgets.tie_map_view import TieMapView
from ..workers.inspector import Inspector
from ..workers.pool import Handle, attach, get
from ..workers.worker import Worker
from . import farewells, listing
from .audit_tab import Auditing
from .counterfactual_tab import Counterfactuals, Running
from .feed import Feed
from .held_run import Hold, Past, Tables
from .inside_tab import Inside
from .rules_tab import Ruling, rules_in_force

FAREWELL_GRACE = 8.0
"""Seconds that a run goes on after its page has said farewell, so that a reloaded page finds it."""
MEMORY_SECONDS = 2.0
"""Least time between two readings of the process's memory."""


class Desk:
    """The widgets of one tab and the run behind them.

    Args:
        root: The folder of runs.
        query: The page's query parameters (`marimo.query_params()`): settings, and `run`.
        examples: A folder of recorded runs to look at.

    When nobody holds the desk any more its worker is saved and ended, unless it is kept. So nothing here gives a bound
    method of the desk to a run; widgets hold theirs weakly.
    """

    def __init__(self, root: Path, query: Any, examples: Path) -> None:
        self.root, self.examples, self._query = root, examples, query
        self._hold, self._feed, self._tables = Hold(), None, Tables()
        self._memory_due, self._goal = 0.0, None
        self._config = RunConfig()
        self._look = listing.look(self._config)
        draft, sentences = from_query(query.to_dict())
        suggestions = {"text.corpus": builtin_corpora(), "text.tokenizer": builtin_tokenizers()}
        self.form = SettingsForm(draft, choices=choices(), suggestions=suggestions, note=" ".join(sentences))
        self.menu = RunMenu(partial(listing.rows, root, examples))
        self.steer, self.tie_map = SteerPanel(), TieMapView()
        self.chart = LiveChart(listing.panels(self._config))
        self.table = DecisionTable(partial(_download, self._hold))
        self.inside, self.auditing = Inside(self._hold, self.root), Auditing(self._hold)
        self.ruling = Ruling(self._hold)
        self.counterfactuals = Counterfactuals(self._hold, self.steer, self.show_run)
        self.form.on_start(self.start)
        self.form.on_change(self._link)
        self.menu.on_open(self.open)
        self.steer.on_press(self._press)
        parts = [self, self.inside, *self.inside.tabs.values(), self.auditing, self.counterfactuals, self.ruling]
        widgets = [value for part in parts for value in vars(part).values() if hasattr(value, "comm")]
        ended = self._hold, self.counterfactuals.running, self.inside.inspector, widgets
        weakref.finalize(self, _end, *ended).atexit = False
        self._open_first(str(query.get("run") or ""))
        if sentences:
            # Showing a run clears the form's note; what the link had wrong is still to be read.
            self.form.say(" ".join(sentences))

    # -- which run is shown ------------------------------------------------------------------------------------------

    def start(self, config: RunConfig) -> None:
        """Begin a new run and let it go.

        Raises:
            StorageError: The folder of runs cannot be written.
        """
        try:
            source_of(config.text.corpus)
        except CorpusError as error:
            self.form.blame("text.corpus", str(error))
            return
        path = new_folder(self.root, listing.stem(config))
        earlier = self._hold.path if isinstance(self._hold.source, Handle) else None
        self._link()
        self._take(path, config, lambda: Worker(config, path))
        self._goal = None
        if not listing.by_hand(config):
            self._give(Run())
        self.form.say("" if earlier is None else f"{earlier.name} {self._fate(earlier)} and can be opened again.")

    @staticmethod
    def _fate(path: Path) -> str:
        """What becomes of a run that this page has left."""
        if (handle := get(path)) is None:
            return "is saved"
        others = handle.held > 1
        handle.release(0.0)
        return "goes on in another tab" if others else "goes on" if handle.worker.keep else "is saved"

    def open(self, name: str, *, returning: bool = False, copy: bool = True) -> None:
        """Show a run: joined if it goes on here, watched if it goes on elsewhere, read if it does not go on.

        Args:
            name: Of its folder.
            returning: Whether this may be its own page, reloaded; it then goes on if it was going on.
            copy: Whether its settings go into the form.

        Raises:
            RecordError: There is no such run, or it cannot be read.
        """
        self._open(self._folder(name), returning=returning, copy=copy)

    def show_run(self, path: Path) -> None:
        """Show a run by its folder, such as a branch of the one on the page.

        Raises:
            RecordError: It cannot be read.
        """
        self._open(path)

    def _folder(self, name: str) -> Path:
        """A run by its name in the link or the menu; a branch is named RUN/branches/NAME."""
        if ".." in Path(name).parts:
            raise RecordError(f"Expected the name of a run, but got {name}.", "Choose one in the menu.")
        return self.root / name if (self.root / name).is_dir() else self.examples / name

    def _open(self, path: Path, *, returning: bool = False, copy: bool = True) -> None:
        directory = RunDirectory.open(path)
        recently, self._goal = farewells.take(path)
        if (handle := get(path)) is not None:
            self._take(path, directory.config, lambda: handle.worker)
            handle.release()
        elif returning and recently:
            self._take(path, directory.config, lambda: Worker.resume(path))
            self._give(Run(None if self._goal is None else max(0, self._goal - self.steer.decision)))
        elif directory.running:
            self._watch(path, directory.config)
        else:
            self._read(load_run(path, damaged="keep"))
        if copy:
            self.form.put(directory.config)
        self.form.say("")
        self._link()

    def _open_first(self, name: str) -> None:
        """The run that the link names, else the latest one, else an example."""
        linked = any(parameter in self._query for parameter in query_names())
        wanted, missing = self.form.draft, ""
        mine = listing.names(self.root)
        for candidate in [*([name] if name else []), *mine, *listing.names(self.examples)]:
            try:
                # An example that nobody asked for is there to be looked at; Start begins with the preset.
                self.open(candidate, returning=candidate == name, copy=candidate == name or candidate in mine)
                break
            except LayertieError as error:
                missing = missing or str(error)
        self.menu.problem = missing
        if linked and self.menu.current != name:
            # A link with settings is to reproduce a run: they stay in the form, whatever is shown meanwhile.
            self.form.put(wanted)
            self._link()
        if not isinstance(self._hold.source, Handle):
            Worker.prepare()

    def _take(self, path: Path, config: RunConfig, factory: Callable[[], Worker]) -> None:
        """Show a run that a worker trains; there is one worker for it, however many tabs show it."""
        self._leave()
        handle = attach(path, factory)
        # While a worker starts, or once it is gone, there is nothing that the log does not have.
        with suppress(WorkerError):
            if handle.status in ("ready", "running", "paused", "finished"):
                handle.ask(Opening(), timeout=2.0)
        self._begin(path, config, handle, past=Past(path))
        self.steer.show(can_save=True, can_keep=True, can_resume=True, keep=handle.worker.keep)
        self.inside.refresh()
        self.ruling.allow(True)

    def _watch(self, path: Path, config: RunConfig) -> None:
        self._leave()
        self._begin(path, config, Follower(path))
        self.steer.show(can_save=False, can_keep=False, can_resume=False)

    def _begin(self, path: Path, config: RunConfig, source: Handle | Follower, past: Iterable[Event] = ()) -> None:
        self._show(path, config)
        heard = weakref.WeakMethod(self._heard)
        source.subscribe(lambda entry: (method := heard()) and method(entry))
        self._hold.source = source
        self._tables.reset()
        self._feed = Feed(
            source, chart=self._tables, tie_map=self.tie_map, steer=self.steer, past=past, budget=config.decisions
        )
        self.menu.show(current=path.name, about=listing.about(config))

    def _read(self, run: reader.Run) -> None:
        self._leave()
        self._show(run.path, run.config)
        self.tie_map.show(budget=run.config.decisions)
        Feed.show(run, chart=self._tables, tie_map=self.tie_map, steer=self.steer)
        if run.opened is not None:
            self._tables.push({"reference": [{"name": "unigram", "loss": run.opened.unigram_entropy}]})
        self.steer.show(**listing.state(run, self._is_example))
        self.menu.show(current=run.name, about=listing.about(run.config, example=self._is_example))

    def _show(self, path: Path, config: RunConfig) -> None:
        """Clear the page for another run."""
        self._hold.path, self._hold.audit, self._config = path, None, config
        self._tables = Tables(self.chart, self.table)
        self.steer.show(error="", status="preparing", status_text="", layer=None, can_answer=False, keep=False)
        if self._look != listing.look(config):
            # A view that is made once is never made anew for the same panels.
            self._look = listing.look(config)
            self.chart.set_panels(listing.panels(config), steps_per_decision=config.training.steps_per_decision)
        self.tie_map.clear()
        self.inside.clear()
        self.auditing.clear()
        self.counterfactuals.clear(example=self._is_example)
        self.ruling.clear(config, rules_in_force(path))
        if path.is_relative_to(self.root):
            self._query.set("run", path.relative_to(self.root).as_posix())
        else:
            self._query.remove("run")

    def _leave(self, grace: float = 0.0) -> None:
        self._tables.close()
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        self._hold.let_go(grace)

    # -- what is pressed ---------------------------------------------------------------------------------------------

    def _press(self, press: Press) -> None:
        command = press.command
        if command is None:
            if self.steer.status == "running" and self._hold.path is not None:
                farewells.put(self._hold.path, self._goal)
            self.counterfactuals.running.cancel()
            self._leave(FAREWELL_GRACE)
            return
        if isinstance(command, Run):
            self._goal = None if command.decisions is None else self.steer.decision + command.decisions
        if self._hold.is_still:
            self._go_on(command)

    def _go_on(self, command: Command[Any]) -> None:
        """A press on a run that nobody trains resumes it."""
        path = self._hold.path
        assert path is not None, "there is a run to go on with"
        if not isinstance(command, Step | Run) or self._is_example:
            return
        self._take(path, RunDirectory.open(path).config, lambda: Worker.resume(path))
        self._give(command)

    def _give(self, command: Command[Any]) -> None:
        assert isinstance(self._hold.source, Handle), "only a worker takes commands"
        # What goes wrong is told by the run's own status.
        self._hold.source.give(command)

    # -- what is heard -----------------------------------------------------------------------------------------------

    def _heard(self, entry: Any) -> None:
        """An entry of the run, in one of its threads."""
        self.inside.heard(entry)
        self.counterfactuals.heard(entry)
        self.ruling.heard(entry)
        if isinstance(entry, dict):
            self._heard_telemetry(entry)

    def _heard_telemetry(self, entry: Mapping[str, Any]) -> None:
        kind = entry["kind"]
        if kind == "timing" and time.monotonic() > self._memory_due:
            self._memory_due = time.monotonic() + MEMORY_SECONDS
            self.menu.about = listing.about(self._config, timing=entry)
        elif kind == "status" and entry["status"] == "failed":
            self.form.say("The run could not start; the reason stands below.", alarm=True)
            if self._hold.path is not None:
                with suppress(OSError):  # not empty: there is a run in it
                    self._hold.path.rmdir()

    # -- small things ------------------------------------------------------------------------------------------------

    @property
    def _is_example(self) -> bool:
        return self._hold.path is not None and self._hold.path.is_relative_to(self.examples)

    def _link(self, _: Any = None) -> None:
        """Put the form's settings into the page's address."""
        wanted = to_query(self.form.draft)
        for name in query_names():
            if name in wanted and self._query.get(name) != wanted[name]:
                self._query.set(name, wanted[name])
            elif name not in wanted:
                self._query.remove(name)


def _download(hold: Hold, format: str) -> tuple[str, bytes]:
    if hold.path is None:
        raise LayertieError("Expected a run to download, but none is shown.", "Open a run first.")
    return listing.decisions_file(hold.path, format)


def _end(hold: Hold, studying: Running, inspector: Inspector, widgets: list[Any]) -> None:
    studying.cancel()
    inspector.close()
    hold.let_go()
    for widget in widgets:
        # The host may have closed the connection already.
        with suppress(RuntimeError, KeyError):
            widget.close()


def make_desk(query: Any, examples: Path) -> Desk:
    """The desk of a tab; the folder of runs is ./runs, or what LAYERTIE_RUNS names.

    Args:
        query: As `Desk`.
        examples: Folder of recorded runs that are shown where there is none of one's own.
    """
    root = Path(os.environ.get("LAYERTIE_RUNS") or "runs").expanduser().absolute()
    return Desk(root, query, examples)
