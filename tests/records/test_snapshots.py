"""Looks back: what changed is stored, what did not costs nothing, and the disk's share is bounded."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from layertie_lab.core.errors import RecordError
from layertie_lab.records import findings
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.state import snapshots
from layertie_lab.records.state.snapshots import SnapshotWriter, link_snapshots, load_snapshot, snapshot_decisions

Groups = dict[str, dict[str, torch.Tensor]]


def state(number: float, size: int = 64) -> Groups:
    return {
        "moving": {"weight": torch.full((size,), float(number)), "gain": torch.full((3,), -float(number))},
        "still": {"weight": torch.arange(4096.0)},
    }


def store(directory: RunDirectory, decisions: range, budget: int = 1 << 20, size: int = 64) -> SnapshotWriter:
    writer = SnapshotWriter(directory, budget)
    for decision in decisions:
        if writer.is_due(decision):
            writer.keep(decision, state(decision, size), {"decision": decision})
            writer.settle()
    return writer


def size_of(directory: RunDirectory, decision: int) -> int:
    return (directory.path / "snapshots" / f"{decision:05d}.safetensors").stat().st_size


def test_each_comes_back_as_it_was(directory: RunDirectory) -> None:
    store(directory, range(4)).close()
    assert snapshot_decisions(directory) == [0, 1, 2, 3]
    for decision in range(4):
        found = load_snapshot(directory, decision)
        assert found.meta == {"decision": decision}
        for group, tensors in state(decision).items():
            assert found.tensors[group].keys() == tensors.keys()
            assert all(torch.equal(found.tensors[group][name], tensor) for name, tensor in tensors.items())


def test_what_did_not_change_is_stored_once(directory: RunDirectory) -> None:
    store(directory, range(3)).close()
    assert size_of(directory, 0) > 4096 * 4
    assert size_of(directory, 1) < 2048 > size_of(directory, 2)


def test_the_same_decision_may_be_stored_twice(directory: RunDirectory) -> None:
    writer = store(directory, range(3))
    for _ in range(2):
        writer.keep(2, state(2), {"again": True})
    writer.close()
    found = load_snapshot(directory, 2)
    assert found.meta == {"again": True}
    assert found.tensors["moving"]["weight"].eq(2.0).all()
    assert found.tensors["still"]["weight"][-1] == 4095


def test_a_copy_is_taken_before_training_goes_on(directory: RunDirectory) -> None:
    writer, live = SnapshotWriter(directory, 1 << 20), state(1.0)
    writer.keep(1, live, {})
    live["moving"]["weight"].zero_()
    writer.close()
    assert load_snapshot(directory, 1).tensors["moving"]["weight"].eq(1.0).all()


def test_every_second_goes_where_they_take_too_much(directory: RunDirectory) -> None:
    size = 10_000  # 40 kB each, and 16 kB that never change
    store(directory, range(41), budget=400_000, size=size).close()
    known = snapshot_decisions(directory)
    total = sum(size_of(directory, decision) for decision in known)
    assert total <= 400_000
    assert known[-1] == 40
    assert len(known) >= 5
    gaps = {after - before for before, after in pairwise(known)}
    assert gaps == {8}
    # The first holds what never changed, so that the others still have it.
    assert all(load_snapshot(directory, decision).tensors["still"]["weight"][-1] == 4095 for decision in known)


def test_a_writer_goes_on_where_an_earlier_one_stopped(directory: RunDirectory) -> None:
    store(directory, range(41), budget=400_000, size=10_000).close()
    writer = SnapshotWriter(directory, 400_000)
    assert [decision for decision in range(41, 60) if writer.is_due(decision)] == [48, 56]


def test_those_of_a_log_that_was_cut_are_forgotten(directory: RunDirectory) -> None:
    store(directory, range(6)).close()
    questions = [{"decision": d, "options": {}} for d in (2, 3, 5)] + [{"decision": 2, "options": {"until": 4}}]
    for question in questions:
        findings.keep(directory.path, question, {"frames": {}})
    writer = SnapshotWriter(directory, 1 << 20)
    writer.keep(3, state(30.0), {"decision": 3})
    writer.close()
    assert snapshot_decisions(directory) == [0, 1, 2, 3]
    # What was found of them is forgotten with them, also of what came of an earlier decision.
    known = [findings.find(directory.path, question) is not None for question in questions]
    assert known == [True, False, False, False]
    assert load_snapshot(directory, 3).tensors["moving"]["weight"][0] == 30.0


def test_a_state_larger_than_its_share_is_not_stored_and_says_so(directory: RunDirectory) -> None:
    writer = SnapshotWriter(directory, 10_000)
    writer.keep(0, state(0), {})
    writer.close()
    assert "records.snapshot_mebibytes" in writer.problem
    assert not writer.is_due(1)
    assert snapshot_decisions(directory) == []


def test_a_disk_that_refuses_ends_it_with_the_reason(directory: RunDirectory) -> None:
    (directory.path / "snapshots").write_text("in the way")
    writer = SnapshotWriter(directory, 1 << 20)
    writer.keep(0, state(0), {})
    writer.close()
    assert "snapshots" in writer.problem
    assert not writer.is_due(1)


def test_damage_and_absence_are_said(directory: RunDirectory) -> None:
    with pytest.raises(RecordError, match="none at all"):
        load_snapshot(directory, 3)
    store(directory, range(3)).close()
    with pytest.raises(RecordError, match="nearest is after 2"):
        load_snapshot(directory, 7)
    path = directory.path / "snapshots" / "00000.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(RecordError, match="damaged or gone"):
        load_snapshot(directory, 1)  # it rests on the first
    path.unlink()
    with pytest.raises(RecordError, match="damaged"):
        load_snapshot(directory, 1)


def test_what_a_killed_writer_left_is_cleared(directory: RunDirectory) -> None:
    folder = directory.path / "snapshots"
    folder.mkdir()
    (folder / ".00001.safetensors.abc.tmp").write_text("half")
    store(directory, range(2)).close()
    assert sorted(path.name for path in folder.iterdir()) == ["00000.safetensors", "00001.safetensors"]


def test_a_branch_shares_those_of_its_past(directory: RunDirectory, tmp_path: Path) -> None:
    store(directory, range(5)).close()
    target = tmp_path / "branch"
    target.mkdir()
    link_snapshots(directory, target, 2)
    linked = sorted((target / "snapshots").iterdir())
    assert [path.name for path in linked] == ["00000.safetensors", "00001.safetensors", "00002.safetensors"]
    assert all(path.stat().st_nlink == 2 for path in linked)


def test_without_a_budget_nothing_is_due(directory: RunDirectory) -> None:
    assert not SnapshotWriter(directory, 0).is_due(0)


def test_numbers_without_a_numpy_type_have_a_digest() -> None:
    one, other = torch.ones(4, dtype=torch.bfloat16), torch.zeros(4, dtype=torch.bfloat16)
    assert snapshots._digest({"w": one}) == snapshots._digest({"w": one.clone()}) != snapshots._digest({"w": other})
