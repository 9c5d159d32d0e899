"""A run as frames, live or finished."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import polars as pl

from ...core.config import RunConfig
from ...core.errors import RecordError
from ...core.events import DecisionFinished, Event, Opened
from ...core.notices import GOES_ON, Failed, ProcessStarted, Timing
from ...core.plain import fits, parse_object
from ...core.tables import COLUMNS, Tabulator
from ..directory import RunDirectory, Status
from ..export import export
from ..runs import standing
from ..state.checkpoints import CheckpointInfo, list_checkpoints
from ..tree import leaving_of
from .completeness import reached, shortfall
from .cursor import EventCursor, LineCursor
from .frames import TELEMETRY, GrowingFrame, documentation
from .recovery import check_settings, damaged_line, rows_of, short_log, telemetry_chain

_PART = 1 << 24
_TELEMETRY_TABLE = {Timing.kind: "timings", ProcessStarted.kind: "process"}


class Run:
    """A run directory, read by cursor.

    The frames hold what was recorded up to the last `refresh`. Their columns, types and units are `core.tables.COLUMNS`
    and, for `timings` and `process`, `records.log.frames.TELEMETRY`; `columns` lists them all.

    Make one with `load_run`, one per thread.
    """

    def __init__(self, directory: RunDirectory, *, keep_damaged: bool = False) -> None:
        self.directory = directory
        self._keep_damaged = keep_damaged
        self._cursor = EventCursor(directory.events)
        self._telemetry_cursor = LineCursor(directory.telemetry)
        self._start_events()
        self._start_telemetry()

    def _start_events(self) -> None:
        self.opened: Opened | None = None
        """The opening event; None before the run has begun."""
        self._last: Event | None = None
        self._last_outcome = 0
        self._error: RecordError | None = None
        self._tabulator = Tabulator()
        self._tables = {table: GrowingFrame(table) for table in COLUMNS}

    def _start_telemetry(self) -> None:
        self._telemetry_chain = telemetry_chain(self.directory)
        self._telemetry: dict[str, list[dict[str, Any]]] = {}
        self._telemetry_tables = {table: GrowingFrame(table) for table in TELEMETRY}
        self._telemetry_damage: list[str] = []

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.directory.path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def config(self) -> RunConfig:
        """The run's settings."""
        return self.directory.config

    @property
    def generation(self) -> int:
        """Grows when a resumed run replaced its log; all rows were then read again."""
        return self._cursor.generation

    def refresh(self) -> int:
        """Read what was recorded since the last call.

        Returns:
            Number of new events (all of them, if the log was replaced).

        Raises:
            RecordError: The log is damaged; the message names the line. The frames hold what comes before it.
        """
        self._refresh_telemetry()
        self._had = reached(self.directory)
        count = 0
        while True:
            generation, error = self._cursor.generation, None
            events: list[Event] = []
            try:
                events = self._cursor.read_new(_PART)
            except RecordError as damage:
                error = damage
            if self._cursor.generation != generation:
                self._start_events()
                count = 0
            first = self._cursor.line - len(events) + 1
            for line, event in enumerate(events if self._error is None else [], start=first):
                if not self._take(event):
                    error = self._refusal(line)
                    break
                count += 1
            self._error = self._error or error
            if not events and self._error is None:
                self._error = self._short()
            if self._error is not None and not self._keep_damaged:
                raise self._error
            if not events:
                return count

    def _refusal(self, line: int) -> RecordError:
        """Why an event does not follow from the ones before it, or from the settings."""
        try:
            check_settings(self.directory)
        except RecordError as error:
            return error
        return damaged_line(self.directory.events, line)

    def _short(self) -> RecordError | None:
        """That the log has lost its end, where it has."""
        done = self._last_outcome
        lost = shortfall(self.directory.events, self._had, done)
        return short_log(self.directory, lost) if lost else None

    def _take(self, event: Event) -> bool:
        """Add an event's rows; False where it does not follow from the events before it."""
        rows = rows_of(self._tabulator, event)
        if rows is None:
            return False
        if isinstance(event, Opened):
            if event.config_hash != self.config.hash:
                return False  # another run's, or these settings are
            self.opened = event
        self._last = event
        if isinstance(event, DecisionFinished):
            self._last_outcome = event.decision
        for table, row in rows:
            self._tables[table].append(row)
        return True

    @property
    def damage(self) -> str:
        """What is wrong with the log, or ""; the frames then hold what comes before it."""
        return self._error.message if self._error else ""

    def _refresh_telemetry(self) -> None:
        generation = self._telemetry_cursor.generation
        lines = self._telemetry_cursor.read_lines()
        if self._telemetry_cursor.generation != generation:
            self._start_telemetry()
        first = self._telemetry_cursor.line - len(lines) + 1
        for number, line in enumerate(lines, start=first):
            try:
                entry = _entry(line)
                if not self._telemetry_chain.follows(line):
                    raise ValueError("it was changed, or does not follow the one before it")
            except ValueError as error:
                self._telemetry_chain.skip(line)  # those after it may be whole
                said = f"Line {number} of {self.directory.telemetry} is damaged and left out ({error})."
                self._telemetry_damage.append(said)
                continue
            kind = entry["kind"]
            self._telemetry.setdefault(kind, []).append(entry)
            if kind in _TELEMETRY_TABLE:
                self._telemetry_tables[_TELEMETRY_TABLE[kind]].append(entry)

    def table(self, name: str) -> pl.DataFrame:
        """A frame by its table's name.

        Raises:
            RecordError: No such table.
        """
        tables = self._tables | self._telemetry_tables
        if name not in tables:
            raise RecordError(f"Expected a table out of {', '.join(tables)}, but got {name!r}.", "Choose one of these.")
        return tables[name].frame

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of all tables."""
        return (*self._tables, *self._telemetry_tables)

    @property
    def columns(self) -> pl.DataFrame:
        """What every column means, with its unit: table, column, type, meaning."""
        return documentation()

    @property
    def decisions(self) -> pl.DataFrame:
        """One row per decision with an outcome."""
        return self.table("decisions")

    @property
    def steps(self) -> pl.DataFrame:
        """One row per optimizer step."""
        return self.table("steps")

    @property
    def evaluations(self) -> pl.DataFrame:
        """One row per evaluation of a split."""
        return self.table("evaluations")

    @property
    def ties(self) -> pl.DataFrame:
        """One row per decision and layer: the tie map after it (decision 0 = the start)."""
        return self.table("ties")

    @property
    def q_values(self) -> pl.DataFrame:
        """One row per decision and legal action."""
        return self.table("q_values")

    @property
    def memory(self) -> pl.DataFrame:
        """One row per decision and component, bytes."""
        return self.table("memory")

    @property
    def samples(self) -> pl.DataFrame:
        """One row per text sample."""
        return self.table("samples")

    @property
    def timings(self) -> pl.DataFrame:
        """One row per decision: seconds and memory of the process."""
        return self.table("timings")

    @property
    def process(self) -> pl.DataFrame:
        """One row per process that wrote the run."""
        return self.table("process")

    def telemetry(self, kind: str) -> list[dict[str, Any]]:
        """The telemetry of one kind (process, timing, checkpoint, failed, left open, closed, keep), in order."""
        return list(self._telemetry.get(kind, ()))

    @property
    def error(self) -> str | None:
        """The class of the error that ended the training; None where it goes on, or came to an end of another kind."""
        last = {kind: entries[-1].get("time", 0.0) for kind, entries in self._telemetry.items() if entries}
        failed = last.get(Failed.kind)
        if failed is None or any(failed < last.get(kind.kind, 0.0) for kind in GOES_ON):
            return None
        return str(self._telemetry[Failed.kind][-1].get("error", ""))

    @property
    def failed(self) -> bool:
        """Whether an error has ended the training."""
        return self.error is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know: damage that the frames leave out, and whether any would be noticed."""
        return (*self.losses, *self._lost_times(), *self._undigested())

    @property
    def losses(self) -> tuple[str, ...]:
        """Damage that the frames leave out, a sentence each."""
        damage = [self.damage] if self.damage else []
        return (*damage, *self._telemetry_damage)

    def _lost_times(self) -> list[str]:
        """Which decisions have no line of what they cost, of those that were made in this very run."""
        if self.directory.running or self.opened is None:  # the last may be on its way
            return []
        first = self.opened.decision + 1
        with suppress(RecordError):  # a damaged branch.json is named by whoever shows the tree
            left = leaving_of(self.path)
            first = first if left is None else max(first, left.decision)
        timed = {entry["decision"] for entry in self._telemetry.get(Timing.kind, ())}
        lost = [decision for decision in range(first, self._last_outcome + 1) if decision not in timed]
        if not lost:
            return []
        which = f"decision {lost[0]}" if len(lost) == 1 else f"{len(lost)} decisions, from {lost[0]} on,"
        return [f"{self.directory.telemetry} lacks the times of {which} and what rests on times leaves them out."]

    def _undigested(self) -> list[str]:
        if self._cursor.carries_digests is not False or self._error is not None:
            return []
        return ["This run was begun before logs carried digests: a number changed in its log would not be noticed."]

    @property
    def checkpoints(self) -> list[CheckpointInfo]:
        """The checkpoints there are now, oldest first."""
        return list_checkpoints(self.directory)

    @property
    def under_way(self) -> bool:
        """Whether the last decision has no outcome yet."""
        return self._last is not None and self._last.decision > self._last_outcome

    @property
    def status(self) -> Status:
        """Where it stands as of the last `refresh`; the words: `records.directory.Status`."""
        if self.damage:
            return "damaged"
        return standing(self._last, self.config.decisions, held=self.directory.running, error=self.error)

    def export(self, directory: str | Path, format: Literal["parquet", "csv"] = "parquet") -> list[Path]:
        """Write each table to a file of its own, `TABLE.parquet` or `TABLE.csv`; see `records.export.export`."""
        return export({name: self.table(name) for name in self.tables}, directory, format)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.status}, {self._cursor.line} events)"


def _entry(line: bytes) -> dict[str, Any]:
    """A line of telemetry.

    Raises:
        ValueError: It is none, or a number in it is of another type than its column.
    """
    entry = parse_object(line)
    entry.pop("digest", None)
    kind = entry.get("kind")
    if not isinstance(kind, str) or not fits(entry.get("time", 0.0), float):
        raise ValueError("it says neither what it is nor when it was written")
    columns = TELEMETRY.get(_TELEMETRY_TABLE.get(kind, ""), {})
    for column, (of, _) in columns.items():
        if column in entry and entry[column] is not None and not fits(entry[column], of):
            raise ValueError(f"{column} is {entry[column]!r}")
    if columns and not fits(entry.get("decision"), int):
        raise ValueError("it names no decision")
    return entry


def load_run(path: str | Path, *, damaged: Literal["raise", "keep"] = "raise") -> Run:
    """Read a run directory; `Run.refresh` then follows it while it grows.

    Args:
        path: The run's folder.
        damaged: What to do about a damaged line in the log. raise; or keep what comes before it and say so in
            `Run.damage` and `Run.notes`.

    Raises:
        RecordError: No such folder, not a run, written by a newer version, or a damaged log.
    """
    run = Run(RunDirectory.open(path), keep_damaged=damaged == "keep")
    run.refresh()
    return run
