"""Branches on disk: which moments of a run are stored, and the tree of trunk and branches.

A branch is a run directory of its own in TRUNK/branches/NAME. It begins with a copy of its parent's log up to the
decision that it makes anew, and with the parent's checkpoints up to there as hard links, so that all that works on a
run works on it. `branch.json` says where it left. A branch of a branch lies beside it, in the trunk's folder.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core.errors import RecordError
from ..core.events import DecisionFinished, DecisionMade, parse
from ..core.plain import of_type
from .directory import RunDirectory, is_run
from .io.chain import carried
from .io.disk import storage_error, write_atomically, writing
from .io.document import read_document, reason, write_document
from .io.regular import is_there, open_regular
from .log.cursor import checked_lines, read_events
from .log.ground import OTHER_LOG, LogGround
from .log.recovery import check_end, check_settings, damaged_line
from .reads import share
from .runs import RunSummary, summarize
from .state.checkpoints import CheckpointInfo, list_checkpoints
from .state.retention import moment_name as moment_name
from .state.snapshots import link_snapshots

FOLDER = "branches"
LEFT = "branch.json"
"""Where a branch says where it left."""


@dataclass(frozen=True)
class Leaving:
    """Where and why a branch left: its `branch.json`.

    Args:
        parent: Name of the parent branch; "" for the trunk.
        decision: The decision that it makes anew, counted from 1.
        step: Optimizer steps done there.
        why: In words.
        by: Who made it: human, or a program's name.
        time: When, in UTC, as ISO 8601 has it.
        offset: Bytes of the parent's log that the branch began with.
        log_digest: What the last line of these carries; "" in logs without digests, and of branches from before it was
            noted.
    """

    parent: str
    decision: int
    step: int
    why: str
    by: str
    time: str
    offset: int = 0
    log_digest: str = ""


@dataclass(frozen=True)
class Node:
    """A run of a tree.

    Args:
        run: How it stands.
        left: Where it left its parent; None for the trunk, and for a branch whose branch.json cannot be read.
        is_branch: Whether it is a branch.
    """

    run: RunSummary
    left: Leaving | None
    is_branch: bool = True

    @property
    def name(self) -> str:
        """Its folder's name."""
        return self.run.name

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.run.path


def stored_moments(run: str | Path) -> dict[int, CheckpointInfo]:
    """Decision -> the checkpoint from before it; those that will be kept go before those that later ones push out.

    Not the best model's, which a better one replaces under the same name.

    Raises:
        RecordError: Not a run.
    """
    found: dict[int, CheckpointInfo] = {}
    directory = RunDirectory.open(run)
    known = [info for info in list_checkpoints(directory) if not info.damage and info.resumable]
    end = _size(directory.events) if known else 0
    for info in sorted(known, key=lambda info: (not info.rolling, info.sequence)):
        # One that rests on more than the log holds is left from before a damaged end was cut off.
        if info.name != "best" and info.meta.get("under_way") is None and info.meta.get("offset", end + 1) <= end:
            found[info.meta["decision"] + 1] = info
    return dict(sorted(found.items()))


def _size(log: Path) -> int:
    """Bytes of a log; 0 where it is no file that can be read, which whoever reads it says."""
    try:
        with open_regular(log) as file:
            return os.fstat(file.fileno()).st_size
    except OSError:
        return 0


def damaged_moments(run: str | Path) -> list[str]:
    """A sentence for each checkpoint that is damaged, and is no moment for that reason.

    Raises:
        RecordError: Not a run.
    """
    return [info.damage for info in list_checkpoints(RunDirectory.open(run)) if info.damage]


def last_decision(run: str | Path) -> int:
    """The decision that an undo takes back: the last that was chosen, also where it is under way still.

    Raises:
        RecordError: Not a run, or none was chosen yet.
    """
    made = read_events(RunDirectory.open(run), DecisionMade)
    if made:
        return made[-1].decision
    raise RecordError(f"Expected a decision to undo, but {run} has none yet.", "Run it first.")


def trunk_of(run: str | Path) -> Path:
    """The folder of the tree's trunk: the run itself, unless it is a branch.

    A branch that was copied out of its tree is a trunk.
    """
    return _trunk_of_branch(run) or Path(run)


def _trunk_of_branch(run: str | Path) -> Path | None:
    # By where it lies alone: its branch.json may be damaged, and it is a branch all the same.
    folder = Path(run).resolve().parent  # its own path may be too short to have parents, as "." is
    return folder.parent if folder.name == FOLDER and is_run(folder.parent) else None


def tree_of(run: str | Path) -> list[Node]:
    """The whole tree that a run belongs to: the trunk, then the branches, each after its parent.

    Raises:
        RecordError: Not a run.
    """
    if not is_run(Path(run)):
        RunDirectory.open(run)  # which says what is there instead
    trunk = trunk_of(run)
    return [Node(summarize(trunk), None, is_branch=False), *branches_of(trunk)]


def branches_of(trunk: str | Path) -> list[Node]:
    """The branches in a trunk's folder, each after its parent; none where there are none.

    Damage is reported in a branch's summary, not raised: whatever lies there and may be one is among them.
    """
    found: dict[str, Node] = {}
    with suppress(OSError):
        for path in sorted((Path(trunk) / FOLDER).iterdir()):
            if not path.name.startswith(".") and (is_run(path) or is_there(path / LEFT)):
                found[path.name] = _node(path)
    ordered: dict[str, Node] = {}

    def add(parent: str) -> None:
        for name, node in found.items():
            if node.left is not None and node.left.parent == parent and name not in ordered:
                ordered[name] = node
                add(name)

    add("")
    # A branch whose parent was removed, or is not known, is shown beside the trunk's own.
    return [*ordered.values(), *(node for name, node in found.items() if name not in ordered)]


def _node(path: Path) -> Node:
    run = summarize(path)
    try:
        left = leaving_of(path)
    except RecordError as error:
        return Node(replace(run, status="damaged", note=" ".join(filter(None, [run.note, str(error)]))), None)
    return Node(run, left)


def leaving_of(path: Path) -> Leaving | None:
    """Where a branch left; None for a run that is no branch.

    Raises:
        RecordError: It is one, and its branch.json cannot be read.
    """
    file = path / LEFT
    try:
        left = Leaving(**of_type(read_document(file), Leaving))
        if not left.log_digest or LogGround(path / "events.jsonl").holds(left.offset, left.log_digest):
            return left
        said = OTHER_LOG
    except FileNotFoundError:
        if _trunk_of_branch(path) is None:
            return None
        said = "it is missing"
    except (OSError, ValueError) as error:
        said = reason(error)
    raise RecordError(
        f"Expected where the branch {path.name} left in {file}, but it cannot be read: {said}.",
        "Restore it from a copy; the branch itself is whole, and can be shown and gone on with.",
    )


def make_branch(
    run: str | Path, decision: int | None = None, *, name: str | None = None, why: str = "", by: str = "human"
) -> Path:
    """A branch from before a decision, which may be training in another process meanwhile.

    What lies between the nearest stored moment and the decision is trained again when the branch is gone on with, with
    the actions of the log, and comes out the same bit for bit (on one machine at one thread count).

    Args:
        run: The run directory that it leaves; itself untouched.
        decision: The decision that the branch will make anew, counted from 1; None = the first without an outcome.
        name: Of its folder; None = branch-001, -002, ...
        why: In words.
        by: Who makes it.

    Returns:
        Its folder.

    Raises:
        RecordError: Not a run, no such decision, a damaged log, or a name that is taken or cannot be a folder's.
        StorageError: It cannot be written.
    """
    directory, trunk = RunDirectory.open(run), trunk_of(run)
    check_settings(directory)
    cut = _cut(directory, decision)
    if not cut.logged:
        check_end(directory)  # a log that lost its end lacks decisions that there were, and what came of the last
    if not cut.opened:
        raise RecordError(f"Expected a run that has begun, but {directory.path} has no log yet.", "Run it first.")
    if decision is not None and not 1 <= decision <= cut.decision:
        raise RecordError(
            f"Expected a decision from 1 to {cut.decision} to branch before, but got {decision}.",
            "A branch answers a decision anew that was chosen, or the one that comes next.",
        )
    folder = trunk / FOLDER
    with writing(folder):
        folder.mkdir(exist_ok=True)
    path = _free_folder(folder, name)
    try:
        ground = len(cut.log), carried(cut.log.removesuffix(b"\n").rpartition(b"\n")[2]) or ""
        _fill(path, directory, cut, Leaving(_parent(run), cut.decision, cut.step, why, by, _now(), *ground))
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return path


@dataclass(frozen=True)
class _Cut:
    """Where a log is cut: what comes before it, the decision that comes next, the steps done; and whether the log goes
    on with that decision."""

    log: bytes
    decision: int
    step: int
    opened: bool
    logged: bool = False


def _cut(directory: RunDirectory, decision: int | None) -> _Cut:
    """The end of what comes before a decision (None: of the last outcome and what was logged after it)."""
    lines = checked_lines(directory.events)
    offset, end, done, step = 0, 0, 0, 0
    for number, line in enumerate(lines, start=1):
        try:
            event = parse(line)
        except RecordError:
            raise damaged_line(directory.events, number) from None
        if isinstance(event, DecisionMade):
            if event.decision == decision:
                return _Cut(_first(lines, end), event.decision, event.step, True, logged=True)
            offset = end
        end += len(line) + 1
        if isinstance(event, DecisionFinished):
            done, step, offset = event.decision, event.step, end
        elif not isinstance(event, DecisionMade) and event.decision == done:
            offset = end
    return _Cut(_first(lines, offset), done + 1, step, bool(lines))


def _first(lines: list[bytes], size: int) -> bytes:
    # Not read a second time: the writer may have replaced the log's tail meanwhile.
    return b"".join(line + b"\n" for line in lines)[:size]


def _fill(path: Path, directory: RunDirectory, cut: _Cut, left: Leaving) -> None:
    with writing(path):
        (path / "checkpoints").mkdir()
        share(directory.path, path)
        shutil.copyfile(directory.config_file, path / "config.json")
        write_atomically(path / "events.jsonl", cut.log)
        for info in list_checkpoints(directory):
            # Later ones rest on a log that the branch has not got.
            if not info.damage and info.meta.get("offset", len(cut.log) + 1) <= len(cut.log):
                _link(info.path, path / "checkpoints" / info.path.name)
    link_snapshots(directory, path, cut.decision - 1)
    write_document(path / LEFT, asdict(left), indent=1)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:  # pushed out by the writer meanwhile, so there is a later one
        return
    except OSError:  # another disk, or a file system without hard links
        shutil.copy2(source, target)


def _free_folder(folder: Path, name: str | None) -> Path:
    if name is not None:
        if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name.startswith("."):
            raise RecordError(
                f"Expected a branch's name of letters, digits, dots, hyphens and underscores, but got {name!r}.",
                'Use a name like "first-free".',
            )
        path = folder / name
        try:
            path.mkdir()
        except FileExistsError:
            raise RecordError(
                f"Expected a new branch, but there is one named {name}.", "Choose another name."
            ) from None
        except OSError as error:
            raise storage_error(path, error) from error
        return path
    number = 1
    while True:
        path = folder / f"branch-{number:03d}"
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1
        except OSError as error:
            raise storage_error(path, error) from error


def _parent(run: str | Path) -> str:
    return "" if _trunk_of_branch(run) is None else Path(run).resolve().name


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")


def remove_branch(path: Path) -> None:
    """Remove a branch's folder, one that nobody has gone on with.

    Raises:
        RecordError: It is no branch.
    """
    if _trunk_of_branch(path) is None and not is_there(path / LEFT):
        raise RecordError(f"Expected a branch to remove, but {path} is none.", "Remove a run by hand.")
    shutil.rmtree(path, ignore_errors=True)


def as_row(node: Node) -> dict[str, Any]:
    """A node as plain values: name, parent (None for the trunk), decision, why, by, decisions, loss, status, note."""
    left, run = node.left, node.run
    return {
        "name": run.name,
        "parent": left.parent if left is not None else "" if node.is_branch else None,
        "decision": None if left is None else left.decision,
        "why": left.why if left is not None else "where it left is not known" if node.is_branch else "",
        "by": "" if left is None else left.by,
        "decisions": run.decisions,
        "loss": run.validation_loss,
        "evaluated": run.evaluated,
        "status": run.status,
        "note": run.note,
    }
