"""Digests of lines, documents and headers: any change shows; files from before have none, and go on without."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_runs import story, write_run

from layertie_lab.core.errors import RecordError
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.io.chain import Chain, carried, plain
from layertie_lab.records.io.document import read_document, write_document
from layertie_lab.records.io.regular import open_regular, read_regular
from layertie_lab.records.log.reader import load_run
from layertie_lab.records.log.recovery import first_damage
from layertie_lab.records.log.writer import EventWriter
from layertie_lab.records.runs import list_runs
from layertie_lab.records.tree import branches_of, make_branch, tree_of

LINES = [json.dumps({"number": number, "text": "é" * number}).encode() for number in range(6)]


def sealed(lines: list[bytes]) -> list[bytes]:
    chain = Chain()
    return [chain.sealed(line) for line in lines]


def follow(lines: list[bytes]) -> list[bool]:
    chain = Chain()
    return [chain.follows(line) for line in lines]


def test_lines_keep_what_they_hold_and_are_the_same_each_time() -> None:
    found = sealed(LINES)
    assert found == sealed(LINES)
    assert [plain(line) for line in found] == LINES
    assert [json.loads(line)["number"] for line in found] == [0, 1, 2, 3, 4, 5]
    assert all(follow(found))
    assert all(follow(LINES)), "lines from before carry none"
    chain = Chain.after(found[2])
    assert [chain.sealed(line) for line in LINES[3:]] == found[3:]
    old = Chain.after(LINES[2])
    assert old.sealed(LINES[3]) == LINES[3], "a file without digests goes on without"


@given(data=st.data())
def test_no_change_of_a_line_passes(data: st.DataObject) -> None:
    found = sealed(LINES)
    number = data.draw(st.integers(0, len(found) - 1))
    line = bytearray(found[number])
    line[data.draw(st.integers(0, len(line) - 1))] ^= data.draw(st.integers(1, 255))
    assert not all(follow([*found[:number], bytes(line), *found[number + 1 :]]))


@given(order=st.permutations(range(6)), kept=st.integers(1, 6))
def test_no_line_is_moved_or_left_out(order: list[int], kept: int) -> None:
    found = sealed(LINES)
    moved = [found[place] for place in order][:kept]
    assert all(follow(moved)) == (moved == found[:kept])


def test_digests_do_not_begin_or_end_in_the_middle() -> None:
    found = sealed(LINES)
    assert follow([*found[:3], LINES[3]])[-1] is False
    assert follow([LINES[0], *found[1:]])[1] is False
    assert Chain("another's").follows(found[0]) is False
    assert carried(LINES[0]) is None


def test_a_document_says_that_it_was_changed(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    values = {"a": 1.5, "b": ["é", None], "c": {"d": 2}}
    write_document(file, values, indent=1)
    assert read_document(file) == values
    file.write_text(file.read_text().replace(" ", ""))  # how it is set does not matter
    assert read_document(file) == values
    for old, new in (("1.5", "1.6"), ("null", "true"), ('"d"', '"e"')):
        file.write_text(json.dumps(values | {"digest": json.loads(file.read_text())["digest"]}).replace(old, new))
        with pytest.raises(ValueError, match="changed since it was written"):
            read_document(file)
        write_document(file, values)
    file.write_text(json.dumps(values))  # from before
    assert read_document(file) == values
    with pytest.raises(ValueError, match="no digest"):
        read_document(file, digest_needed=True)


@pytest.mark.skipif(os.name == "nt", reason="no pipes in folders there")
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, target in (("self", "self"), ("link", "file"), ("gone", "nowhere"), ("zero", "/dev/zero")):
        (tmp_path / name).symlink_to(target)
    assert read_regular(tmp_path / "file") == b"x"
    for name, said in (("folder", "folder"), ("pipe", "pipe"), ("self", "link"), ("link", "link"), ("gone", "link")):
        with pytest.raises(OSError, match=said):
            open_regular(tmp_path / name)
    with pytest.raises(OSError, match="link"):
        read_regular(tmp_path / "zero")
    with pytest.raises(OSError, match="device"):
        read_regular(Path("/dev/zero"))
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none")


def test_a_digit_changed_in_a_log_is_found(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", story(4, finished=True))
    log = run.events.read_bytes()
    place = log.index(b'"loss":') + 7
    run.events.write_bytes(log[:place] + (b"9" if log[place : place + 1] != b"9" else b"8") + log[place + 1 :])
    number = log[:place].count(b"\n") + 1
    assert first_damage(run.events) == number
    with pytest.raises(RecordError, match=f"line {number} of .*damaged or does not follow"):
        load_run(run.path)


def test_a_log_from_before_opens_goes_on_and_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", story(2))
    old = b"".join(plain(line) + b"\n" for line in run.events.read_bytes().splitlines())
    run.events.write_bytes(old)
    assert any("before logs carried digests" in note for note in load_run(run.path).notes)
    directory = RunDirectory.open(run.path)
    writer = EventWriter(directory)
    writer.append(story(3, finished=True)[-1])
    writer.close()
    assert first_damage(run.events) is None
    assert all(carried(line) is None for line in run.events.read_bytes().splitlines())


def test_a_whole_log_has_no_such_note(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", story(2))
    assert not any("digests" in note for note in load_run(run.path).notes)


@pytest.mark.parametrize("content", [b"", b"\0" * 80, b"[]", b'{"parent":', b"[" * 5_000, None])
def test_a_branch_whose_branch_json_is_damaged_stays_in_the_tree(tmp_path: Path, content: bytes | None) -> None:
    run = write_run(tmp_path / "run", story(4))
    made = make_branch(run.path, 3)
    file = made / "branch.json"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    for nodes in (branches_of(run.path), tree_of(made)[1:]):
        (node,) = nodes
        assert (node.name, node.run.status, node.is_branch) == (made.name, "damaged", True)
        assert "branch.json" in node.run.note
    assert tree_of(made)[0].name == "run"


@pytest.mark.parametrize("name", ["config.json", "events.jsonl"])
def test_a_run_that_lost_one_of_its_files_stays_in_the_list(tmp_path: Path, name: str) -> None:
    run = write_run(tmp_path / "runs" / "one", story(2))
    write_run(tmp_path / "runs" / "two", story(2))
    (run.path / name).unlink()
    found = {each.name: each.status for each in list_runs(tmp_path / "runs")}
    assert found.keys() == {"one", "two"}
    if name == "config.json":
        assert found["one"] == "damaged"
