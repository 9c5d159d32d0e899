"""The tab "Look inside": a moment of the run, a probe set, and what its model and agent are like there."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from ..core.errors import AnalysisError, CancelledError, LayertieError
from ..core.events import DecisionFinished
from ..core.ties import TieMap
from ..inspection.question import Question
from ..inspection.stored import stored_decisions
from ..inspection.words import action, moment
from ..records.directory import RunDirectory
from ..records.log.reader import Run, load_run
from ..widgets.pictures import Pictures
from ..widgets.tie_map_view import TieMapView
from ..widgets.time_panel import TimePanel
from ..workers.inspector import Inspector
from . import listing
from .held_run import Hold
from .inside_views import Asked, Tab, make_tabs

NEWS_SECONDS = 0.5
"""Least time between two looks at what a run that goes on has stored."""
NOTHING = (
    "Nothing of this run is stored that could be looked at. Start one of your own: it can be, after each decision."
)
"""Of a run without snapshots and checkpoints, such as a recorded example."""
SELF = "this run"
"""In place of a run's name: the run on the page, at another moment."""


class Inside:
    """The moment, the probe set, and the tabs that look at them.

    Args:
        hold: The run on the page.
        root: The folder of runs, which it may be compared with.
    """

    def __init__(self, hold: Hold, root: Path) -> None:
        self._hold, self.inspector, self._lock = hold, Inspector(), threading.RLock()
        self._root = root
        self._picked: tuple[int, int] | None = None
        self._run: Run | None = None
        self._news = 0.0
        self.going_on = False
        self.time, self.tie_map, self.glance = (
            TimePanel(),
            TieMapView(with_history=False, with_legend=False),
            Pictures(columns=3),
        )
        self.tabs = make_tabs()
        self.time.on_move(self._move)
        self.time.on_probe(self._choose_probe)
        self.time.on_other(self._choose_other)
        for name, tab in self.tabs.items():
            tab.panel.on_ask(partial(_call, weakref.WeakMethod(self._ask), name))
            tab.panel.on_cancel(partial(_call, weakref.WeakMethod(self._cancel), name))
            tab.panel.on_seen(partial(_call, weakref.WeakMethod(self._seen), name))
            tab.panel.on_choose(partial(_call, weakref.WeakMethod(self._chosen), name))
            if tab.text is not None:
                tab.text.on_pick(partial(_call, weakref.WeakMethod(self._pick), name))

    @property
    def widgets(self) -> dict[str, list[Any]]:
        """Title of an inner tab -> its widgets, from top to bottom."""
        found: dict[str, list[Any]] = {}
        for tab in self.tabs.values():
            found.setdefault(tab.title, []).extend(tab.widgets)
        return found

    # -- which run, which moment -----------------------------------------------------------------------------------

    def clear(self) -> None:
        """Another run is on the page."""
        with self._lock:
            self._run = self._picked = None
            for name, tab in self.tabs.items():
                self._cancel(name)
                tab.clear()
            self.tie_map.clear()
            self.glance.set({})
            self.time.show(
                stored=[],
                decision=None,
                follows=True,
                about="",
                problem="",
                warning="",
                typed="",
                sequences=8,
                others={},
                other="",
                other_decision=None,
                other_stored=[],
                other_problem="",
                source="",
                pieces=[],
            )
            self.refresh()
            self._renew()

    def refresh(self) -> None:
        """What the run on the page has stored by now."""
        path = self._hold.path
        if path is None:
            return
        try:
            stored = stored_decisions(path)
        except LayertieError as error:
            self.time.show(about=str(error))
            return
        with self._lock:
            follows = self.time.follows or self.time.decision not in stored
            decision = (stored[-1] if stored else None) if follows else self.time.decision
            for tab in self.tabs.values():
                tab.panel.can_ask = decision is not None
            if decision is None:
                self.time.show(stored=[], decision=None, follows=True, about=NOTHING)
                return
            self.time.show(stored=stored, follows=follows)
            if not follows and self.time.pieces:
                return  # a past moment stays as it is
            self._show_moment(decision)
            self._show_probe()
            if not self.time.others:
                self._show_others()

    def heard(self, entry: Any) -> None:
        """An entry of the run, in one of its threads."""
        if isinstance(entry, Mapping) and entry["kind"] == "status":
            self.going_on = entry["status"] == "running"
            if self.time.follows:  # a run that pauses or ends has come further than the last look at it
                with suppress(LayertieError):
                    self.refresh()
                    if not self.going_on:
                        self._renew()
        if not isinstance(entry, DecisionFinished):
            return
        due = [t for t in self.tabs.values() if t.panel.every and entry.decision % t.panel.every == 0]
        if not due and monotonic() < self._news:
            return
        self._news = monotonic() + NEWS_SECONDS
        with suppress(LayertieError):  # the run's folder may be on its way out
            self.refresh()
            for tab in self.tabs.values():
                # What is on the page of a run that goes on may be a little old, but not nothing.
                if self.time.follows and tab.seen and tab.future is None and (tab in due or not tab.shown):
                    self._renew_one(tab)

    def _move(self, decision: int | None) -> None:
        with self._lock:
            self.time.follows = decision is None
            if decision is None:
                self.refresh()
            elif decision in self.time.stored:
                self._show_moment(decision)
            self._renew()

    def _show_moment(self, decision: int) -> None:
        """What the log knows of a decision: its map, what the agent thought, what memory a step takes."""
        run = self._read()
        if run is None:
            return
        maps = run.ties.filter(run.ties["decision"] == decision).sort("layer")
        if maps.height:
            ties = TieMap(tuple(maps["source"]))
            self.tie_map.begin(ties, maps["block"].to_list())
            self.tie_map.message = f"The tie map {moment(decision)}."
        self.glance.set(_at_a_glance(run, decision))
        rows = run.decisions.filter(run.decisions["decision"] == decision)
        self.time.show(decision=decision, about=_about(decision, rows.row(0, named=True) if rows.height else None))

    def _read(self) -> Run | None:
        path = self._hold.path
        if path is None:
            return None
        if self._run is None or self._run.path != path:
            self._run = load_run(path, damaged="keep")
        else:
            self._run.refresh()
        return self._run

    # -- the probe set -----------------------------------------------------------------------------------------------

    def _choose_probe(self, sequences: int, text: str) -> None:
        """Raises: LayertieError: It cannot be one; the old one stays."""
        self._show_probe(sequences, text)
        self._forget_pick()
        self._renew()

    def _show_probe(self, sequences: int | None = None, text: str | None = None) -> None:
        from ..inspection.probe import probe_of
        from ..session.door import RunText

        path = self._hold.path
        if path is None or (sequences is None and self.time.pieces and self.time.source):
            return
        config = RunDirectory.open(path).config
        data = RunText.of(path).find().data
        wanted = self.time.sequences if sequences is None else sequences
        probe = probe_of(data, config.model.context, sequences=wanted, text=text or None)
        self.time.show(
            sequences=wanted if not text else 0,
            typed=text or "",
            source=probe.source,
            problem="",
            pieces=["".join(pieces) for pieces in probe.pieces],
            warning=" ".join(probe.warnings),
        )

    # -- another model to compare with -------------------------------------------------------------------------------

    def _show_others(self) -> None:
        path = self._hold.path
        if path is None:
            return
        branches = [f"{path.name}/branches/{branch.name}" for branch in sorted((path / "branches").glob("*"))]
        mine = [name for name in listing.names(self._root) if self._root / name != path]
        self.time.show(others={SELF: "this run, at another moment"} | {name: name for name in (*branches, *mine)})

    def _choose_other(self, name: str, decision: int | None) -> None:
        """Raises: AnalysisError: Nothing of it is stored."""
        if not name:
            self.time.show(other="", other_decision=None, other_stored=[], other_problem="")
        else:
            stored = stored_decisions(self._other_path(name))
            if not stored:
                raise AnalysisError(f"Nothing of {name} is stored that could be compared with.", "Choose another one.")
            # The list's first entry means the latest; which one that is stays fixed from now on.
            last = stored[-1] if decision is None else decision
            self.time.show(other=name, other_decision=last, other_stored=stored, other_problem="")
        self._renew()

    def _other_path(self, name: str) -> Path:
        path = self._hold.path
        assert path is not None, "there is a run to compare"
        if name == SELF:
            return path
        return path.parent / name if name.startswith(f"{path.name}/branches/") else self._root / name

    # -- what is asked -----------------------------------------------------------------------------------------------

    def _seen(self, name: str, seen: bool) -> None:
        tab = self.tabs[name]
        tab.seen = seen
        if not seen or tab.future is not None:
            return
        before, now = tab.shown, self._standing(tab)
        # While a run goes on, what is shown of it may be a little old; a press on the button renews it.
        if before != now and not (self.time.follows and self.going_on and _but_decision(before) == _but_decision(now)):
            self._renew_one(tab)

    def _renew(self) -> None:
        for tab in self.tabs.values():
            if tab.shown != self._standing(tab):
                self._renew_one(tab)

    def _chosen(self, name: str, choice: str) -> None:
        self._renew_one(self.tabs[name])

    def _pick(self, name: str, sequence: int, token: int) -> None:
        """A token was picked, in the probe set or in the sequence of the last pick."""
        if name == "token":
            if self._picked is None:
                return
            sequence = self._picked[0]
        if token == 0:
            raise AnalysisError(
                "Nothing predicts the first token of a sequence: none stands before it.", "Pick another."
            )
        self._picked = sequence, token
        text = self.tabs["tokens"].text
        assert text is not None, "the probe set is shown with its tokens"
        text.show(picked=[sequence, token], sentence="")
        self._ask("token", self.tabs["token"].button)

    def _forget_pick(self) -> None:
        self._picked = None
        for tab in self.tabs.values():
            if tab.text is not None:
                tab.text.show(picked=[], sentence="")

    def _renew_one(self, tab: Tab) -> None:
        """Show what was found before; ask, if somebody looks at it."""
        if self._hold.path is None or self.time.decision is None:
            return
        name = self._name(tab)
        if name == "token" and self._picked is None:
            self._cancel(name)
            tab.clear()
        elif tab.seen:
            self._ask(name, tab.button)
        elif tab.future is not None:
            self._cancel(name)

    def _name(self, tab: Tab) -> str:
        return next(name for name, known in self.tabs.items() if known is tab)

    def _standing(self, tab: Tab) -> tuple[Any, ...]:
        """What the tab's pictures depend on."""
        time = self.time
        options = json.dumps(self._options(tab), sort_keys=True)
        return self._hold.path, time.decision, time.sequences, time.typed, tab.button, options

    def _options(self, tab: Tab) -> dict[str, Any]:
        """The view's options as they stand on the page."""
        asks = tab.asks[tab.button]
        options = dict(asks.ask.options) | tab.panel.chosen
        if "other" in asks.view.options and self.time.other:
            path = self._other_path(self.time.other)
            options["other"] = {"run": str(path), "decision": self.time.other_decision}
        if asks.view.picks and self._picked is not None:
            options["sequence"], options["position"] = self._picked
        return options

    def _before(self, asks: Asked) -> int | None:
        """The decision after which an ask looks."""
        return None if self.time.decision is None else max(0, self.time.decision - asks.ask.back)

    def _ask(self, name: str, button: str) -> None:
        tab, path = self.tabs[name], self._hold.path
        asks, decision = tab.asks[button], self.time.decision
        if path is None or decision is None:
            raise LayertieError("Expected a moment to look at, but nothing is stored yet.", "Press Step or Run first.")
        if self._before(asks) not in self.time.stored:
            self._cancel(name)
            self._refuse(
                tab,
                f"What the agent saw before decision {decision} is not stored any more. Look at a decision whose "
                f"predecessor is, or make it again: layertie branch {path.name} --decision {decision}",
            )
            return
        with self._lock:
            self._cancel(name)
            tab.chosen = button
            standing = self._standing(tab)
            # What came of a decision goes on to be known; pictures of it are as of now.
            latest = {"until": self.time.stored[-1]} if "until" in asks.view.options else {}
            question = Question(
                run=str(path),
                view=asks.view.name,
                decision=self._before(asks),
                sequences=self.time.sequences or 8,
                text=self.time.typed or None,
                options=self._options(tab) | latest,
            )
            share, answered = weakref.WeakMethod(self._share), weakref.WeakMethod(self._answered)
            future = self.inspector.ask(question, lambda done: (method := share()) and method(name, done))
            tab.future = future
            if not future.done():
                tab.panel.show(share=-1.0, alarm=False, sentence=f"Looking {moment(decision)} ...")
        future.add_done_callback(lambda done: (method := answered()) and method(name, standing, done))

    @staticmethod
    def _refuse(tab: Tab, sentence: str) -> None:
        """Say why there is no answer; what was shown before is of something else."""
        can_ask = tab.panel.can_ask
        tab.clear()
        tab.panel.show(sentence=sentence, alarm=True, can_ask=can_ask)

    def _share(self, name: str, done: float) -> None:
        tab = self.tabs[name]
        if tab.future is not None and tab.panel.share is not None:
            tab.panel.share = done

    def _cancel(self, name: str) -> None:
        tab = self.tabs[name]
        future, tab.future = tab.future, None
        if future is not None and not future.done():
            self.inspector.cancel(future)
            tab.panel.show(share=None, alarm=False, sentence="Cancelled.")

    def _answered(self, name: str, standing: tuple[Any, ...], done: Future[Any]) -> None:
        tab = self.tabs[name]
        with self._lock:
            if tab.future is not done:  # another question was asked meanwhile, or another run opened
                return
            tab.future = None
            error = done.exception()
            if error is not None:
                if isinstance(error, CancelledError):
                    tab.panel.show(share=None, alarm=False, sentence="Cancelled.")
                else:
                    self._refuse(tab, str(error))
                    tab.shown = standing
                return
            tab.shown = standing
            tab.show(done.result())


def _but_decision(standing: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*standing[:1], *standing[2:])


def _call(method: weakref.WeakMethod[Any], *arguments: Any) -> None:
    if (found := method()) is not None:
        found(*arguments)


def _about(decision: int, row: dict[str, Any] | None) -> str:
    if row is None:
        return f"The run {moment(decision)}."
    who = {"human": "a person", "agent": "the agent"}.get(row["by"], row["by"])
    mark = ", an override" if row["overridden"] else ""
    owners = f"{row['owners']} owner{'' if row['owners'] == 1 else 's'}"
    return (
        f"After decision {decision}: layer {row['layer']} {action(row['layer'], row['choice'])} (by {who}{mark}); "
        f"reward {row['reward']:.3g}, training loss {row['train_loss']:.3f}, {owners}."
    )


def _at_a_glance(run: Run, decision: int) -> dict[str, Any]:
    from ..charts.run.glance import glance

    return glance(run.q_values, run.memory, decision)
