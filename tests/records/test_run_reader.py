"""A run as frames: typed, tidy, and cheap to follow."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from made_up_runs import LAYERS, decision, lines, opened, story, write_run

from layertie_lab.core.errors import RecordError, StorageError
from layertie_lab.core.events import Finished, Stepped
from layertie_lab.core.notices import KeepChanged, ProcessStarted, Timing
from layertie_lab.core.tables import COLUMNS, Tabulator
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.io import output
from layertie_lab.records.io.chain import Chain
from layertie_lab.records.log.frames import ALL_COLUMNS, GrowingFrame
from layertie_lab.records.log.reader import Run, load_run
from layertie_lab.records.log.writer import EventWriter

TYPES = {int: pl.Int64, float: pl.Float64, str: pl.String, bool: pl.Boolean}
TABLES = ("steps", "decisions", "q_values", "evaluations", "ties", "memory", "samples", "timings", "process")


def add_telemetry(writer: EventWriter) -> None:
    writer.telemetry(ProcessStarted(False, 12, "3.11", "2.13", "Linux", "cpu", 2, step=0, decision=0))
    writer.telemetry(Timing(1, 2, 0.5, 0.25, 0, resident_bytes=7, device_peak_bytes=0))
    writer.telemetry(KeepChanged(keep=True, alone=False))


@pytest.mark.parametrize("events", [[], [opened()], story(1), story(9, finished=True)], ids=len)
def test_columns_and_types_are_the_documented_ones(tmp_path: Path, events: list) -> None:
    run = load_run(write_run(tmp_path / "run", events).path)
    assert run.tables == TABLES == tuple(ALL_COLUMNS)
    for table in run.tables:
        expected = {column: TYPES[kind] for column, (kind, _) in ALL_COLUMNS[table].items()}
        assert dict(run.table(table).schema) == expected, table
        assert getattr(run, table).equals(run.table(table))
    documented = run.columns
    assert documented.columns == ["table", "column", "type", "meaning"]
    assert documented.height == sum(map(len, ALL_COLUMNS.values()))


def test_rows_are_those_of_the_tabulator(tmp_path: Path) -> None:
    events = story(9, finished=True)
    run = load_run(write_run(tmp_path / "run", events).path)
    tabulator = Tabulator()
    expected: dict[str, list] = {table: [] for table in COLUMNS}
    for event in events:
        for table, row in tabulator.rows(event):
            expected[table].append(row)
    for table, rows in expected.items():
        assert rows
        assert run.table(table).rows(named=True) == rows
    assert run.opened == opened()
    assert run.ties.height == 10 * LAYERS


def test_telemetry_tables(directory: RunDirectory, writer: EventWriter) -> None:
    for event in story(1):
        writer.append(event)
    add_telemetry(writer)
    writer.flush()
    run = load_run(directory.path)
    assert run.timings.select("decision", "seconds", "evaluation_seconds", "resident_bytes").row(0) == (1, 0.5, 0.0, 7)
    assert run.process.select("pid", "device", "resumed", "torch").row(0) == (12, "cpu", False, "2.13")
    assert [entry["keep"] for entry in run.telemetry("keep")] == [True]
    assert run.telemetry("failed") == []
    with open(directory.telemetry, "ab") as file:
        file.write(b"\0\0\n" + Chain().sealed(b'{"kind":"timing","time":1.0,"decision":1}') + b'\n{"kind":')
    run.refresh()
    assert run.timings["decision"].to_list() == [1, 1]
    assert run.timings["seconds"].to_list() == [0.5, None]
    assert [note.partition(" (")[0] for note in run.notes] == [
        f"Line 4 of {directory.telemetry} is damaged and left out"
    ]


def test_following_a_run(directory: RunDirectory, writer: EventWriter) -> None:
    run = load_run(directory.path)
    assert (run.status, run.opened, run.refresh()) == ("running", None, 0)
    events = story(5)
    for count, event in enumerate(events):
        writer.append(event)
        writer.flush()
        assert run.refresh() == 1
        assert run.steps.height == sum(isinstance(e, Stepped) for e in events[: count + 1])
    writer.append(Finished(10, 5))
    writer.flush()
    assert run.refresh() == 1
    assert run.status == "finished"
    writer.close()
    assert run.status == "finished"
    whole = load_run(directory.path)
    for table in run.tables:
        assert run.table(table).equals(whole.table(table))
    assert run.name == "run"
    assert "finished" in repr(run)


def test_a_refresh_converts_new_rows_only(
    directory: RunDirectory, writer: EventWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load_run(directory.path)
    converted: list[int] = []
    real = GrowingFrame._series

    def series(frame: GrowingFrame, column: str) -> pl.Series:
        converted.append(len(frame._new[column]))
        return real(frame, column)

    monkeypatch.setattr(GrowingFrame, "_series", series)
    for number in range(1, 101):
        for event in decision(number):
            writer.append(event)
        writer.flush()
        run.refresh()
        before = run.steps
        assert run.steps is before  # nothing new, nothing done
        assert before.height == 2 * number
        assert before["step"].to_list()[-2:] == [2 * number - 1, 2 * number]
    assert converted == [2] * (100 * len(COLUMNS["steps"]))
    assert run.steps.n_chunks() <= 64


def test_a_replaced_log_is_read_again(directory: RunDirectory, writer: EventWriter) -> None:
    for event in story(4):
        writer.append(event)
    writer.flush()
    add_telemetry(writer)
    run = load_run(directory.path)
    assert run.decisions.height == 4
    writer.rewind(len(lines([opened(), *decision(1)])))
    for event in decision(2, choice=0):
        writer.append(event)
    assert writer.settle()
    assert run.refresh() == 9
    assert run.generation == 1
    assert run.decisions["choice"].to_list() == [1, 0]
    assert run.timings.height == 1


@pytest.mark.parametrize(
    "spoil",
    [lambda events: [opened(), decision(1)[-1]], lambda events: [*events[:4], *events[5:4:-1], *events[4:]]],
    ids=["outcome without decision", "outcome twice"],
)
def test_events_that_do_not_follow_are_damage(tmp_path: Path, spoil) -> None:
    events = spoil([opened(), *decision(1), decision(1)[-1], decision(1)[-1]])
    path = write_run(tmp_path / "run", events).path
    with pytest.raises(RecordError, match=r"Expected an event in line \d of"):
        load_run(path)
    run = load_run(path, damaged="keep")
    assert run.status == "damaged"
    assert run.opened == opened()
    assert run.refresh() == 0


def test_a_value_of_another_type_is_named() -> None:
    frame = GrowingFrame("steps")
    frame.append({"step": 1, "loss": "much"})
    with pytest.raises(RecordError, match=r"Expected float values in column loss of steps \(training loss"):
        _ = frame.frame


def test_whole_numbers_in_a_column_of_numbers() -> None:
    frame = GrowingFrame("steps")
    frame.append({"step": 1, "loss": 2, "perplexity": 1.5})
    frame.append({"step": 2, "loss": 2.5, "perplexity": 3})
    assert frame.frame["loss"].to_list() == [2.0, 2.5]
    assert frame.frame["perplexity"].to_list() == [1.5, 3.0]


def test_unknown_table(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path / "run", []).path)
    with pytest.raises(RecordError, match="Expected a table out of steps, decisions"):
        run.table("losses")


@pytest.mark.parametrize("events", [[], story(4)], ids=["empty", "four"])
def test_export(tmp_path: Path, events: list) -> None:
    run = load_run(write_run(tmp_path / "run", events).path)
    files = run.export(tmp_path / "a" / "b")
    assert files == [tmp_path / "a" / "b" / f"{table}.parquet" for table in TABLES]
    for table, file in zip(TABLES, files, strict=True):
        assert pl.read_parquet(file).equals(run.table(table))
        assert pl.read_parquet(file).schema == run.table(table).schema
    files = run.export(tmp_path / "a", format="csv")
    files = run.export(tmp_path / "a", format="csv")  # replaces
    for table, file in zip(TABLES, files, strict=True):
        assert file.read_text().splitlines()[0] == ",".join(ALL_COLUMNS[table])
        assert pl.read_csv(io.BytesIO(file.read_bytes()), schema=run.table(table).schema).equals(run.table(table))
    assert sorted(path.suffix for path in (tmp_path / "a").iterdir()) == ["", *[".csv"] * len(TABLES)]


def test_export_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run: Run = load_run(write_run(tmp_path / "run", []).path)
    with pytest.raises(RecordError, match="Expected a format out of parquet, csv, but got 'xlsx'"):
        run.export(tmp_path / "out", format="xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="is a file"):
        run.export(tmp_path / "file")
    with pytest.raises(StorageError, match="is a file, not a folder"):
        run.export(tmp_path / "file" / "out")
    monkeypatch.setattr(output, "write_atomically", _full)
    with pytest.raises(StorageError):
        run.export(tmp_path / "out")


def _full(path: Path, *_: bytes) -> None:
    raise StorageError(f"Expected to write {path}, but the disk is full.", "Free some space.")


@pytest.mark.parametrize(
    ("modules", "without"),
    [
        ("directory log.writer state.checkpoints log.recovery io.store log.cursor runs", "torch polars"),
        ("log.reader export log.frames", "torch"),
    ],
)
def test_what_is_not_imported(modules: str, without: str) -> None:
    names = ", ".join(f"layertie_lab.records.{name}" for name in modules.split())
    code = f"import sys, {names}; sys.exit(bool(set(sys.modules) & set({without.split()!r})))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
