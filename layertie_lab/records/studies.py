"""Hypotheses on disk: stated before their replicates run, with a time and a hash, and the replicates as they finish.

What is stated is plain values here; `counterfactual.spec.StudySpec` says which, and what they mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from ..core.config import RunConfig
from ..core.errors import LayertieError, RecordError, StorageError
from .directory import RunDirectory
from .io import sealing
from .io.disk import write_atomically, writing
from .io.lock import WriterLock, is_held
from .io.sealing import Tensor
from .state.checkpoints import CheckpointInfo

FORMAT = 1
LINE_BYTES = 8_192
"""What a replicate's line takes at most at the usual horizons and depths; measured: .9 to 3 kB."""
NEEDED = {"config_hash": str, "decision": int, "primary": bool, "replicates": int, "first_replicate": int}
"""Names of a statement that are read here, and their kinds."""


@dataclass
class StudyFolder:
    """RUN/studies/NAME: `statement.json`, `moment.safetensors` (where the fork starts) and `replicates.jsonl`.

    RUN/studies/register.jsonl has a line per study with the statement's hash and that of the line before, so that a
    statement changed afterwards is found out. Make one with `StudyFolder.state` or `StudyFolder.open`.

    Args:
        path: The folder.
        statement: What was stated, as plain values.
        config: The run's settings.
        stated_at: When, in UTC, as ISO 8601 has it.
    """

    path: Path
    statement: dict[str, Any]
    config: RunConfig
    stated_at: str

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """An existing study.

        Raises:
            RecordError: No study there, a damaged one, or one whose statement was changed after it was made.
        """
        path = Path(path)
        file = path / "statement.json"
        try:
            values = json.loads(file.read_bytes())
            _check_kinds(values["statement"])
            study = cls(path, values["statement"], RunConfig.from_dict(values["config"]), values["time"])
            stated = _digest(values["time"], values["statement"], values["config"])
            intact = stated == values["hash"] == _registered(path)
        except (FileNotFoundError, NotADirectoryError):
            raise RecordError(
                f"Expected a study in {path}, but there is no statement.json.",
                "`layertie twins RUN --list` lists them.",
            ) from None
        except (OSError, ValueError, KeyError, TypeError, LayertieError) as error:
            raise RecordError(
                f"Expected a study's statement in {file}, but it cannot be read ({error}).", "Restore it from a copy."
            ) from None
        if not intact:
            raise RecordError(
                f"Expected the statement of {path.name} as it was made before its replicates, but it (or the register "
                "of the run's studies) was changed afterwards.",
                "A hypothesis cannot be edited, only followed by another: state a new one.",
            )
        return study

    @classmethod
    def state(cls, run: str | Path, statement: Mapping[str, Any], checkpoint: CheckpointInfo) -> Self:
        """Write a hypothesis down, before its first replicate.

        Args:
            run: The run directory; it may be training.
            statement: What is stated, as plain values; `first_replicate` is chosen here.
            checkpoint: The stored moment of the fork; its file is shared by a hard link where the disk can.

        Raises:
            RecordError: The statement is about another run or another moment.
            StorageError: The disk has no room for the study, or cannot be written.
        """
        directory = RunDirectory.open(run)
        _check_kinds(statement)
        _check_fits(directory, statement, checkpoint)
        folder = directory.path / "studies"
        _check_room(directory.path, checkpoint, statement["replicates"])
        with writing(folder):
            folder.mkdir(exist_ok=True)
        register = WriterLock(folder / "register.lock")
        try:
            taken = [study.numbers.stop for study in StudyFolder.all_of(run)[0]]
            values = {**statement, "first_replicate": max(taken, default=1)}
            path = _new_folder(folder)
            try:
                _take_moment(checkpoint, path, values["decision"])
            except BaseException:
                shutil.rmtree(path, ignore_errors=True)
                raise
            time, config = datetime.now(UTC).isoformat(timespec="seconds"), directory.config.to_dict()
            digest = _digest(time, values, config)
            _register(folder, time=time, name=path.name, primary=values["primary"], hash=digest)
            stated = {"format": FORMAT, "time": time, "hash": digest, "statement": values, "config": config}
            write_atomically(path / "statement.json", json.dumps(stated, indent=1).encode() + b"\n")
            (path / "statement.json").chmod(0o444)
        finally:
            register.release()
        return cls(path, values, directory.config, time)

    @classmethod
    def all_of(cls, run: str | Path) -> tuple[list[Self], list[str]]:
        """The studies of a run, oldest first, and a sentence for each that cannot be read.

        A folder without a statement is what a kill left before it was stated, and is passed over.
        """
        found, damaged = [], []
        for path in sorted((Path(run) / "studies").glob("study-*")):
            if (path / "statement.json").exists():
                try:
                    found.append(cls.open(path))
                except RecordError as error:
                    damaged.append(str(error))
        return found, damaged

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def run(self) -> Path:
        """The run directory that it is about."""
        return self.path.parents[1]

    @property
    def running(self) -> bool:
        """Whether anybody is adding replicates now."""
        return is_held(self.path / "writer.lock")

    @property
    def numbers(self) -> range:
        """The numbers of its replicates."""
        first = self.statement["first_replicate"]
        return range(first, first + self.statement["replicates"])

    def lock(self) -> WriterLock:
        """Become the one that adds replicates.

        Raises:
            RecordError: Somebody else is.
        """
        return WriterLock(self.path / "writer.lock")

    def moment(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and meta of the moment of the fork.

        Raises:
            RecordError: It is missing or damaged.
        """
        file = self.path / "moment.safetensors"
        if not file.exists():
            raise RecordError(f"Expected the moment of the fork in {file}, but it is missing.", "State it again.")
        header, tensors = sealing.read(file)
        return tensors, json.loads(header["meta"])

    def replicates(self) -> list[dict[str, Any]]:
        """What has come so far, by number of the replicate; a torn last line, left by a kill, does not count.

        Raises:
            RecordError: Another line is damaged.
        """
        found: dict[int, dict[str, Any]] = {}
        file = self.path / "replicates.jsonl"
        lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
        for number, line in enumerate(lines, start=1):
            try:
                values = json.loads(line)
                found.setdefault(int(values["replicate"]), values)
            except (ValueError, KeyError, TypeError):
                # A line that a kill tore is the last one, or has been ended by the next process that went on.
                if line.endswith(b"\n") and not line.startswith(b'{"replicate":'):
                    raise RecordError(
                        f"Expected a replicate in line {number} of {file}, but the line is damaged.",
                        "Restore the file from a copy; or remove the line, and the study trains that replicate again.",
                    ) from None
        return [found[number] for number in sorted(found) if number in self.numbers]

    def append(self, values: dict[str, Any]) -> None:
        """Keep a replicate: one line, on disk when this returns.

        Raises:
            StorageError: It cannot be written; those before it are safe.
        """
        file = self.path / "replicates.jsonl"
        with writing(file), open(file, "ab") as out:
            start = out.seek(0, os.SEEK_END)
            torn = start > 0 and _last_byte(file) != b"\n"
            out.write((b"\n" if torn else b"") + json.dumps(values, separators=(",", ":")).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())


def in_order(replicates: list[dict[str, Any]], numbers: range) -> list[dict[str, Any]]:
    """The replicates of a study's numbers without a gap: a verdict takes them in their order, not as they finish."""
    known = {values["replicate"]: values for values in replicates}
    prefix = []
    for number in numbers:
        if number not in known:
            break
        prefix.append(known[number])
    return prefix


def missing_studies(run: str | Path, readable: Iterable[StudyFolder]) -> list[str]:
    """Names of the hypotheses that the register has and that cannot be read: removed, or changed afterwards.

    They were stated, and so they count among the hypotheses of the run.
    """
    known = {study.name for study in readable}
    found = []
    for line in _lines(Path(run) / "studies"):
        with suppress(ValueError, KeyError):
            entry = json.loads(line)
            if entry["name"] not in known and entry.get("primary", True):
                found.append(entry["name"])
    return found


def _check_kinds(statement: Mapping[str, Any]) -> None:
    for name, kind in NEEDED.items():
        value = statement.get(name) if isinstance(statement, Mapping) else None
        if type(value) is not kind:
            raise RecordError(
                f"Expected {name} of a study to be of kind {kind.__name__}, but got {value!r}.",
                "Make it from a StudySpec.",
            )


def _check_fits(directory: RunDirectory, statement: Mapping[str, Any], checkpoint: CheckpointInfo) -> None:
    if statement["config_hash"] != directory.config.hash:
        raise RecordError(
            f"Expected a statement about a run with config {directory.config.hash}, but it is about "
            f"{statement['config_hash']}.",
            "State it about the run that it was made for.",
        )
    meta = checkpoint.meta
    if checkpoint.damage or meta.get("decision") != statement["decision"] - 1 or meta.get("under_way") is not None:
        found = checkpoint.damage or f"that after decision {meta.get('decision')}"
        raise RecordError(
            f"Expected the moment before decision {statement['decision']}, but {checkpoint.name} is {found}.",
            "Choose a moment that is stored, or branch from it first.",
        )


def _check_room(path: Path, checkpoint: CheckpointInfo, replicates: int) -> None:
    needed = checkpoint.bytes + LINE_BYTES * replicates
    free = shutil.disk_usage(path).free
    if free < needed:
        raise StorageError(
            f"Expected {needed / 1e6:.1f} MB of room in {path} for the moment and {replicates} replicates, "
            f"but {free / 1e6:.1f} MB are free.",
            "Free some space, or move the run to another disk.",
        )


def _new_folder(folder: Path) -> Path:
    numbers = [int(path.name[6:]) for path in folder.glob("study-*") if path.name[6:].isdigit()]
    path = folder / f"study-{max(numbers, default=0) + 1:03d}"
    with writing(path):
        path.mkdir()
    return path


def _take_moment(checkpoint: CheckpointInfo, path: Path, decision: int) -> None:
    """Share the checkpoint's file, and see that it is still the one that was chosen: the run may be training."""
    target = path / "moment.safetensors"
    try:
        with writing(path):
            _share(checkpoint.path, target)
        found = json.loads(sealing.read_header(target)["meta"])["decision"] + 1
    except (StorageError, RecordError, KeyError, ValueError):
        if checkpoint.path.exists():
            raise
        found = None
    if found != decision:
        raise RecordError(
            f"Expected the moment before decision {decision} to be stored, but the run, which is training, "
            "has replaced it meanwhile.",
            "Ask again; a moment before a person's override, or one that --moment-every stores, stays.",
        )


def _share(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without hard links
        shutil.copyfile(source, target)


def _digest(time: str, statement: dict[str, Any], config: dict[str, Any]) -> str:
    text = json.dumps([time, statement, config], sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _register(folder: Path, **entry: Any) -> None:
    """A line more in the register, chained to the one before by that one's digest."""
    lines = _lines(folder)
    entry["previous"] = _line_digest(lines[-1]) if lines else ""
    with writing(folder), open(folder / "register.jsonl", "ab") as out:
        # What a kill left of a line would make one with the next, and break the chain.
        out.truncate(sum(map(len, lines)))
        out.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        out.flush()
        os.fsync(out.fileno())


def _lines(folder: Path) -> list[bytes]:
    """The register's lines, each with its end; a torn last one does not count."""
    with suppress(FileNotFoundError):
        lines = (folder / "register.jsonl").read_bytes().splitlines(keepends=True)
        return lines if not lines or lines[-1].endswith(b"\n") else lines[:-1]
    return []


def _line_digest(line: bytes) -> str:
    return hashlib.blake2b(line.rstrip(b"\n"), digest_size=16).hexdigest()


def _registered(path: Path) -> str | None:
    """The hash that the register has for a study; None where it has none or its chain is broken."""
    previous, found = "", None
    for line in _lines(path.parent):
        entry = json.loads(line)
        if entry["previous"] != previous:
            return None
        previous = _line_digest(line)
        if entry["name"] == path.name:
            found = entry["hash"]
    return found


def _last_byte(file: Path) -> bytes:
    with open(file, "rb") as inside:
        inside.seek(-1, os.SEEK_END)
        return inside.read(1)
