"""Reading a log while it is written, cut, replaced or damaged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_runs import decision, lines, opened, story, write_run

from layertie_lab.core.errors import RecordError
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.log import cursor as cursor_module
from layertie_lab.records.log.cursor import EventCursor, LineCursor
from layertie_lab.records.log.reader import load_run
from layertie_lab.records.log.recovery import read_tail, replace_tail
from layertie_lab.records.log.writer import EventWriter

EVENTS = story(4, finished=True)
LOG = lines(EVENTS)
ENDS = [len(lines(EVENTS[:count])) for count in range(len(EVENTS) + 1)]
SHARED_FOLDER = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return write_run(tmp_path_factory.mktemp("cursor") / "run", EVENTS)


def whole(size: int) -> int:
    """How many whole lines the first `size` bytes hold."""
    return sum(end <= size for end in ENDS) - 1


@SHARED_FOLDER
@given(size=st.integers(0, len(LOG)))
def test_a_log_cut_at_any_byte_is_a_readable_prefix(run: RunDirectory, size: int) -> None:
    run.events.write_bytes(LOG[:size])
    expected = EVENTS[: whole(size)]
    assert EventCursor(run.events).read_new() == expected
    assert read_tail(run, 0) == expected
    read = load_run(run.path)
    assert read.damage == ""
    assert read.steps.height == sum(event.event == "stepped" for event in expected)
    writer = EventWriter(run)  # a resumed run goes on after the last whole line
    assert writer.position == (ENDS[whole(size)], whole(size))
    for event in EVENTS[whole(size) :]:
        writer.append(event)
    writer.close()
    assert run.events.read_bytes() == LOG


@SHARED_FOLDER
@given(sizes=st.lists(st.integers(0, len(LOG)), max_size=12), limit=st.sampled_from([None, 1, 100, 1_000]))
def test_growth_in_any_pieces_gives_each_event_once(run: RunDirectory, sizes: list[int], limit: int | None) -> None:
    run.events.unlink(missing_ok=True)
    cursor = EventCursor(run.events)
    assert cursor.read_new() == []
    seen, written = [], 0
    with open(run.events, "ab", buffering=0) as file:
        for size in [*sorted(sizes), len(LOG)]:
            file.write(LOG[written:size])
            written = size
            while new := cursor.read_new(limit):
                seen += new
            assert seen == EVENTS[: whole(size)]
            assert (cursor.line, cursor.offset, cursor.generation) == (len(seen), ENDS[len(seen)], 0)


@SHARED_FOLDER
@given(turns=st.lists(st.sampled_from(["append", "append", "append", "flush", "sync", "read", "reopen"]), max_size=60))
def test_writer_and_cursor_taking_turns(run: RunDirectory, turns: list[str]) -> None:
    run.events.unlink(missing_ok=True)
    writer, cursor, left, seen = EventWriter(run), EventCursor(run.path / "events.jsonl"), list(EVENTS), []
    for turn in turns:
        if turn == "append" and left:
            writer.append(left.pop(0))
        elif turn == "flush":
            writer.flush()
        elif turn == "sync":
            writer.sync()
        elif turn == "reopen":
            writer.close()
            writer = EventWriter(run)
        elif turn == "read":
            seen += cursor.read_new()
            assert seen == EVENTS[: len(seen)]
    for event in left:
        writer.append(event)
    writer.close()
    seen += cursor.read_new()
    assert seen == EVENTS


@SHARED_FOLDER
@given(keep=st.integers(0, len(EVENTS)), other=st.integers(0, 3), read_first=st.integers(0, len(LOG)))
def test_a_replaced_tail_under_a_live_cursor(run: RunDirectory, keep: int, other: int, read_first: int) -> None:
    run.events.write_bytes(LOG)
    cursor = EventCursor(run.path)
    first = cursor.read_new(read_first) if read_first else []
    tail = [event for number in range(other) for event in decision(50 + number)]
    new = lines([*EVENTS[:keep], *tail])
    replaced = replace_tail(run.events, ENDS[keep], new[ENDS[keep] :])
    assert run.events.read_bytes() == new
    second: list = []
    while new := cursor.read_new():
        second += new
    expected = [*EVENTS[:keep], *tail]
    assert cursor.generation == (1 if replaced and first else 0)
    assert (second if cursor.generation else [*first, *second]) == expected


def test_a_cost_that_follows_the_new_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    costs = {}
    for size in (10, 10_000):
        path.write_bytes(lines([decision(1)[1]]) * size)
        cursor = LineCursor(path)
        assert len(cursor.read_lines()) == size
        with open(path, "ab") as file:
            file.write(b"{}\n" * 7)
        counted = _CountedReads(os.read)
        with monkeypatch.context() as patch:
            patch.setattr(cursor_module.os, "read", counted)
            assert cursor.read_lines() == [b"{}"] * 7
        costs[size] = counted.bytes
    assert costs[10] == costs[10_000] < 200


class _CountedReads:
    def __init__(self, read) -> None:
        self.read, self.bytes = read, 0

    def __call__(self, descriptor: int, count: int) -> bytes:
        data = self.read(descriptor, count)
        self.bytes += len(data)
        return data


def test_two_replacements_that_use_a_file_number_again_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(LOG)
    cursor = EventCursor(path)
    assert cursor.read_new() == EVENTS
    other = lines([opened(), *decision(3), *decision(4), *decision(5), *decision(6), *decision(7), *decision(8)])
    assert len(other) > len(LOG)
    path.write_bytes(other)  # the same file number
    assert len(cursor.read_new()) == other.count(b"\n")
    assert cursor.generation == 1


def damage(index: int, line: bytes) -> bytes:
    pieces = LOG.splitlines(keepends=True)
    pieces[index] = line
    return b"".join(pieces)


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b'{"event":"stepped","st', b'{"event":"new"}', b"\xff\xfe\0", b"[]", b'{"event":"stepped","step":1}'],
)
@pytest.mark.parametrize("index", [0, 5, len(EVENTS) - 1])
def test_a_damaged_line_is_named_after_the_events_before_it(run: RunDirectory, line: bytes, index: int) -> None:
    run.events.write_bytes(damage(index, line + b"\n"))
    cursor = EventCursor(run.path)
    sentence = rf"Expected an event in line {index + 1} of .*events\.jsonl, but the line is damaged"
    if index:
        assert cursor.read_new() == EVENTS[:index]
    for _ in range(2):
        with pytest.raises(RecordError, match=sentence):
            cursor.read_new()
    with pytest.raises(RecordError, match=sentence):
        read_tail(run, 0)
    with pytest.raises(RecordError, match=sentence):
        load_run(run.path)
    kept = load_run(run.path, damaged="keep")
    assert kept.status == "damaged"
    assert f"line {index + 1}" in kept.damage
    assert kept.notes[0] == kept.damage
    assert kept.steps.height == sum(event.event == "stepped" for event in EVENTS[:index])
    run.events.unlink()
    run.events.write_bytes(LOG)
    if index:
        assert cursor.read_new() == EVENTS
        assert cursor.generation == 1
        assert kept.refresh() == len(EVENTS)
        assert kept.damage == ""


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").mkdir()
    with pytest.raises(RecordError, match="Expected to read"):
        EventCursor(tmp_path / "events.jsonl" / "events.jsonl").read_new() or LineCursor(
            tmp_path / "events.jsonl"
        ).read_lines()
