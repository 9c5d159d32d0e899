"""What a person calls a run: kept beside it, bounded, and never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from layertie_lab import RunConfig
from layertie_lab.core.errors import RecordError
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.labels import LONGEST_REMARK, LONGEST_TITLE, Label, read_label, write_label
from layertie_lab.records.runs import summarize


@pytest.fixture
def run(tmp_path: Path) -> Path:
    RunDirectory.create(tmp_path / "run", RunConfig.preset("tiny")).unlock()
    return tmp_path / "run"


def test_a_label_is_read_as_it_was_written(run: Path) -> None:
    assert read_label(run) == Label()
    assert write_label(run, Label("  The  one\nfor class ", "a\nb ")) == Label("The one for class", "a\nb")
    assert read_label(run) == Label("The one for class", "a\nb")
    assert (summarize(run).title, summarize(run).remark) == ("The one for class", "a\nb")


def test_it_can_be_given_while_somebody_writes_the_run(run: Path) -> None:
    directory = RunDirectory.open(run)
    directory.lock()
    write_label(run, Label("held"))
    assert summarize(run).title == "held"
    directory.unlock()


@pytest.mark.parametrize("label", [Label("x" * (LONGEST_TITLE + 1)), Label("", "x" * (LONGEST_REMARK + 1))])
def test_too_many_words_leave_the_old_ones(run: Path, label: Label) -> None:
    write_label(run, Label("old"))
    with pytest.raises(RecordError, match="at most"):
        write_label(run, label)
    assert read_label(run) == Label("old")


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"title": 1, "remark": ""}', b"\xff", b'{"title": "a", "remark": ""}']
)
def test_a_damaged_label_is_named_and_the_run_is_whole(run: Path, damage: bytes) -> None:
    before = summarize(run)
    (run / "label.json").write_bytes(damage)
    with pytest.raises(RecordError, match=r"label\.json"):
        read_label(run)
    after = summarize(run)
    assert (after.status, after.note, after.title) == (before.status, before.note, "")
    assert "label.json" in after.remark


def test_no_run_no_label(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="none"):
        write_label(tmp_path / "nothing", Label("a"))
