"""Checkpoints: tensors and JSON in one safetensors file, written in one step, with a digest against damage."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import replace as replace_in
from pathlib import Path
from typing import Any

from ...core.errors import RecordError
from ...core.plain import parse_object
from ..directory import RunDirectory
from ..io import sealing
from ..io.disk import clear_unfinished, discard, replace, storage_error, sync_directory, temporary_beside, writing
from ..io.sealing import Tensor
from ..log.ground import Ground

ROLLING = 2
"""Rolling checkpoints kept: the latest, and the one before it in case the latest is damaged."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint's file says about itself, without its tensors.

    Args:
        name: Its name; rolling ones are called `rolling-NNNNNN`.
        path: Its file.
        sequence: Counts the run's checkpoints; the latest has the largest.
        rolling: Whether later rolling checkpoints push it out.
        resumable: Whether a run may go on from it.
        meta: The JSON saved with it; empty where the header is damaged.
        bytes: Size of the file.
        modified: When it was written, seconds since 1970.
        damage: What is wrong with its header, or that it is another run's; "" as a rule.
        of_another: Whether it is whole, and another run's.
    """

    name: str
    path: Path
    sequence: int
    rolling: bool
    resumable: bool
    meta: dict[str, Any]
    bytes: int
    modified: float
    damage: str = ""
    of_another: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and found whole.

    Args:
        info: Where it came from.
        tensors: As saved, on the CPU, each with its own memory.
        skipped: One sentence per later checkpoint that was damaged and passed over.
    """

    info: CheckpointInfo
    tensors: dict[str, Tensor]
    skipped: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return self.info.name

    @property
    def path(self) -> Path:
        """Its file."""
        return self.info.path

    @property
    def meta(self) -> dict[str, Any]:
        """The JSON saved with it."""
        return self.info.meta


def save_checkpoint(
    directory: RunDirectory,
    name: str | None,
    tensors: Mapping[str, Tensor],
    meta: Mapping[str, Any],
    *,
    resumable: bool = True,
) -> Path:
    """Write a checkpoint in one step; a crash leaves the old files as they were.

    Args:
        directory: The run.
        name: Kept under this name (replacing an older one); None for a rolling one, of which the last two are kept.
        tensors: No two may share memory. Any device and layout of strides.
        meta: JSON: text keys; tuples come back as lists. Numbers that are not finite are kept.
        resumable: Whether `load_checkpoint` without a name may choose it (False for weights alone).

    Returns:
        Its file.

    Raises:
        RecordError: A bad name, tensors that share memory, meta that is not JSON, or `directory` does not hold the
            run's lock.
        StorageError: It cannot be written; the earlier checkpoints are intact.
    """
    if name is not None and (not _NAME.fullmatch(name) or name.startswith("rolling-")):
        raise RecordError(
            f"Expected a checkpoint name of letters, digits, dots, hyphens and underscores, but got {name!r}.",
            'Use a name like "best"; names that begin with "rolling-" are taken.',
        )
    directory.check_locked()
    folder = directory.checkpoints
    with writing(folder):
        folder.mkdir(exist_ok=True)
    known = list_checkpoints(directory)
    sequence = max((info.sequence for info in known), default=0) + 1
    path = folder / f"{name or f'rolling-{sequence:06d}'}{_SUFFIX}"
    header = {
        "meta": _to_json(meta),
        "sequence": str(sequence),
        "rolling": json.dumps(name is None),
        "resumable": json.dumps(resumable),
    }
    clear_unfinished(folder)
    temporary = temporary_beside(path)
    try:
        sealing.write(temporary, tensors, header)
        # safetensors makes files that only their owner may read; a run's files should all be alike.
        shutil.copymode(directory.config_file, temporary)
        replace(temporary, path)
        sync_directory(folder)
    except OSError as error:
        raise storage_error(path, error, "then save again; the log and the earlier checkpoints are safe") from error
    finally:
        discard(temporary)
    if name is None:
        _push_out(known)
    return path


def load_checkpoint(
    directory: RunDirectory, name: str | None = None, *, accept: Callable[[dict[str, Any]], bool] | None = None
) -> Checkpoint:
    """Read a checkpoint.

    Args:
        directory: The run.
        name: Which one; None for the latest resumable one that is whole (damaged ones are passed over and reported in
            `Checkpoint.skipped`).
        accept: With `name=None`: called with a candidate's meta; False passes it over silently.

    Raises:
        RecordError: There is none, or all are damaged; the message names them.
    """
    known = list_checkpoints(directory)
    if name is not None:
        found = [info for info in known if info.name == name]
        if not found:
            names = ", ".join(info.name for info in known) or "none"
            raise RecordError(
                f"Expected a checkpoint named {name!r} in {directory.path}, but it has: {names}.",
                "Choose one of these.",
            )
        return _read(found[0])
    skipped: list[str] = []
    for info in sorted(known, key=lambda info: info.sequence, reverse=True):
        if info.damage:
            skipped.append(info.damage)
        elif info.resumable and (accept is None or accept(info.meta)):
            try:
                found_one = _read(info)
            except RecordError as error:
                if not info.path.exists():  # pushed out by the writer meanwhile, so there is a later one
                    return load_checkpoint(directory, accept=accept)
                skipped.append(error.message)
            else:
                return Checkpoint(found_one.info, found_one.tensors, tuple(skipped))
    damage = "".join(f" {sentence}" for sentence in skipped)
    raise RecordError(
        f"Expected a checkpoint to resume from in {directory.path}, but there is no whole one.{damage}",
        "Start the run again from its config.json in a new folder; its log can still be read.",
    )


def list_checkpoints(directory: RunDirectory) -> list[CheckpointInfo]:
    """All checkpoints, oldest first. Reads headers only; what is damaged or another run's is listed with its damage."""
    ground = Ground(directory)
    found = [_info(path) for path in directory.checkpoints.glob(f"*{_SUFFIX}") if not path.name.startswith(".")]
    held = [_on(ground, info) for info in found if info is not None]
    return sorted(held, key=lambda info: (info.sequence, info.name))


def _on(ground: Ground, info: CheckpointInfo) -> CheckpointInfo:
    """The same, or damaged where it is no state of the run."""
    how = "" if info.damage else ground.misfit(info.meta)
    if not how:
        return info
    return replace_in(info, damage=sealing.damaged(info.path, how).message, resumable=False, of_another=True)


def _info(path: Path) -> CheckpointInfo | None:
    try:
        status = path.lstat()
    except FileNotFoundError:  # pushed out by the writer between the listing and here
        return None
    try:
        return _described(path, sealing.read_header(path), status)
    except (RecordError, OSError):
        number = re.fullmatch(r"rolling-(\d+)", path.stem)
        return CheckpointInfo(
            name=path.stem,
            path=path,
            sequence=int(number[1]) if number else 0,
            rolling=number is not None,
            resumable=False,
            meta={},
            bytes=status.st_size,
            modified=status.st_mtime,
            damage=sealing.damaged(path).message,
        )


def _described(path: Path, header: Mapping[str, str], status: os.stat_result) -> CheckpointInfo:
    try:
        return CheckpointInfo(
            name=path.stem,
            path=path,
            sequence=int(header["sequence"]),
            rolling=header["rolling"] == "true",
            resumable=header["resumable"] == "true",
            meta=parse_object(header["meta"], finite=False),
            bytes=status.st_size,
            modified=status.st_mtime,
        )
    except (KeyError, ValueError):
        raise sealing.damaged(path) from None


def _read(info: CheckpointInfo) -> Checkpoint:
    if info.damage:
        raise RecordError(info.damage, sealing.EARLIER)
    header, tensors = sealing.read(info.path)
    return Checkpoint(_described(info.path, header, info.path.stat()), tensors)


def _to_json(meta: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(meta), separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise RecordError(
            f"Expected a checkpoint's meta to be JSON, but got something else ({error}).",
            "Put tensors among the tensors, and plain numbers, text and lists into meta.",
        ) from None


def _push_out(known: list[CheckpointInfo]) -> None:
    """Remove rolling ones older than those to keep; `known` are the ones before the one just written."""
    rolling = [info for info in known if info.rolling]
    kept = [info.sequence for info in rolling if not info.damage][1 - ROLLING :]
    for info in [info for info in rolling if kept and info.sequence < kept[0]]:
        discard(info.path)  # where a reader keeps Windows from removing it, the next save does
