"""The tab "Look inside": a moment of the run, a probe set, and what its model and agent are like there."""

# Imports in functions are for the start of the explorer: cutting a probe set from a text loads numpy and tokenizers.

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from ...charts.run.glance import glance
from ...core.descriptions import Description
from ...core.errors import AnalysisError, LayertieError
from ...core.events import DecisionFinished
from ...core.notices import Entry, StatusChanged
from ...core.ties import TieMap
from ...inspection.stored import stored_decisions
from ...inspection.words import action, moment
from ...records.directory import RunDirectory
from ...records.log.reader import Run, load_run
from ...widgets.layout import Part, Rows, Tabbed
from ...widgets.pictures import Pictures
from ...widgets.probe_panel import ProbePanel
from ...widgets.tie_map_view import TieMapView
from ...widgets.time_panel import TimePanel
from .. import run_list
from ..held_run import UNRECORDED
from ..inside.pane import make_panes
from ..inside.place import Place
from ..inside.questions import Questions
from ..tab import Page, Tab
from ..terms import place_of
from ..weakly import weakly
from .registry import TABS

NEWS_SECONDS = 0.5
"""Least time between two looks at what a run that goes on has stored."""
WRITING_SECONDS = 1.0
"""Seconds after which a run that rests is looked at again: a snapshot is written beside training, not before it."""
NOTHING = (
    "Nothing of this run is stored that could be looked at. Start one of your own: it can be, after each decision."
)
"""Of a run without snapshots and checkpoints, such as a recorded example."""
SELF = "this run"
"""In place of a run's name: the run on the page, at another moment."""


@TABS.register(Description("look-inside", "Look inside", "What the model and the agent are like at a moment."))
class LookInside(Tab):
    """The moment and the probe set, and the panes that look at them (`inside`)."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self._lock = threading.RLock()
        self._picked: tuple[int, int] | None = None
        self._log: Run | None = None
        self._news = 0.0
        self._going_on = False
        self.time, self.probe, self.glance = TimePanel(), ProbePanel(), Pictures(columns=3)
        self.tie_map = TieMapView(with_history=False, with_legend=False)
        self.panes = make_panes()
        self.questions = Questions(self.panes, self.place)
        self.time.on_move(self._move)
        self.probe.on_probe(self._choose_probe)
        self.probe.on_other(self._choose_other)
        for name, pane in self.panes.items():
            if pane.text is not None:
                pane.text.on_pick(weakly(self._pick, name))

    @property
    def layout(self) -> Part:
        below: dict[str, list[Part]] = {}
        picked = [pane for pane in self.panes.values() if pane.of_token]
        for pane in self.panes.values():
            if not pane.of_token:
                within = [each for each in picked if each.title == pane.title] if pane.text is not None else []
                below.setdefault(pane.title, []).append(pane.layout(within))
        panes = {title: Rows(tuple(parts)) for title, parts in below.items()}
        return Rows((self.probe, Tabbed({"At a glance": Rows((self.tie_map, self.glance)), **panes})))

    @property
    def foot(self) -> Part:
        return self.time

    def look_at(self, decision: int) -> None:
        stored = self.time.stored
        if stored:
            self._move(min(stored, key=lambda each: (abs(each - decision), each)))

    def end(self) -> None:
        self.questions.close()

    def place(self) -> Place | None:
        """Where the person looks; None where nothing is stored."""
        time, probe, path = self.time, self.probe, self.run.path
        if path is None or time.decision is None:
            return None
        other = (self._other_path(probe.other), probe.other_decision) if probe.other else None
        return Place(
            path,
            time.decision,
            tuple(time.stored),
            probe.sequences,
            probe.typed,
            other,
            self._picked,
            example=self.run.example,
        )

    # -- which run, which moment -------------------------------------------------------------------------------------

    def show(self) -> None:
        with self._lock:
            self._log = self._picked = None
            self._going_on = self.questions.moving = False
            self.questions.clear()
            self.tie_map.clear()
            self.glance.set({})
            self.time.show(stored=[], decision=None, follows=True, about="")
            self.probe.show(
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
            self.questions.renew()

    def joined(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Show what the run on the page has stored by now."""
        path = self.run.path
        if path is None:
            self.time.show(about=UNRECORDED if self.run.source is not None else "")
            return
        try:
            stored = stored_decisions(path)
        except LayertieError as error:
            self.time.show(about=str(error))
            return
        with self._lock:
            follows = self.time.follows or self.time.decision not in stored
            decision = (stored[-1] if stored else None) if follows else self.time.decision
            self.questions.allow(decision is not None)
            if decision is None:
                self.time.show(stored=[], decision=None, follows=True, about=NOTHING)
                return
            self.time.show(stored=stored, follows=follows)
            if not follows and self.probe.pieces:
                return  # a past moment stays as it is
            self._show_moment(decision)
            try:
                self._show_probe()
            except LayertieError as error:  # a text that is gone, or another one: all but looking inside goes on
                self.probe.show(problem=str(error))
            if not self.probe.others:
                self._show_others()

    def heard(self, entry: Entry) -> None:
        if isinstance(entry, StatusChanged):
            self._going_on = entry.status == "running"
            self.questions.moving = self._going_on and self.time.follows
            self._catch_up()
            if not self._going_on:
                timer = threading.Timer(WRITING_SECONDS, weakly(self._catch_up))
                timer.daemon = True
                timer.start()
        if not isinstance(entry, DecisionFinished):
            return
        if not self.questions.any_due(entry.decision) and monotonic() < self._news:
            return
        self._news = monotonic() + NEWS_SECONDS
        with suppress(LayertieError):  # the run's folder may be on its way out
            self.refresh()
            if self.time.follows:
                self.questions.follow(entry.decision)

    def _catch_up(self) -> None:
        """A run that pauses or ends has come further than the last look at it."""
        if self.time.follows:
            with suppress(LayertieError):
                self.refresh()
                if not self._going_on:
                    self.questions.renew()

    def _move(self, decision: int | None) -> None:
        with self._lock:
            self.time.follows = decision is None
            self.questions.moving = self._going_on and self.time.follows
            if decision is None:
                self.refresh()
            elif decision in self.time.stored:
                self._show_moment(decision)
            self.questions.renew()

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
        self.glance.set(glance(run.q_values, run.memory, decision))
        rows = run.decisions.filter(run.decisions["decision"] == decision)
        self.page.mark(None if self.time.follows else decision)
        self.time.show(decision=decision, about=_about(decision, rows.row(0, named=True) if rows.height else None))

    def _read(self) -> Run | None:
        path = self.run.path
        if path is None:
            return None
        if self._log is None or self._log.path != path:
            self._log = load_run(path, damaged="keep")
        else:
            self._log.refresh()
        return self._log

    # -- the probe set ------------------------------------------------------------------------------------------------

    def _choose_probe(self, sequences: int, text: str) -> None:
        """Raises: LayertieError: It cannot be one; the old one stays."""
        self._show_probe(sequences, text)
        self._picked = None
        for pane in self.panes.values():
            if pane.text is not None:
                pane.text.show(picked=[], sentence="")
        self.questions.renew()

    def _show_probe(self, sequences: int | None = None, text: str | None = None) -> None:
        from ...inspection.probe import probe_of
        from ...session.door import RunText

        path = self.run.path
        if path is None or (sequences is None and self.probe.pieces and self.probe.source):
            return
        config = RunDirectory.open(path).config
        found = RunText.of(path).find()
        wanted = self.probe.sequences if sequences is None else sequences
        probe = probe_of(found.data, config.model.context, sequences=wanted, text=text or None)
        self.probe.show(
            sequences=wanted if not text else 0,
            typed=text or "",
            source=probe.source,
            problem="",
            pieces=["".join(pieces) for pieces in probe.pieces],
            warning=" ".join([*found.notes, *probe.warnings]),
        )

    def _pick(self, name: str, sequence: int, token: int) -> None:
        """A token was picked, in the probe set or in the sequence of the last pick."""
        text = self.panes[name].text
        shown = [] if text is None else text.sequences
        if sequence >= len(shown) or token >= len(shown[sequence]["pieces"]):
            raise AnalysisError("Expected a token of the text that is shown, but got another.", "Pick one.")
        if self.panes[name].of_token:
            if self._picked is None:
                return
            sequence = self._picked[0]
        if token == 0:
            raise AnalysisError(
                "Nothing predicts the first token of a sequence: none stands before it.", "Pick another."
            )
        self._picked = sequence, token
        for pane in self.panes.values():
            if pane.text is not None and not pane.of_token:
                pane.text.show(picked=[sequence, token], sentence="")
        for other, pane in self.panes.items():
            if pane.of_token:
                pane.reveals = True
                self.questions.ask(other, pane.button)

    # -- another model to compare with --------------------------------------------------------------------------------

    def _show_others(self) -> None:
        path = self.run.folder
        branches = [f"{path.name}/branches/{branch.name}" for branch in sorted((path / "branches").glob("*"))]
        mine = [name for name in run_list.names(self.page.root) if self.page.root / name != path]
        self.probe.show(others={SELF: "this run, at another moment"} | {name: name for name in (*branches, *mine)})

    def _choose_other(self, name: str, decision: int | None) -> None:
        """Raises: AnalysisError: Nothing of it is stored."""
        if not name:
            self.probe.show(other="", other_decision=None, other_stored=[], other_problem="")
        elif name not in self.probe.others:
            raise AnalysisError("Expected a run of the list, but got another.", "Choose one of the list.")
        else:
            stored = stored_decisions(self._other_path(name))
            if not stored:
                raise AnalysisError(f"Nothing of {name} is stored that could be compared with.", "Choose another one.")
            # The list's first entry means the latest; which one that is stays fixed from now on.
            last = stored[-1] if decision is None else decision
            if last not in stored:
                raise AnalysisError(f"Expected a stored decision of {name}, but got {last}.", "Choose another one.")
            self.probe.show(other=name, other_decision=last, other_stored=stored, other_problem="")
        self.questions.renew()

    def _other_path(self, name: str) -> Path:
        path = self.run.folder
        if name == SELF:
            return path
        return place_of(name, path.parent if name.startswith(f"{path.name}/branches/") else self.page.root)


def _about(decision: int, row: dict[str, Any] | None) -> str:
    if row is None:
        return f"The run {moment(decision)}."
    who = {"human": "a person", "agent": "the agent"}.get(row["by"], row["by"])
    mark = ", an override" if row["overridden"] else ""
    owners = f"{row['owners']} owner{'' if row['owners'] == 1 else 's'}"
    reward = f"{row['reward']:.3f}" if abs(row["reward"]) >= 0.001 else f"{row['reward']:.2g}"
    return (
        f"After decision {decision}: layer {row['layer']} {action(row['layer'], row['choice'])} (by {who}{mark}); "
        f"reward {reward}, training loss {row['train_loss']:.3f}, {owners}."
    )
