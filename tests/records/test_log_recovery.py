"""Resuming: repeating the tail of a log, replacing it, and repairing damage."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from made_up_runs import decision, lines, story, write_run

from layertie_lab.core.errors import RecordError, StorageError
from layertie_lab.core.events import DecisionFinished, DecisionMade, Event
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.log import recovery
from layertie_lab.records.log.cursor import EventCursor
from layertie_lab.records.log.reader import load_run
from layertie_lab.records.log.recovery import first_damage, read_tail, repair, replace_tail
from layertie_lab.records.log.writer import EventWriter

EVENTS = story(6)
KEPT = 9
PLACE = len(lines(EVENTS[:KEPT]))


def outcomes(events: list[Event]) -> int:
    return sum(isinstance(event, DecisionFinished) for event in events)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return write_run(tmp_path / "parent", EVENTS)


@pytest.mark.parametrize(
    ("offset", "expected"), [(PLACE + 1, "is inside one"), (10_000_000, "at least 10,000,000 bytes")]
)
def test_a_place_that_is_none(run: RunDirectory, offset: int, expected: str) -> None:
    with pytest.raises(RecordError, match=expected) as caught:
        read_tail(run, offset)
    assert caught.value.remedy
    with pytest.raises(RecordError, match=expected):
        replace_tail(run.events, offset, b"")


def test_rewind_and_the_same_again_leaves_the_file_alone(run: RunDirectory) -> None:
    cursor = EventCursor(run.path)
    cursor.read_new()
    before = os.stat(run.events)
    writer = EventWriter(run)
    tail = writer.rewind(PLACE)
    assert tail == EVENTS[KEPT:]
    assert writer.rewound
    assert writer.position == (PLACE, KEPT)
    more = decision(7)
    for event in [*tail, *more]:
        writer.append(event)
        writer.flush()
        assert run.events.read_bytes() == lines(EVENTS)  # the old log is intact until it is settled
    assert writer.position == (len(lines([*EVENTS, *more])), len(EVENTS) + 4)
    assert writer.settle() is False
    assert writer.settle() is False  # harmless
    assert writer.position == (len(lines([*EVENTS, *more])), len(EVENTS) + 4)
    writer.append(decision(8)[0])
    writer.close()
    assert run.events.read_bytes() == lines([*EVENTS, *more, decision(8)[0]])
    assert os.stat(run.events).st_ino == before.st_ino
    assert cursor.read_new() == [*more, decision(8)[0]]
    assert cursor.generation == 0


def test_rewind_and_something_else_replaces_the_tail(run: RunDirectory) -> None:
    cursor = EventCursor(run.path)
    cursor.read_new()
    writer = EventWriter(run)
    writer.rewind(PLACE)
    other = decision(40)
    for event in other:
        writer.append(event)
    assert writer.settle() is True
    assert writer.position == (len(lines([*EVENTS[:KEPT], *other])), KEPT + len(other))
    writer.append(decision(41)[0])
    writer.close()
    assert cursor.read_new() == [*EVENTS[:KEPT], *other, decision(41)[0]]
    assert cursor.generation == 1
    assert not list(run.path.glob(".*"))


def test_closing_before_settling_keeps_the_old_log(run: RunDirectory) -> None:
    writer = EventWriter(run)
    writer.rewind(PLACE)
    writer.append(decision(40)[0])
    writer.close()
    assert run.events.read_bytes() == lines(EVENTS)


@pytest.mark.parametrize("tail", [decision(40), [*EVENTS[KEPT:], *decision(7)]], ids=["other", "longer"])
def test_a_full_disk_while_settling_keeps_the_old_log_and_the_new_events(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, tail: list
) -> None:
    writer = EventWriter(run)
    writer.rewind(PLACE)
    for event in tail:
        writer.append(event)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(recovery.os, "fsync", full)
        with pytest.raises(StorageError, match="the disk is full"):
            writer.settle()
    assert run.events.read_bytes() == lines(EVENTS)
    assert not list(run.path.glob(".*"))
    writer.settle()
    writer.close()
    assert run.events.read_bytes() == lines([*EVENTS[:KEPT], *tail])


def test_replace_tail_cuts_a_torn_line(run: RunDirectory) -> None:
    run.events.write_bytes(lines(EVENTS) + b'{"event"')
    assert replace_tail(run.events, PLACE, lines([*EVENTS, *decision(7)])[PLACE:]) is False
    assert run.events.read_bytes() == lines([*EVENTS, *decision(7)])


@pytest.mark.parametrize("links", [True, False])
def test_repair_cuts_before_the_damage_and_keeps_a_copy(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.delattr(recovery.os, "link")
        monkeypatch.setattr(recovery.os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links")), raising=False)
    assert repair(run.path) is None
    broken = lines(EVENTS[:KEPT]) + b"\0\0\0\n" + lines(EVENTS[KEPT:]) + b"torn"
    for number in (1, 2):
        run.events.write_bytes(broken)
        assert first_damage(run.events) == KEPT + 1
        found = repair(run.path)
        assert found is not None
        assert found.copy.name == f"events.jsonl.damaged-{number}"
        assert found.copy.read_bytes() == broken
        assert (found.line, found.lost) == (KEPT + 1, len(EVENTS) - KEPT + 1)
        assert (found.decisions, found.before) == (outcomes(EVENTS[:KEPT]), outcomes(EVENTS))
        assert first_damage(run.events) is None
        assert run.events.read_bytes() == lines(EVENTS[:KEPT])
    assert not run.running
    EventWriter(run).close()


def test_repair_cuts_where_a_line_does_not_follow_from_those_before_it(run: RunDirectory) -> None:
    """As where somebody has taken lines out: each can be read, and the whole cannot be loaded."""
    gap = next(i for i, event in enumerate(EVENTS) if isinstance(event, DecisionMade))
    outcome = next(i for i, event in enumerate(EVENTS) if isinstance(event, DecisionFinished))
    run.events.write_bytes(b"".join(event.to_json().encode() + b"\n" for event in [*EVENTS[:gap], *EVENTS[gap + 1 :]]))
    with pytest.raises(RecordError, match=f"line {outcome} of .* layertie repair {run.path}"):
        load_run(run.path)
    found = repair(run.path)
    assert found is not None
    assert found.line == outcome
    assert load_run(run.path).steps.height == outcome - gap - 1


def test_repair_leaves_a_log_alone_of_which_nothing_would_be_left(run: RunDirectory) -> None:
    run.events.write_bytes(b"\0\n" + lines(EVENTS))
    with pytest.raises(RecordError, match="Restore the log from a copy"):
        repair(run.path)
    assert run.events.read_bytes() == b"\0\n" + lines(EVENTS)
    assert not run.running


def test_repair_refuses_while_the_run_is_written(run: RunDirectory) -> None:
    writer = EventWriter(run)
    with pytest.raises(RecordError, match="to be the only writer"):
        repair(run.path)
    writer.close()
