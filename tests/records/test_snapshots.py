"""Looks back: what changed is stored, what did not costs nothing, and the disk's share is bounded."""

from __future__ import annotations

import builtins
import os
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

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


def test_a_state_larger_than_its_share_is_left_out_until_it_shrinks(directory: RunDirectory) -> None:
    writer = SnapshotWriter(directory, 100_000)
    for decision, size in enumerate([64, 20_000, 20_000, 64, 64]):
        assert writer.is_due(decision)
        writer.keep(decision, state(decision, size), {})
        writer.settle()
        said = writer.news()
        assert not writer.news()
        if decision == 1:
            assert said.startswith("The state after decision 1 could not be kept to look back at. One snapshot takes")
            assert "records.snapshot_mebibytes" in said
        elif decision == 3:
            assert said == "States are kept to look back at again; those after 1 to 2 could not be."
        else:
            assert said == ""
    writer.close()
    assert snapshot_decisions(directory) == [0, 3, 4]
    assert load_snapshot(directory, 4).tensors["still"]["weight"][-1] == 4095


def test_a_disk_that_refuses_leaves_a_gap_with_the_reason(directory: RunDirectory) -> None:
    (directory.path / "snapshots").write_text("in the way")
    writer = SnapshotWriter(directory, 1 << 20)
    writer.keep(0, state(0), {})
    writer.settle()
    assert "snapshots" in writer.news()
    writer.keep(1, state(1), {})
    writer.settle()
    assert writer.news() == ""  # it is known
    (directory.path / "snapshots").unlink()
    writer.keep(2, state(2), {})
    writer.close()
    assert writer.news() == "States are kept to look back at again; those after 0 to 1 could not be."
    assert snapshot_decisions(directory) == [2]
    assert load_snapshot(directory, 2).tensors["still"]["weight"][-1] == 4095


def test_a_gap_that_is_past_when_it_is_told_has_its_reason(directory: RunDirectory) -> None:
    writer = SnapshotWriter(directory, 100_000)
    writer.keep(5, state(5, 20_000), {})
    writer.keep(6, state(6), {})
    writer.close()
    assert writer.news().startswith(
        "States are kept to look back at again; the state after decision 5 could not be. One snapshot takes"
    )


def test_one_more_is_stored_without_looking_at_the_others(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = store(directory, range(60))
    touched: list[tuple[str, str]] = []

    def watch(module: Any, name: str) -> None:
        real = getattr(module, name)

        def noted(path: object, *rest: Any, **more: Any) -> Any:
            touched.append((name, str(path)))
            return real(path, *rest, **more)

        monkeypatch.setattr(module, name, noted)

    for module, name in ((os, "scandir"), (os, "listdir"), (os, "stat"), (os, "unlink"), (builtins, "open")):
        watch(module, name)
    counts: set[int] = set()
    for decision in range(60, 70):
        del touched[:]
        writer.keep(decision, state(decision), {})
        writer.settle()
        assert not [path for _, path in touched if path.endswith(".safetensors") and f"{decision:05d}" not in path]
        assert not [name for name, _ in touched if name in ("scandir", "listdir")]
        counts.add(len(touched))
    assert len(counts) == 1
    monkeypatch.undo()
    writer.close()


@pytest.mark.parametrize("seed", range(8))
def test_the_books_agree_with_the_disk_whatever_changes(directory: RunDirectory, seed: int) -> None:
    draw = random.Random(seed)
    budget = draw.choice([30_000, 60_000, 120_000])
    numbers = {f"layer {n}": 0 for n in range(5)}
    held: dict[int, dict[str, int]] = {}
    writer, distance = SnapshotWriter(directory, budget), 1
    for decision in range(draw.randrange(150, 250)):
        if draw.random() < 0.02:  # a process that was killed, and one that goes on
            writer.close()
            writer = SnapshotWriter(directory, budget)
        for name in numbers:
            numbers[name] += draw.random() < 0.3
        if writer.is_due(decision) or draw.random() < 0.05:
            groups = {name: {"w": torch.full((400,), float(n))} for name, n in numbers.items()}
            writer.keep(decision, groups, {})
            held[decision] = dict(numbers)
            writer.settle()
            known = snapshot_decisions(directory)
            assert known[-1] == decision
            distance = max(distance, writer._spacing.distance)
            kept = [d for d in known if d % distance == 0 or d == decision]
            assert [d for d in held if d % distance == 0 and d >= max(0, decision - 3 * distance)] == [
                d for d in kept if d % distance == 0 and d >= max(0, decision - 3 * distance)
            ]
            total = sum(size_of(directory, d) for d in known)
            assert total == writer._spacing._total
            assert total <= budget or len(kept) <= 2
            for d in draw.sample(kept, min(3, len(kept))):
                found = load_snapshot(directory, d).tensors
                assert {name: int(tensors["w"][0]) for name, tensors in found.items()} == held[d]
    assert writer._spacing.distance == distance > 1
    assert writer.news() == ""
    writer.close()


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
