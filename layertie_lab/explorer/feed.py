"""From a run to the widgets: events become rows and state, a few times per second, without keeping the run alive."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ..core.commands import Save
from ..core.errors import LayertieError
from ..core.events import DecisionFinished, DecisionMade, Event, Opened, RulesChanged
from ..core.notices import Entry, KeepChanged, Notice, Refused, SnapshotsNoted, StatusChanged, TextNoted
from ..core.tables import COLUMNS, Tabulator
from ..core.ties import TieMap
from ..widgets.steer_panel import Press, SteerPanel
from ..widgets.tie_map_view import TieMapView
from ..workers.pool import Handle
from .inlet import Inlet
from .pilot import Acted, Declined, Pilot
from .shown_state import ShownState

STATE_SECONDS = 0.25
"""Least time between two pictures of the layer at hand while a run goes on by itself: nobody reads faster."""

TOLD_AGAIN = 5_000
"""Latest events of a log that is joined which its source may say again: more than come while it is read."""

Rows = dict[str, list[dict[str, Any]]]


class RowTaker(Protocol):
    """What shows rows: a `LiveChart`, or whatever hands them on to several."""

    def push(self, rows: Mapping[str, Iterable[Mapping[str, Any]]], /) -> None: ...
    def reset(self, rows: Mapping[str, Iterable[Mapping[str, Any]]], /) -> None: ...


class Feed:
    """Connects a run to widgets, in both directions.

    Args:
        source: A Worker, a `SessionThread`, or a Session (which can then only be watched). Held weakly: whoever owns it
            decides when it ends.
        chart: Takes the rows.
        tie_map: Takes the map and the layer at hand, and gives answers.
        steer: Takes the state, and gives commands.
        past: Events from before, as the log of a run that is joined late has them. It is read after the connection is
            made, and what the source says a second time is left out; so give something that reads when it is iterated.
        budget: The run's budget of decisions, for the tie map's history; 0 if unknown.

    A source calls back in its own thread, where nothing more happens than that the entry is queued. A thread takes
    entries from the queue in batches and holds only weak references, so that a feed nobody holds ends by itself.
    """

    def __init__(
        self,
        source: Any,
        *,
        chart: RowTaker | None = None,
        tie_map: TieMapView | None = None,
        steer: SteerPanel | None = None,
        past: Iterable[Event] = (),
        budget: int = 0,
    ) -> None:
        self._chart, self._tie_map, self._steer = chart, tie_map, steer
        self._tabulator = Tabulator()
        self._open: DecisionMade | None = None
        self._state = ShownState()
        self._state_due = 0.0
        self._past: set[tuple[Any, ...]] = set()
        self._inlet = Inlet()
        # Presses go to a worker itself: of what a share of it adds, that answers end with it, a pilot needs nothing.
        taker = source.worker if isinstance(source, Handle) else source
        self._pilot = Pilot(taker, self._inlet.put) if hasattr(source, "give") else None
        self._finalizer = weakref.finalize(self, self._inlet.close)
        if tie_map is not None:
            tie_map.show(budget=budget)
            if self._pilot is not None:
                tie_map.on_answer(self._pilot.answer)
                tie_map.on_ahead(self._pilot.answer_ahead)
        if steer is not None:
            steer.on_press(self._refuse if self._pilot is None else self._pilot.press)
        # What it returns holds the source; the inlet drops what comes after its end instead.
        source.subscribe(self._inlet.put)
        self._start(list(past), getattr(source, "status", ""))
        self._inlet.drain(weakref.WeakMethod(self.take))

    def close(self) -> None:
        """End the connection. The widgets keep what they show."""
        self._finalizer()

    def press(self, press: Press) -> None:
        """Act on a press that was made before this feed was there.

        Raises:
            LayertieError: There is no run to take it.
        """
        (self._refuse if self._pilot is None else self._pilot.press)(press)

    @staticmethod
    def show(
        run: Any,
        *,
        chart: RowTaker | None = None,
        tie_map: TieMapView | None = None,
        steer: SteerPanel | None = None,
    ) -> None:
        """Show a finished run, in one go.

        Args:
            run: Table -> rows or polars frame, or an object that has the tables as attributes (`load_run`).
            chart: Takes the rows.
            tie_map: Takes the last map and its history.
            steer: Takes what was reached.
        """
        rows = {table: _rows_of(run, table) for table in COLUMNS}
        if chart is not None:
            chart.reset(rows)
        if tie_map is not None:
            tie_map.show_rows(rows["ties"], rows["decisions"])
        if steer is not None:
            reached = {
                name: max((row[name] for row in rows[table]), default=0)
                for name, table in (("decision", "decisions"), ("step", "steps"))
            }
            steer.show(status="finished", can_act=False, can_save=False, can_keep=False, layer=None, **reached)

    def take(self, entries: Iterable[Entry]) -> None:
        """Let entries of the source count, and show what has come of them. Called by the feed's own thread."""
        rows: Rows = {}
        urgent, ends = False, list[Acted | Declined]()
        for entry in entries:
            if isinstance(entry, Event):
                # A resumed run says where it begins again; what was before it stays.
                again = isinstance(entry, Opened) and self._state.ties is not None
                if again or self._is_known(entry):
                    continue
                self._take_event(entry, rows)
            else:
                urgent = True
                self._take_notice(entry)
            self._state.take(entry)
            ends += self._ends(entry)
        if self._chart is not None and rows:
            self._chart.push(rows)
        self._show_state(urgent or bool(ends))
        # After the state that goes with it: whoever hears of an effect finds it there.
        for end in ends:
            self._tell(end)

    def _start(self, past: list[Event], status: str) -> None:
        if past:
            self.take(past)
            self._past = {_name(event) for event in past[-TOLD_AGAIN:]}
        if status:
            self.take([StatusChanged(status)])

    def _is_known(self, event: Event) -> bool:
        """Whether the source says again what the log had when it was read; it does so in order, before what is new."""
        if _name(event) in self._past:
            return True
        self._past = set()
        return False

    def _take_event(self, event: Event, rows: Rows) -> None:
        if isinstance(event, DecisionFinished):
            if self._open is None or self._open.decision != event.decision:
                return  # joined in the middle of a decision: nobody knows what it was about
            self._record(self._open, event)
        elif isinstance(event, DecisionMade):
            self._open = event
        elif isinstance(event, RulesChanged) and self._pilot is not None:
            self._pilot.ask()  # the open proposal is another one under other rules
        elif isinstance(event, Opened):
            rows.setdefault("reference", []).append({"name": "unigram", "loss": event.unigram_entropy})
            if self._tie_map is not None:
                self._tie_map.begin(event.ties, event.blocks)
        for table, row in self._tabulator.rows(event):
            rows.setdefault(table, []).append(row)

    def _record(self, decided: DecisionMade, came: DecisionFinished) -> None:
        if self._tie_map is not None:
            ties, override = TieMap(tuple(came.ties)), decided.choice != decided.proposed
            self._tie_map.record(came.decision, ties, came.blocks, layer=decided.layer, override=override)

    def _ends(self, entry: Entry) -> list[Acted | Declined]:
        """What has come of presses, as an entry shows."""
        effects = self._pilot.effects(entry) if self._pilot is not None else []
        return [*map(Acted, effects), *([entry] if isinstance(entry, Declined) else [])]

    def _tell(self, end: Acted | Declined) -> None:
        if self._steer is not None and isinstance(end, Acted) and isinstance(end.press.command, Save):
            state = self._state
            self._steer.show(said=f"Saved: {state.decision} decisions, {state.step} steps.")
        if self._steer is not None and end.press.id:
            (self._steer.acted if isinstance(end, Acted) else self._steer.refused)(end.press)

    def _take_notice(self, notice: Notice) -> None:
        # How the text of a run was found is no refusal, but to be read before one goes on.
        if isinstance(notice, Refused | SnapshotsNoted | TextNoted) and self._steer is not None:
            self._steer.show(error=notice.sentence)
        elif isinstance(notice, KeepChanged) and self._steer is not None:
            self._steer.show(keep=notice.keep)
        elif isinstance(notice, StatusChanged) and notice.status in ("ready", "finished") and self._pilot is not None:
            self._pilot.ask()

    def _show_state(self, urgent: bool) -> None:
        state, now = self._state, time.monotonic()
        if not urgent and state.running and now < self._state_due:
            return
        self._state_due = now + STATE_SECONDS
        steered = {} if self._pilot is not None else {"can_act": False, "can_brush": False}
        if self._pilot is not None:
            self._pilot.asked = state.open_decision
        if self._tie_map is not None:
            self._tie_map.show(**(state.map_traits() | steered))
            self._tie_map.show_news()
        if self._steer is not None:
            failure = {"error": state.failure} if state.failure else {}
            steered.pop("can_brush", None)
            self._steer.show(**(state.panel_traits() | steered | failure))

    def _refuse(self, press: Press) -> None:
        if press.command is not None:
            raise LayertieError("Expected a run that takes commands, but this one can only be watched.")


def _name(event: Event) -> tuple[Any, ...]:
    """What tells two events of one run apart."""
    return type(event), event.decision, event.step, getattr(event, "split", "")


def _rows_of(run: Any, table: str) -> list[dict[str, Any]]:
    rows = run.get(table, ()) if isinstance(run, Mapping) else run.table(table)
    return rows.to_dicts() if hasattr(rows, "to_dicts") else list(rows)
