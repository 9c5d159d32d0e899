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
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import RecordError, StorageError
from ...core.plain import fits, parse_object
from ..directory import RunDirectory
from ..findings import forget_from
from ..io import sealing
from ..io.disk import clear_unfinished, discard, replace, storage_error, temporary_beside, writing
from ..io.sealing import Tensor
from ..log.ground import Ground
from .spacing import Spacing, found_in, path_in

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
    return sorted(found_in(directory.path / "snapshots"))


def load_snapshot(directory: RunDirectory, decision: int) -> Snapshot:
    """Read one.

    Raises:
        RecordError: There is none, or a file that it rests on is damaged or gone.
    """
    known = found_in(directory.path / "snapshots")
    if decision not in known:
        raise RecordError(
            f"Expected a snapshot after decision {decision} in {directory.path}, but there is none"
            f"{' at all' if not known else f'; the nearest is after {_nearest(known, decision)}'}.",
            "Choose a stored one; records.snapshot_mebibytes says how much a run may keep.",
        )
    ground = Ground(directory)
    header, own = _read(known[decision], ground)
    homes = _homes(header, known[decision])
    files: dict[int, dict[str, Tensor]] = {decision: own}
    tensors: dict[str, dict[str, Tensor]] = {}
    for group, home in homes.items():
        if home not in files:
            if home not in known:
                raise sealing.damaged(known[decision])
            files[home] = _read(known[home], ground)[1]
        tensors[group] = {
            name.split("/", 1)[1]: tensor for name, tensor in files[home].items() if name.split("/", 1)[0] == group
        }
    return Snapshot(decision, tensors, parse_object(header["meta"], finite=False))


class SnapshotWriter:
    """Stores snapshots in a thread of its own, so that training waits for a copy in memory and not for the disk.

    Make it with the run's lock held. A state that is too large for the budget, or that the disk refuses, is left out;
    `news` says so, and when storing goes on.

    Args:
        directory: The run.
        budget: Bytes that the run's snapshots may take together. With more, every second goes and the distance between
            them doubles.
    """

    def __init__(self, directory: RunDirectory, budget: int) -> None:
        directory.check_locked()
        self._directory, self._budget = directory, budget
        self._folder = directory.path / "snapshots"
        clear_unfinished(self._folder)  # of a writer that was killed
        self._spacing = Spacing(self._folder, budget)
        self._digests: dict[str, str] = {}  # of each group, as it was stored last
        self._homes: dict[str, int] = {}  # where that is
        self._waiting: queue.Queue[tuple[int, dict[str, dict[str, Tensor]], dict[str, Any]] | None]
        self._waiting = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._gap = _Gap()

    def is_due(self, decision: int) -> bool:
        """Whether the state after so many decisions is one to store."""
        return self._budget > 0 and decision % self._spacing.distance == 0

    def news(self) -> str:
        """What a reader should know since this was last asked: that none are stored, or are again; "" as a rule."""
        return self._gap.news()

    def keep(self, decision: int, groups: Groups, meta: Mapping[str, Any]) -> None:
        """Take a copy to be stored; those after later decisions, left from a log that was cut, are forgotten.

        Args:
            decision: After which it is.
            groups: No two tensors may share memory.
            meta: JSON.
        """
        size = sum(t.numel() * t.element_size() for tensors in groups.values() for t in tensors.values())
        if 2 * size > self._budget:
            self._gap.left_out(
                decision,
                f"One snapshot takes {size / (1 << 20):.1f} MiB, more than half of the {self._budget / (1 << 20):g} "
                "MiB that records.snapshot_mebibytes allows in all: raise it to look back at this run from here on.",
            )
            return
        copies = {
            group: {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
            for group, tensors in groups.items()
        }
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="layertie-snapshots", daemon=True)
            # Ctrl-C may come here: only what was started can be waited for.
            thread.start()
            self._thread = thread
        self._waiting.put((decision, copies, dict(meta)))

    def has(self, decision: int) -> bool:
        """Whether one is on disk (what waits to be written is not)."""
        return path_in(self._folder, decision).exists()

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
            number = one[0]
            try:
                self._store(*one)
            except (RecordError, StorageError) as error:
                self._gap.left_out(number, str(error))
            else:
                self._gap.stored(number)
            finally:
                del one  # what is stored is not held until the next one comes
                self._waiting.task_done()
        self._waiting.task_done()

    def _store(self, decision: int, groups: dict[str, dict[str, Tensor]], meta: dict[str, Any]) -> None:
        path = path_in(self._folder, decision)
        with writing(path.parent):
            path.parent.mkdir(exist_ok=True)
        if self._spacing.cut(decision) or decision in self._spacing:  # of a log that was cut
            forget_from(self._directory.path, decision)
        digests = {group: _digest(tensors) for group, tensors in groups.items()}
        # What lies in this very file is written again with it, and what lay in one that was cut off is gone.
        changed = [
            group
            for group, digest in digests.items()
            if self._digests.get(group) != digest or self._homes[group] >= decision
        ]
        homes = {group: decision if group in changed else self._homes[group] for group in groups}
        tensors = {f"{group}/{name}": t for group in changed for name, t in groups[group].items()}
        header = {"homes": json.dumps(homes), "meta": json.dumps(meta), "distance": str(self._spacing.distance)}
        temporary = temporary_beside(path)
        try:
            sealing.write(temporary, tensors, header, sync=False)
            replace(temporary, path)
        except OSError as error:
            raise storage_error(path, error, "and go on; nothing but looks back is missing") from error
        finally:
            discard(temporary)
        self._digests, self._homes = digests, homes
        self._spacing.add(decision, homes.values())


class _Gap:
    """Which states could not be stored, and whether that has been told; used by two threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._span: tuple[int, int] | None = None
        self._why = ""
        self._open = self._told = False

    def left_out(self, decision: int, why: str) -> None:
        with self._lock:
            self._span = (decision if self._span is None else self._span[0], decision)
            self._why, self._open = why, True

    def stored(self, decision: int) -> None:
        with self._lock:
            # One that was taken before the gap may come to the disk after it began.
            self._open = self._open and self._span is not None and decision < self._span[1]

    def news(self) -> str:
        with self._lock:
            if self._span is None or (self._open and self._told):
                return ""
            first, last = self._span
            if self._open:
                self._told = True
                return f"The state after decision {first} could not be kept to look back at. {self._why}"
            states = f"the state after decision {first}" if first == last else f"those after {first} to {last}"
            why = "" if self._told else f" {self._why}"
            self._span, self._told = None, False
            return f"States are kept to look back at again; {states} could not be.{why}"


def link_snapshots(directory: RunDirectory, target: Path, decisions: int) -> None:
    """Give another run (a branch) those after its first so many decisions: hard links where the disk has them."""
    known = [path for decision, path in found_in(directory.path / "snapshots").items() if decision <= decisions]
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


def _nearest(known: Mapping[int, Path], decision: int) -> int:
    return min(known, key=lambda other: (abs(other - decision), other))


def _read(path: Path, ground: Ground) -> tuple[dict[str, str], dict[str, Tensor]]:
    """A file of this run."""
    try:
        header, tensors = sealing.read(path)
        how = ground.misfit(parse_object(header["meta"], finite=False))
    except (RecordError, KeyError, ValueError):
        how = "it is damaged or gone"
    else:
        if not how:
            return header, tensors
    raise RecordError(f"Expected snapshot {path} as it was written, but {how}.", "Look at another decision.")


def _homes(header: Mapping[str, str], path: Path) -> dict[str, int]:
    """Name of a group -> the decision in whose file it lies."""
    try:
        found = parse_object(header["homes"])
    except (KeyError, ValueError):
        raise sealing.damaged(path) from None
    if not fits(found, dict[str, int]):
        raise sealing.damaged(path)
    return found


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        # numpy has no bfloat16, whose numbers are floats too.
        plain = tensor.float() if "bfloat16" in str(tensor.dtype) else tensor
        digest.update(plain.contiguous().numpy().ravel())
    return digest.hexdigest()
