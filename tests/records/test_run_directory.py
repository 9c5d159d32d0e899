"""Run folders: what may become one, what counts as one, and that each has one writer."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import RecordError, StorageError
from layertie_lab.records.directory import FORMAT, RunDirectory
from layertie_lab.records.io import disk
from layertie_lab.records.log.writer import EventWriter

CONFIG = RunConfig.preset("tiny", seed=7)


def test_settings_come_back(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "a" / "run", CONFIG).unlock()
    assert RunDirectory.open(tmp_path / "a" / "run").config == CONFIG


def test_equal_runs_have_equal_settings_files(tmp_path: Path) -> None:
    directories = [RunDirectory.create(tmp_path / name, CONFIG) for name in ("a", "b")]
    assert len({directory.config_file.read_bytes() for directory in directories}) == 1
    for directory in directories:
        directory.unlock()


def test_other_settings_replace_the_old_in_one_step(directory: RunDirectory) -> None:
    directory.replace_config(CONFIG.replace(decisions=99))
    assert RunDirectory.open(directory.path).config.decisions == 99
    assert not list(directory.path.glob(".*"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"config.json": "{}"}, "already holds a run. Resume that run, or choose another folder."),
        ({"notes.txt": "mine"}, "holds notes.txt. Choose another folder."),
        ({"a.txt": "", "b.txt": "", "c.txt": ""}, "holds a.txt and 2 more."),
    ],
)
def test_create_refuses_what_is_not_empty(tmp_path: Path, content: dict[str, str], expected: str) -> None:
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(RecordError) as caught:
        RunDirectory.create(tmp_path, CONFIG)
    assert expected in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == set(content)


def test_create_refuses_a_file_and_takes_hidden_files(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_text("")
    (tmp_path / "writer.lock").write_text("")  # left by an attempt on a full disk
    RunDirectory.create(tmp_path, CONFIG).unlock()
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="is a file"):
        RunDirectory.create(tmp_path / "file", CONFIG)
    with pytest.raises(StorageError, match="is a file, not a folder"):
        RunDirectory.create(tmp_path / "file" / "run", CONFIG)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "has no config.json"),
        ("", "is damaged"),
        ('{"format": 1, "config": {', "is damaged"),
        ("[]", "is damaged"),
        ('{"config": {}}', "is damaged"),
        ('{"format": "1", "config": {}}', "is damaged"),
        ('{"format": 1}', 'Expected settings under "config"'),
        (f'{{"format": {FORMAT + 1}, "x": 0}}', f"has format {FORMAT + 1}. It was written by a newer version"),
        ('{"format": 1, "config": {"depth": 3}}', "settings that this version knows, but got depth"),
        ('{"format": 1, "config": {"decisions": 0}}', "Expected decisions to be between 1 and 10_000_000, but got 0"),
        ('{"format": 1, "config": 3}', "to be a JSON object"),
    ],
)  # fmt: skip
def test_open_says_what_is_wrong(tmp_path: Path, text: str | None, expected: str) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(RecordError) as caught:
        RunDirectory.open(tmp_path)
    assert expected in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["missing", "file", "file/run"])
def test_open_says_that_there_is_no_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"does not exist|has no config.json"):
        RunDirectory.open(tmp_path / name)


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "permission is denied"),
     (errno.EIO, "Input/output error")],
)  # fmt: skip
def test_a_refusing_disk_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(disk.os, "fsync", refuse)
    with pytest.raises(StorageError, match=reason) as caught:
        RunDirectory.create(tmp_path / "run", CONFIG)
    assert str(tmp_path / "run") in caught.value.message
    monkeypatch.undo()
    RunDirectory.create(tmp_path / "run", CONFIG).unlock()  # the failed attempt is not in the way


def test_one_writer(directory: RunDirectory) -> None:
    assert directory.locked
    directory.lock()  # harmless
    assert directory.running
    other = RunDirectory.open(directory.path)
    with pytest.raises(RecordError, match=rf"but this process \({os.getpid()}\) is writing it\. Close the session"):
        EventWriter(other)
    directory.unlock()
    assert not directory.running
    EventWriter(other).close()
    assert not other.running


def test_a_killed_writer_does_not_block(tmp_path: Path) -> None:
    code = (
        "import sys, time; from layertie_lab.core.config import RunConfig\n"
        "from layertie_lab.records.directory import RunDirectory\n"
        "d = RunDirectory.create(sys.argv[1], RunConfig.preset('tiny')); print('ready', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "ready\n"
        directory = RunDirectory.open(tmp_path / "run")
        assert directory.running
        with pytest.raises(RecordError, match=f"but process {child.pid} is writing it"):
            directory.lock()
        child.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        child.wait()
    assert not directory.running
    directory.lock()
    directory.unlock()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_neither_holds_the_lock_nor_writes(directory: RunDirectory) -> None:
    writer = EventWriter(directory)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_forked, args=(writer, theirs))
    child.start()
    assert ours.recv() == (False, "RecordError")
    writer.close()
    assert not directory.running  # though the child still lives
    ours.send("end")
    child.join()


def _forked(writer: EventWriter, pipe) -> None:
    try:
        writer.flush()
    except Exception as error:
        pipe.send((writer.directory.locked, type(error).__name__))
    pipe.recv()
