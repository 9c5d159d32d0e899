"""A disk that refuses: the answer under way is not half in force, and the run goes on once there is room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from layertie_lab import RunConfig, Session
from layertie_lab.core.errors import StorageError
from layertie_lab.core.events import Event
from layertie_lab.records.log.cursor import EventCursor

CHILD = """
import json, resource, sys
from layertie_lab import RunConfig, Session
from layertie_lab.core.errors import StorageError
session = Session(RunConfig.from_dict(json.loads(sys.argv[2])), sys.argv[1])
session.run(2)
size = (session.directory / "events.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 700, resource.RLIM_INFINITY))
try:
    session.run()
except StorageError as error:
    print(error)
    refused = session.decision, session.phase
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    session.run()
    print(json.dumps([refused, session.decision]))
session.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk_stops_the_run_and_nothing_is_lost(text_file: Path, tmp_path: Path) -> None:
    config = RunConfig.preset(
        "tiny",
        corpus=str(text_file),
        layers=3,
        width=16,
        context=16,
        batch_size=4,
        decisions=8,
        threads=1,
        checkpoint_seconds=1e6,
    )
    with Session(config, tmp_path / "whole") as whole:
        whole.run()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "full"), json.dumps(config.to_dict())],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    sentence, figures = done.stdout.splitlines()
    assert "Expected to write" in sentence
    assert json.loads(figures)[1] == 8
    assert (tmp_path / "full/events.jsonl").read_bytes() == (tmp_path / "whole/events.jsonl").read_bytes()


def test_an_answer_that_cannot_be_recorded_is_not_in_force(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(RunConfig.preset("tiny", corpus=str(text_file), layers=3, decisions=3), tmp_path / "run")
    before = (session.ties, session.phase, session.decision)
    log = (tmp_path / "run/events.jsonl").read_bytes()

    def refuse(event: object) -> None:
        raise StorageError("Expected to write the log, but the disk is full.", "Free some space.")

    with monkeypatch.context() as patch:
        patch.setattr(session.recorder, "write_now", refuse)
        with pytest.raises(StorageError):
            session.commit(1)
    assert (session.ties, session.phase, session.decision) == before
    assert (tmp_path / "run/events.jsonl").read_bytes() == log
    session.commit(1)
    assert session.decision == 1
    session.close()


def test_what_is_told_stands_in_the_log(text_file: Path, tmp_path: Path) -> None:
    with Session(RunConfig.preset("tiny", corpus=str(text_file), layers=3, decisions=3), tmp_path / "run") as session:
        cursor = EventCursor(tmp_path / "run")
        begun, told, missing = cursor.read_new(), list[Event](), list[Event]()

        def watch(entry: object) -> None:
            if isinstance(entry, Event):
                told.append(entry)
                begun.extend(cursor.read_new())
                missing.extend([] if begun[-1] == entry else [entry])

        session.subscribe(watch)
        session.run()
    assert len(told) > 9
    assert not missing
