"""A run is gone on with on the log that its checkpoint rests on, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from branching import small

from layertie_lab import Session
from layertie_lab.core.errors import RecordError
from layertie_lab.records.log.recovery import repair

Harm = Callable[[list[bytes]], list[bytes]]


@pytest.fixture(scope="module")
def whole(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "run"
    with Session(small(text_file, decisions=6), path) as session:
        session.run(4)
    return path


def changed(lines: list[bytes]) -> list[bytes]:
    line = lines[3].replace(b'"loss":', b'"loss":1')
    return [*lines[:3], line, *lines[4:]]


HARMS: dict[str, Harm] = {
    "a number changed": changed,
    "a line zeroed": lambda lines: [*lines[:3], bytes(len(lines[3]) - 1) + b"\n", *lines[4:]],
    "a line left out": lambda lines: [*lines[:5], *lines[6:]],
    "backwards": lambda lines: lines[::-1],
    "two exchanged": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "the end cut off": lambda lines: lines[: len(lines) // 2],
    "nothing left but the first": lambda lines: lines[:1],
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_log_is_refused_before_anything_is_trained(whole: Path, tmp_path: Path, harm: str) -> None:
    shutil.copytree(whole, tmp_path / "run")
    log = tmp_path / "run" / "events.jsonl"
    good = log.read_bytes()
    log.write_bytes(b"".join(HARMS[harm](good.splitlines(keepends=True))))
    bad = log.read_bytes()
    with pytest.raises(RecordError, match=r"events\.jsonl|log") as caught:
        Session.resume(tmp_path / "run")
    assert "layertie repair" in str(caught.value)
    assert log.read_bytes() == bad, "nothing was written to it"
    log.write_bytes(good)
    with Session.resume(tmp_path / "run") as session:
        assert session.decision == 4


def test_a_repaired_log_goes_on(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    log = tmp_path / "run" / "events.jsonl"
    good = log.read_bytes()
    log.write_bytes(b"".join(HARMS["the end cut off"](good.splitlines(keepends=True))))
    found = repair(tmp_path / "run")
    assert found is not None
    assert found.copy is None
    with Session.resume(tmp_path / "run") as session:
        assert session.decision < 4
        session.run(4 - session.decision)
    assert log.read_bytes() == good, "trained again, it comes out the same"


def test_another_runs_log_is_refused(whole: Path, text_file: Path, tmp_path: Path) -> None:
    """Also where it is whole in itself: of other settings, or of the same run gone on with otherwise."""
    shutil.copytree(whole, tmp_path / "run")
    with Session(small(text_file, decisions=6, seed=9), tmp_path / "other") as session:
        session.run(4)
    shutil.copyfile(tmp_path / "other" / "events.jsonl", tmp_path / "run" / "events.jsonl")
    with pytest.raises(RecordError, match="was begun with"):
        Session.resume(tmp_path / "run")
    with Session(small(text_file, decisions=6), tmp_path / "answered") as session:
        proposal = session.propose()
        session.commit(next(action for action in proposal.legal if action != proposal.choice), by="human")
        session.run(5)
    shutil.copyfile(tmp_path / "answered" / "events.jsonl", tmp_path / "run" / "events.jsonl")
    with pytest.raises(RecordError, match=r"but .*events\.jsonl is another one"):
        Session.resume(tmp_path / "run")
