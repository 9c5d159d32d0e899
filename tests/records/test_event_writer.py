"""The event log: nothing is lost, and it is valid at every moment."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_runs import decision, lines, opened, story, write_run

from layertie_lab.core.errors import RecordError, StorageError
from layertie_lab.core.events import Stepped
from layertie_lab.core.notices import Timing
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.io.lines import LineFile
from layertie_lab.records.log.cursor import EventCursor
from layertie_lab.records.log.writer import EventWriter


def read(directory: RunDirectory):
    return EventCursor(directory.path).read_new()


def test_events_are_on_disk_after_flush_and_not_before(directory: RunDirectory, writer: EventWriter) -> None:
    events = story(3)
    for event in events:
        writer.append(event)
    assert directory.events.read_bytes() == b""
    assert writer.position == (len(lines(events)), len(events))
    writer.flush()
    assert directory.events.read_bytes() == lines(events)
    assert writer.position == (len(lines(events)), len(events))


def test_one_write_per_flush(writer: EventWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _Disk(writer._events._file, room=1 << 30)
    monkeypatch.setattr(writer._events, "_file", file)
    for event in story(50):
        writer.append(event)
    writer.flush()
    writer.flush()
    assert file.writes == 1


@pytest.mark.parametrize("torn", [b"", b"{", b'{"event":"stepped","step":1', b"\0" * 700])
def test_a_torn_last_line_is_cut_when_writing_goes_on(tmp_path: Path, torn: bytes) -> None:
    directory = write_run(tmp_path / "run", story(2))
    for path in (directory.events, directory.telemetry):
        path.write_bytes(path.read_bytes() + torn)
    writer = EventWriter(directory)
    assert writer.position == (len(lines(story(2))), len(story(2)))
    writer.append(Stepped(5, 3, 1.0, 1e-3, 1.0))
    writer.close()
    assert read(directory) == [*story(2), Stepped(5, 3, 1.0, 1e-3, 1.0)]
    assert all(json.loads(line) for line in directory.telemetry.read_bytes().splitlines())


def test_numbers_that_are_not_finite_are_refused_and_named(writer: EventWriter) -> None:
    with pytest.raises(RecordError, match=r"finite numbers in a stepped event, but got {'loss': nan}"):
        writer.append(Stepped(1, 1, float("nan"), 1e-3, 1.0))
    assert writer.position == (0, 0)


def test_telemetry_has_kind_and_time_and_no_numbers_that_json_lacks(
    directory: RunDirectory, writer: EventWriter
) -> None:
    notice = Timing(3, 9, float("inf"), float("nan"), 0.5, 7, 0)
    writer.telemetry(notice)
    writer.flush()
    entry = json.loads(directory.telemetry.read_text())
    assert len(entry.pop("digest")) == 16
    assert entry == notice.to_dict() | {"seconds": None, "training_seconds": None}
    assert list(entry)[:4] == ["kind", "time", "decision", "step"]


class _Disk:
    """A file on a disk with room for so many more bytes."""

    def __init__(self, file, room: int, number: int = errno.ENOSPC) -> None:
        self.file, self.room, self.number, self.writes = file, room, number, 0

    def write(self, data) -> int:
        self.writes += 1
        if not self.room:
            raise OSError(self.number, os.strerror(self.number))
        count = self.file.write(data[: self.room])
        self.room -= count
        return count

    def __getattr__(self, name: str):
        return getattr(self.file, name)


@pytest.mark.parametrize("room", [0, 1, 100, 433, 900])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_full_disk_loses_nothing_and_leaves_the_log_valid(
    directory: RunDirectory, writer: EventWriter, monkeypatch: pytest.MonkeyPatch, room: int, number: int
) -> None:
    cursor = EventCursor(directory.path)
    seen = []
    writer.append(opened())
    writer.flush()
    disk = _Disk(writer._events._file, room, number)
    monkeypatch.setattr(writer._events, "_file", disk)
    for event in (*decision(1), *decision(2)):
        writer.append(event)
    end = writer.position
    for _ in range(2):
        with pytest.raises(StorageError, match=r"events.jsonl.*then go on, or resume the run"):
            writer.flush()
        assert directory.events.read_bytes().endswith(b"\n")
        assert writer.position == end
        seen += cursor.read_new()
    disk.room = 1 << 30
    writer.flush()
    seen += cursor.read_new()
    assert seen == [opened(), *decision(1), *decision(2)]
    assert cursor.generation == 0
    assert writer.position == end


class _Interrupted(_Disk):
    """A file whose write comes back by Ctrl-C: some bytes are written, and nobody is told how many."""

    def write(self, data) -> int:
        if self.room:
            self.file.write(data[: self.room])
            self.room = 0
            raise KeyboardInterrupt
        return self.file.write(data)


@pytest.mark.parametrize("room", [1, 100, 433, 1 << 20])
def test_ctrl_c_during_a_write_neither_loses_nor_repeats(
    directory: RunDirectory, writer: EventWriter, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(writer._events, "_file", _Interrupted(writer._events._file, room))
    for event in story(3):
        writer.append(event)
    with pytest.raises(KeyboardInterrupt):
        writer.flush()
    assert directory.events.read_bytes() == lines(read(directory))
    writer.flush()
    assert read(directory) == story(3)
    assert writer.position == (len(lines(story(3))), len(story(3)))


def test_an_event_written_at_once_is_there_or_was_never_given(
    directory: RunDirectory, writer: EventWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append(opened())
    writer.flush()
    disk = _Disk(writer._events._file, room=20)
    monkeypatch.setattr(writer._events, "_file", disk)
    with pytest.raises(StorageError):
        writer.write(decision(1)[0])
    disk.room = 1 << 30
    writer.flush()
    assert read(directory) == [opened()]
    writer.write(decision(1)[0])
    assert read(directory) == [opened(), decision(1)[0]]


@pytest.mark.skipif(os.name == "nt", reason="needs file size limits")
def test_a_real_limit_on_the_file_size(tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = LineFile(tmp_path / "log")
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
        for number in range(30):
            file.append(b"%049d\n" % number)
        with pytest.raises(StorageError, match="larger than the system allows"):
            file.flush()
        assert (tmp_path / "log").stat().st_size == 1_000
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    file.close()
    assert [int(line) for line in (tmp_path / "log").read_bytes().splitlines()] == list(range(30))


def test_closing_twice_and_writing_after(directory: RunDirectory, writer: EventWriter) -> None:
    writer.append(opened())
    writer.close("closed")
    writer.close("closed")
    assert read(directory) == [opened()]
    assert json.loads(directory.telemetry.read_text())["reason"] == "closed"
    with pytest.raises(RecordError, match="the lock is not held"):
        writer.flush()


def test_kill_9_loses_at_most_the_decision_under_way(tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from made_up_runs import *
writer = EventWriter(RunDirectory.create(sys.argv[1], RunConfig.preset("tiny")))
writer.append(opened())
for number in range(1, 1_000_000):
    for event in decision(number):
        writer.append(event)
    writer.flush()
    print(number, flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child:
        for _ in range(200):
            child.stdout.readline()
        child.kill()
        told = [int(number) for number in child.stdout.read().split()[:-1]]
    directory = RunDirectory.open(tmp_path / "run")
    writer = EventWriter(directory)  # neither the lock nor a torn line is in the way
    events = read(directory)
    writer.close()
    done = max(event.decision for event in events if event.event == "came")
    assert done >= max(told, default=200)
    assert events[: 1 + 4 * done] == [opened(), *(event for n in range(1, done + 1) for event in decision(n))]
