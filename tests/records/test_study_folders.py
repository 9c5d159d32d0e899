"""Studies on disk: what a kill tears, what an edit breaks, and what is shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from layertie_lab import RunConfig, Session
from layertie_lab.core.errors import RecordError, StorageError
from layertie_lab.records import studies as records
from layertie_lab.records.studies import StudyFolder, in_order
from layertie_lab.records.tree import stored_moments


@pytest.fixture
def run(text_file: Path, tmp_path: Path) -> Path:
    config = RunConfig.preset("tiny", corpus=str(text_file), layers=3, width=16, context=16, batch_size=4, decisions=8)
    with Session(config, tmp_path / "run") as session:
        session.run(2)
    return tmp_path / "run"


def state(run: Path, **changes: Any) -> StudyFolder:
    config = records.RunDirectory.open(run).config
    moment = stored_moments(run)[3]
    stated = {"decision": 3, "config_hash": config.hash, "primary": True, "replicates": 4, "first_replicate": 1}
    return StudyFolder.state(run, stated | changes, moment)


def line(number: int) -> dict[str, Any]:
    return {"replicate": number, "seconds": 1.0}


def test_a_torn_last_line_does_not_count_and_does_not_spoil_the_next(run: Path) -> None:
    folder = state(run)
    folder.append(line(2))
    file = folder.path / "replicates.jsonl"
    file.write_bytes(file.read_bytes() + b'{"replicate": 1, "sec')
    assert folder.replicates() == [line(2)]
    folder.append(line(1))
    folder.append(line(99))  # not one of its numbers
    folder.append(line(1) | {"seconds": 5.0})  # the first one counts
    assert folder.replicates() == [line(1), line(2)]


def test_a_verdict_takes_them_in_order_without_a_gap(run: Path) -> None:
    numbers = state(run).numbers
    assert numbers == range(1, 5)
    assert [v["replicate"] for v in in_order([line(4), line(2), line(1)], numbers)] == [1, 2]
    assert in_order([line(2)], numbers) == []


def test_the_moment_is_shared_and_outlives_its_checkpoint(run: Path) -> None:
    folder, moment = state(run), stored_moments(run)[3]
    assert (folder.path / "moment.safetensors").samefile(moment.path)
    moment.path.unlink()
    assert StudyFolder.open(folder.path).moment()[1]["decision"] == 2
    (folder.path / "moment.safetensors").unlink()
    with pytest.raises(RecordError, match="but it is missing"):
        folder.moment()


def test_a_register_torn_by_a_kill_keeps_the_studies_and_takes_the_next(run: Path) -> None:
    first, register = state(run), run / "studies" / "register.jsonl"
    register.write_bytes(register.read_bytes() + b'{"time":"2026-')
    second = state(run)
    assert (
        [study.name for study in StudyFolder.all_of(run)[0]] == [first.name, second.name] == ["study-001", "study-002"]
    )
    assert second.statement["first_replicate"] == 5
    lines = [json.loads(text) for text in register.read_text().splitlines()]
    assert [entry["name"] for entry in lines] == ["study-001", "study-002"]
    assert lines[0]["previous"] == ""


@pytest.mark.parametrize("harm", ["edited line", "removed line", "removed register"])
def test_a_register_that_was_changed_is_found_out(run: Path, harm: str) -> None:
    folders, register = [state(run), state(run)], run / "studies" / "register.jsonl"
    lines = register.read_bytes().splitlines(keepends=True)
    if harm == "removed register":
        register.unlink()
    else:
        register.write_bytes((lines[0].replace(b'"hash":"', b'"hash":"0') if harm == "edited line" else b"") + lines[1])
    found, damaged = StudyFolder.all_of(run)
    assert found == []
    assert len(damaged) == len(folders)
    assert all("changed afterwards" in sentence for sentence in damaged)


def test_the_list_says_what_is_damaged_and_passes_over_what_was_never_stated(run: Path) -> None:
    state(run)
    bad, started = state(run), run / "studies" / "study-007"
    started.mkdir()
    (bad.path / "statement.json").chmod(0o644)
    (bad.path / "statement.json").write_bytes(b"{")
    found, damaged = StudyFolder.all_of(run)
    assert [study.name for study in found] == ["study-001"]
    assert len(damaged) == 1
    assert "cannot be read" in damaged[0]
    assert state(run).name == "study-008"
    with pytest.raises(RecordError, match=r"there is no statement\.json"):
        StudyFolder.open(started)


@pytest.mark.parametrize("changes", [{"replicates": "4"}, {"primary": 1}, {"decision": None}])
def test_what_is_no_statement_is_refused_and_leaves_nothing(run: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match=f"Expected {next(iter(changes))} of a study to be of kind"):
        state(run, **changes)
    assert not (run / "studies").exists()


def test_one_at_a_time_adds_replicates(run: Path) -> None:
    folder = state(run)
    lock = folder.lock()
    assert folder.running
    with pytest.raises(RecordError):
        folder.lock()
    lock.release()
    assert not folder.running


def test_without_room_nothing_is_stated(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(StorageError, match="MB of room"):
        state(run)
    assert StudyFolder.all_of(run) == ([], [])
    assert not (run / "studies").exists()


def with_replicates(run: Path) -> StudyFolder:
    folder = state(run)
    for number in (1, 2, 3):
        folder.append(line(number) | {"loss": 2.5})
    return folder


def test_replicates_that_are_lost_are_named_and_come_again(run: Path) -> None:
    folder = with_replicates(run)
    file = folder.path / "replicates.jsonl"
    whole = file.read_bytes()
    for left in (whole.splitlines(keepends=True)[0], b""):
        file.write_bytes(left)
        with pytest.raises(RecordError, match=r"Expected the 3 replicates that have come"):
            folder.replicates()
        studies, damaged = StudyFolder.all_of(run)
        assert studies == []
        assert len(damaged) == 1
        assert damaged[0].startswith("study-001: Expected the 3 replicates")
    file.unlink()
    with pytest.raises(RecordError, match="but 0 are there"):
        folder.replicates()
    assert state(run).numbers[0] == 5, "its numbers are taken all the same"
    file.write_bytes(whole.splitlines(keepends=True)[0])
    (folder.path / "came.json").unlink()  # as the remedy says
    assert len(folder.replicates()) == 1
    for number in (2, 3):
        folder.append(line(number) | {"loss": 2.5})
    assert file.read_bytes() == whole
    assert len(folder.replicates()) == 3


@pytest.mark.parametrize("harm", ["digit", "order", "twice", "another's", "plain"])
def test_a_replicate_that_was_changed_is_found_out(run: Path, harm: str) -> None:
    folder = with_replicates(run)
    file = folder.path / "replicates.jsonl"
    one, two, three = file.read_bytes().splitlines(keepends=True)
    other = with_replicates(run).path / "replicates.jsonl"
    harmed = {
        "digit": [one, two.replace(b"2.5", b"2.6"), three],
        "order": [two, one, three],
        "twice": [one, one, two, three],
        "another's": other.read_bytes().splitlines(keepends=True),
        "plain": [one, b'{"replicate":2,"seconds":1.0,"loss":9.0}\n', three],
    }[harm]
    file.write_bytes(b"".join(harmed))
    with pytest.raises(RecordError, match=r"Expected a replicate in line \d of .* does not follow"):
        folder.replicates()


def test_replicates_from_before_have_no_digests_and_go_on(run: Path) -> None:
    folder = state(run)
    file = folder.path / "replicates.jsonl"
    file.write_text('{"replicate":1,"seconds":1.0}\n{"replicate":2,"seco\n{"replicate":3,"seconds":1.0}\n')
    assert folder.replicates() == [line(1), line(3)]
    folder.append(line(2))
    assert folder.replicates() == [line(1), line(2), line(3)]
    assert b"digest" not in file.read_bytes()


LONGER = {"replicates": [4, 6], "alphas": [0.01, 0.01]}


def whole(run: Path) -> StudyFolder:
    folder = state(run)
    for number in folder.numbers:
        folder.append(line(number))
    return folder


def test_what_is_added_is_registered_and_has_numbers_of_its_own(run: Path) -> None:
    folder, other = whole(run), state(run)
    longer = folder.extend(LONGER, 6)
    assert list(longer.numbers) == [1, 2, 3, 4, 9, 10]
    assert list(other.numbers) == [5, 6, 7, 8]
    assert state(run).statement["first_replicate"] == 11
    assert longer.statement == folder.statement
    assert [(each["looks"], each["replicates"]) for each in longer.extensions] == [(LONGER, 6)]
    assert longer.extensions[0]["time"] >= folder.stated_at
    longer.append(line(10))
    assert [values["replicate"] for values in in_order(longer.replicates(), longer.numbers)] == [1, 2, 3, 4]
    longer.append(line(9))
    assert StudyFolder.open(folder.path).extend(LONGER, 8).numbers == (1, 2, 3, 4, 9, 10, 15, 16)
    assert [study.name for study in StudyFolder.all_of(run)[0]] == ["study-001", "study-002", "study-003"]


def test_only_what_has_come_to_its_end_is_added_to(run: Path) -> None:
    folder = state(run)
    with pytest.raises(RecordError, match="all of the 4 replicates of study-001, but 0 have come"):
        folder.extend(LONGER, 6)
    for number in folder.numbers:
        folder.append(line(number))
    with pytest.raises(RecordError, match="4 altogether are asked for"):
        folder.extend(LONGER, 4)
    lock = folder.lock()
    with pytest.raises(RecordError):
        folder.extend(LONGER, 6)
    lock.release()
    assert StudyFolder.open(folder.path).extensions == []


@pytest.mark.parametrize("harm", ["edited", "removed", "of another study"])
def test_an_addition_that_was_changed_is_found_out(run: Path, harm: str) -> None:
    folder, other = whole(run), whole(run)
    folder.extend(LONGER, 6)
    other.extend(LONGER, 8)
    file = folder.path / "extension-001.json"
    file.chmod(0o644)
    if harm == "edited":
        file.write_bytes(file.read_bytes().replace(b'"replicates": 6', b'"replicates": 60'))
    elif harm == "removed":
        file.unlink()
    else:
        file.write_bytes((other.path / file.name).read_bytes())
    with pytest.raises(RecordError, match="Expected what was added to study-001"):
        StudyFolder.open(folder.path)
    assert [study.name for study in StudyFolder.all_of(run)[0]] == ["study-002"]


def test_an_addition_that_a_kill_left_before_it_counted_does_not(run: Path) -> None:
    folder = whole(run)
    (folder.path / "extension-001.json").write_bytes(b'{"extension": {}}')
    assert StudyFolder.open(folder.path).extensions == []
    assert len(folder.extend(LONGER, 6).numbers) == 6
