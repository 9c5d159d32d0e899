"""Each change that a run makes to its disk, in turn: it is the last one before a kill, or the disk refuses it.

Whatever it was, the run goes on from there to the same log and the same weights, bit for bit, and what was acknowledged
before is still there.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from written import ROOM, Disk

from layertie_lab import RunConfig, Session
from layertie_lab.core.errors import LayertieError
from layertie_lab.records.directory import RunDirectory, is_run
from layertie_lab.records.state.checkpoints import list_checkpoints, load_checkpoint
from layertie_lab.records.state.snapshots import load_snapshot, snapshot_decisions

DECISIONS = 6
HUMAN = 3
"""The decision that a person answers."""
RULED = 5
"""The decision before which the rules change."""


def config(text: Path, **changes: object) -> RunConfig:
    return RunConfig.preset(
        "tiny",
        corpus=str(text),
        layers=3,
        width=16,
        context=16,
        batch_size=4,
        decisions=DECISIONS,
        steps_per_decision=2,
        evaluation_windows=2,
        evaluate_every=2,
        sample_every=3,
        sample_tokens=4,
        threads=1,
        checkpoint_seconds=0.0,
        moment_every=2,
        snapshot_mebibytes=1,
        **changes,
    )


def goes_on(session: Session, done: list[int] | None = None) -> None:
    """What a person and the agent do from wherever a run stands, to its end; `done`: decisions that were completed."""
    if session.phase == "training":
        session.complete()
    while session.decision < DECISIONS:
        if session.decision + 1 == RULED and not session.rules:
            session.set_rules("neighbours")
        proposal = session.propose()
        if proposal.decision == HUMAN:
            session.commit(next(choice for choice in proposal.legal if choice != proposal.choice), by="human")
        else:
            session.commit(proposal.choice, by="agent")
        if done is not None:
            done.append(session.decision)
    session.save("end")


def opened(run: RunConfig, folder: Path) -> Session:
    return Session.resume(folder) if is_run(folder) else Session(run, folder)


def is_same(folder: Path, whole: Path, *, moments: bool) -> None:
    """The same facts and the same state at the end (and the same `moments` and looks back), and nothing half done."""
    assert (folder / "events.jsonl").read_bytes() == (whole / "events.jsonl").read_bytes()
    one, other = RunDirectory.open(folder), RunDirectory.open(whole)
    names = [{info.name for info in list_checkpoints(run) if not info.rolling} for run in (one, other)]
    assert names[0] == names[1] if moments else names[0] <= names[1]
    for name in sorted(names[0]):
        found, wanted = load_checkpoint(one, name), load_checkpoint(other, name)
        assert found.meta == wanted.meta
        assert found.info.resumable or name == "best"
        assert found.tensors.keys() == wanted.tensors.keys()
        assert all(found.tensors[key].equal(wanted.tensors[key]) for key in found.tensors)
    looks = [snapshot_decisions(run) for run in (one, other)]
    assert looks[0] == looks[1] if moments else set(looks[0]) <= set(looks[1])
    for decision in looks[0]:
        groups = [load_snapshot(run, decision).tensors for run in (one, other)]
        assert groups[0].keys() == groups[1].keys()
        assert all(groups[0][group][key].equal(t) for group in groups[1] for key, t in groups[1][group].items())
    assert [path for path in folder.rglob(".*") if path.name.endswith(".tmp") or path.name.startswith(".tmp")] == []


@pytest.fixture(scope="module")
def whole(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Path]:
    """The run that nothing disturbs."""
    folder, run = tmp_path_factory.mktemp("whole") / "run", config(text_file)
    with Session(run, folder) as session:
        goes_on(session)
    return run, folder


def drawn(count: int, share: float) -> set[int]:
    """Some of so many changes, by a seed that is printed."""
    seed = int(os.environ.get("SEED", 0)) or int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    return set(random.Random(seed).sample(range(count), max(1, round(share * count))))


SHARES = [0.05, pytest.param(1.0, marks=pytest.mark.long)]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("share", SHARES)
def test_killed_before_each_write(
    share: float, whole: tuple[RunConfig, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, undisturbed = whole
    count = changes_of(run, tmp_path / "counted", monkeypatch)
    chosen, done, left = drawn(count, share), list[int](), dict[int, tuple[Path, int, str]]()

    def copy(number: int, what: str, path: Path, data: bytes) -> None:
        if number not in chosen:
            return
        # What a kill leaves is what the system was handed before; of a write it may have taken a part.
        target = tmp_path / f"killed-{number}"
        shutil.copytree(tmp_path / "run", target / "run") if (tmp_path / "run").exists() else target.mkdir()
        if what == "write" and number % 2:
            with open(target / path.relative_to(tmp_path), "ab") as file:
                file.write(data[: len(data) // 2])
        left[number] = (target / "run", len(done), f"{what} {path.relative_to(tmp_path)}")

    with monkeypatch.context() as patch:
        disk = Disk(tmp_path / "run", patch)
        disk.before = copy
        with Session(run, tmp_path / "run") as session:
            goes_on(session, done)
    for number, (folder, acknowledged, where) in left.items():
        print(number, where)
        with opened(run, folder) as session:
            assert session.decision >= acknowledged
            goes_on(session)
        is_same(folder, undisturbed, moments=True)
    assert len(left) > 0.8 * len(chosen)


def changes_of(run: RunConfig, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many changes the whole run makes to its folder."""
    with monkeypatch.context() as patch:
        disk = Disk(folder, patch)
        with Session(run, folder) as session:
            goes_on(session)
    return disk.changes


def refuse(number: int, code: int, *, lasting: bool) -> Callable[[int, str, Path, bytes], None]:
    """A disk that is full, or read-only, at a change; from there on, or for that one."""

    def before(now: int, what: str, path: Path, data: bytes) -> None:
        concerned = now >= number if lasting else now == number
        if concerned and (code == errno.EROFS or what in ROOM):
            raise OSError(code, os.strerror(code), str(path))

    return before


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from there on"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
@pytest.mark.parametrize("share", [0.03, pytest.param(1.0, marks=pytest.mark.long)])
def test_refused_at_each_write(
    share: float,
    code: int,
    lasting: bool,
    whole: tuple[RunConfig, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, undisturbed = whole
    refused = 0
    for number in sorted(drawn(changes_of(run, tmp_path / "counted", monkeypatch), share)):
        folder, done, session = tmp_path / f"refused-{number}", list[int](), None
        print(number)
        with monkeypatch.context() as patch:
            disk = Disk(folder, patch)
            disk.before = refuse(number, code, lasting=lasting)
            try:
                session = Session(run, folder)
                goes_on(session, done)
            except LayertieError:
                refused += 1
                if session is not None and not lasting and number % 2:
                    goes_on(session, done)  # the same session, once there is room
            finally:
                if session is not None:
                    try:
                        session.close()
                    except LayertieError:
                        refused += 1
        with opened(run, folder) as session:
            assert session.decision >= len(done)
            goes_on(session)
        is_same(folder, undisturbed, moments=False)
    assert refused
