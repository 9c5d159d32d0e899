"""Snapshots: the model and the agent after each decision, to look back at; each tensor group is stored when it changed.

`snapshots/NNNNN.safetensors` holds what changed since an earlier one, and says in its header where the rest lies. Tied
layers are one group, and a group that no step has touched (a frozen layer) costs nothing. Snapshots are for looking,
not for going on: they hold no optimizer state (`checkpoints` do), and a run without them is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...core.errors import RecordError, StorageError
from ..directory import RunDirectory
from ..findings import forget_from
from ..io import sealing
from ..io.disk import discard, replace, storage_error, temporary_beside, writing
from ..io.sealing import Tensor

_NAME = re.compile(r"(\d{5,})\.safetensors")
_WAITING = 4
"""Snapshots that may wait for the disk; with more, training waits."""

Groups = Mapping[str, Mapping[str, Tensor]]
"""Name of a group -> its tensors by name."""


@dataclass(frozen=True)
class Snapshot:
    """The state after a decision.

    Args:
        decision: Counted from 1; 0 = before the first.
        tensors: Name of a group -> its tensors by name, on the CPU.
        meta: The JSON saved with them.
    """

    decision: int
    tensors: dict[str, dict[str, Tensor]]
    meta: dict[str, Any]


def snapshot_decisions(directory: RunDirectory) -> list[int]:
    """Decisions after which a snapshot is stored, ascending. Reads names only."""
    return sorted(_found(directory))


def load_snapshot(directory: RunDirectory, decision: int) -> Snapshot:
    """Read one.

    Raises:
        RecordError: There is none, or a file that it rests on is damaged or gone.
    """
    known = _found(directory)
    if decision not in known:
        raise RecordError(
            f"Expected a snapshot after decision {decision} in {directory.path}, but there is none"
            f"{' at all' if not known else f'; the nearest is after {_nearest(known, decision)}'}.",
            "Choose a stored one; records.snapshot_mebibytes says how much a run may keep.",
        )
    header, own = _read(known[decision])
    homes: dict[str, int] = json.loads(header["homes"])
    files: dict[int, dict[str, Tensor]] = {decision: own}
    tensors: dict[str, dict[str, Tensor]] = {}
    for group, home in homes.items():
        if home not in files:
            if home not in known:
                raise sealing.damaged(known[decision])
            files[home] = _read(known[home])[1]
        tensors[group] = {
            name.split("/", 1)[1]: tensor for name, tensor in files[home].items() if name.split("/", 1)[0] == group
        }
    return Snapshot(decision, tensors, json.loads(header["meta"]))


class SnapshotWriter:
    """Stores snapshots in a thread of its own, so that training waits for a copy in memory and not for the disk.

    Make it with the run's lock held. Where the disk refuses, it stops storing and `problem` says why.

    Args:
        directory: The run.
        budget: Bytes that the run's snapshots may take together. With more, every second goes and the distance between
            them doubles.
    """

    def __init__(self, directory: RunDirectory, budget: int) -> None:
        directory.check_locked()
        self._directory, self._budget = directory, budget
        self._distance = _distance_of(sorted(_found(directory)))
        self._digests: dict[str, str] = {}  # of each group, as it was stored last
        self._homes: dict[str, int] = {}  # where that is
        self._waiting: queue.Queue[tuple[int, dict[str, dict[str, Tensor]], dict[str, Any]] | None]
        self._waiting = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self.problem = ""
        """Why nothing is stored any more; "" while all is well."""
        for path in (directory.path / "snapshots").glob(".*.tmp"):
            discard(path)  # of a writer that was killed

    def is_due(self, decision: int) -> bool:
        """Whether the state after so many decisions is one to store."""
        return self._budget > 0 and not self.problem and decision % self._distance == 0

    def keep(self, decision: int, groups: Groups, meta: Mapping[str, Any]) -> None:
        """Take a copy to be stored; those after later decisions, left from a log that was cut, are forgotten.

        Args:
            decision: After which it is.
            groups: No two tensors may share memory.
            meta: JSON.
        """
        size = sum(t.numel() * t.element_size() for tensors in groups.values() for t in tensors.values())
        if 2 * size > self._budget:
            self.problem = (
                f"One snapshot takes {size >> 20} MiB, and records.snapshot_mebibytes allows {self._budget >> 20} MiB "
                "in all, so that none are kept. Raise it to look back at this run."
            )
            return
        copies = {
            group: {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
            for group, tensors in groups.items()
        }
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="layertie-snapshots", daemon=True)
            self._thread.start()
        self._waiting.put((decision, copies, dict(meta)))

    def has(self, decision: int) -> bool:
        """Whether one is on disk (what waits to be written is not)."""
        return _path(self._directory, decision).exists()

    def settle(self) -> None:
        """Wait until everything that was taken is on disk."""
        if self._thread is not None:
            self._waiting.join()

    def close(self) -> None:
        """Store what waits and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _work(self) -> None:
        while (one := self._waiting.get()) is not None:
            try:
                if not self.problem:
                    self._store(*one)
            except (RecordError, StorageError) as error:
                self.problem = str(error)
            finally:
                self._waiting.task_done()
        self._waiting.task_done()

    def _store(self, decision: int, groups: dict[str, dict[str, Tensor]], meta: dict[str, Any]) -> None:
        path = _path(self._directory, decision)
        with writing(path.parent):
            path.parent.mkdir(exist_ok=True)
        later = [file for known, file in _found(self._directory).items() if known > decision]
        for file in later:
            discard(file)
        if later or path.exists():  # of a log that was cut
            forget_from(self._directory.path, decision)
        digests = {group: _digest(tensors) for group, tensors in groups.items()}
        # What lies in this very file is written again with it.
        changed = [
            group
            for group, digest in digests.items()
            if self._digests.get(group) != digest or self._homes[group] == decision
        ]
        homes = {group: decision if group in changed else self._homes[group] for group in groups}
        tensors = {f"{group}/{name}": t for group in changed for name, t in groups[group].items()}
        temporary = temporary_beside(path)
        try:
            header = {"homes": json.dumps(homes), "meta": json.dumps(meta)}
            sealing.write(temporary, tensors, header, sync=False)
            replace(temporary, path)
        except OSError as error:
            raise storage_error(path, error, "then resume the run; nothing but its snapshots is missing") from error
        finally:
            discard(temporary)
        self._digests, self._homes = digests, homes
        self._thin()

    def _thin(self) -> None:
        known = _found(self._directory)
        sizes = {decision: _size(path) for decision, path in known.items()}
        while True:
            # The latest stays until there is a later one, wherever it lies.
            kept = {decision for decision in sizes if decision % self._distance == 0 or decision == max(sizes)}
            if kept != set(sizes):
                needed = kept | {home for decision in kept for home in self._homes_of(known[decision])}
                for decision in set(sizes) - needed:
                    discard(known[decision])
                    del sizes[decision]
            if sum(sizes.values()) <= self._budget or len(kept) <= 2:
                return
            self._distance *= 2

    @staticmethod
    def _homes_of(path: Path) -> set[int]:
        with suppress(RecordError, OSError, KeyError, ValueError):
            return set(json.loads(sealing.read_header(path)["homes"]).values())
        return set()


def link_snapshots(directory: RunDirectory, target: Path, decisions: int) -> None:
    """Give another run (a branch) those after its first so many decisions: hard links where the disk has them."""
    known = [path for decision, path in _found(directory).items() if decision <= decisions]
    if not known:
        return
    with writing(target):
        (target / "snapshots").mkdir(exist_ok=True)
        for path in known:
            try:
                os.link(path, target / "snapshots" / path.name)
            except FileNotFoundError:  # pushed out meanwhile
                continue
            except OSError:  # no hard links there: a branch can do without a look back
                return


def _found(directory: RunDirectory) -> dict[int, Path]:
    found = ((_NAME.fullmatch(path.name), path) for path in (directory.path / "snapshots").glob("*.safetensors"))
    return {int(match[1]): path for match, path in found if match}


def _path(directory: RunDirectory, decision: int) -> Path:
    return directory.path / "snapshots" / f"{decision:05d}.safetensors"


def _distance_of(decisions: list[int]) -> int:
    """The distance that a run's snapshots were kept at (the latest may lie anywhere)."""
    steps = [after - before for before, after in pairwise(decisions[:-1])]
    return max(1, min(steps, default=1))


def _nearest(known: Mapping[int, Path], decision: int) -> int:
    return min(known, key=lambda other: (abs(other - decision), other))


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        return sealing.read(path)
    except RecordError:
        raise RecordError(
            f"Expected snapshot {path} as it was written, but it is damaged or gone.", "Look at another decision."
        ) from None


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        # numpy has no bfloat16, whose numbers are floats too.
        plain = tensor.float() if "bfloat16" in str(tensor.dtype) else tensor
        digest.update(plain.contiguous().numpy().ravel())
    return digest.hexdigest()
