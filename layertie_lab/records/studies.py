"""Hypotheses on disk: stated before their replicates run, with a time and a hash, and the replicates as they finish.

What is stated is plain values here; `counterfactual.spec.StudySpec` says which, and what they mean.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from ..core.config import RunConfig
from ..core.errors import LayertieError, RecordError, StorageError
from ..core.plain import fits, parse_object
from . import register
from .directory import RunDirectory
from .io import sealing
from .io.chain import Chain, carried
from .io.disk import write_atomically, writing
from .io.document import read_document, reason, write_document
from .io.lock import WriterLock, is_held
from .io.regular import is_there, read_regular
from .io.sealing import Tensor
from .state.checkpoints import CheckpointInfo

FORMAT = 1
REPLICATES = "replicates.jsonl"
CAME = "came.json"
"""Says how many replicates have come: a file that has lost its end is found out."""
LINE_BYTES = 8_192
"""What a replicate's line takes at most at the usual horizons and depths; measured: .9 to 3 kB."""
NEEDED = {"config_hash": str, "decision": int, "primary": bool, "replicates": int, "first_replicate": int}
"""Names of a statement that are read here, and their kinds."""


@dataclass
class StudyFolder:
    """RUN/studies/NAME: `statement.json`, `moment.safetensors` (where the fork starts), `replicates.jsonl`, and
    `came.json`, which says how many of these there are. `extension-001.json` and so on: replicates that were added when
    those before had come.

    RUN/studies/register.jsonl has a line per study, and per extension, with its hash and that of the line before, so
    that a statement changed afterwards is found out. Make one with `StudyFolder.state` or `StudyFolder.open`.

    Args:
        path: The folder.
        statement: What was stated, as plain values.
        config: The run's settings.
        stated_at: When, in UTC, as ISO 8601 has it.
        moment_digest: That of the moment of the fork; "" in studies from before it was noted.
        extensions: What was added to it, in order, as plain values: `time`, `looks` (the plan from then on),
            `replicates` (so many altogether) and `first_replicate` (number of the first that was added).
    """

    path: Path
    statement: dict[str, Any]
    config: RunConfig
    stated_at: str
    moment_digest: str = ""
    extensions: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """An existing study.

        Raises:
            RecordError: No study there, a damaged one, or one whose statement was changed after it was made.
        """
        path = Path(path)
        file = path / "statement.json"
        try:
            values = parse_object(read_regular(file))
            _check_kinds(values["statement"])
            study = cls(path, values["statement"], RunConfig.from_dict(values["config"]), values["time"])
            study.moment_digest = str(values.get("moment", ""))
            stated = register.digest_of(values["time"], values["statement"], values["config"])
            registered, extended = register.registered(path)
            intact = stated == values["hash"] == registered
        except (FileNotFoundError, NotADirectoryError):
            raise RecordError(
                f"Expected a study in {path}, but there is no statement.json.",
                "`layertie twins RUN --list` lists them.",
            ) from None
        except (ValueError, KeyError, TypeError, LayertieError) as error:
            raise RecordError(
                f"Expected a study's statement in {file}, but it cannot be read ({error}).", "Restore it from a copy."
            ) from None
        except OSError as error:
            raise RecordError(
                f"Expected a study's statement in {file}, but the system says: {error.strerror}.",
                "Restore it from a copy.",
            ) from None
        if not intact:
            raise RecordError(
                f"Expected the statement of {path.name} as it was made before its replicates, but it (or the register "
                "of the run's studies) was changed afterwards.",
                "A hypothesis cannot be edited, only followed by another: state a new one.",
            )
        study.extensions = [study._extension(number, digest) for number, digest in enumerate(extended, start=1)]
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
        lock = WriterLock(folder / "register.lock")
        try:
            values = {**statement, "first_replicate": _free_number(run)}
            path = _new_folder(folder)
            try:
                moment = _take_moment(checkpoint, path, values["decision"])
            except BaseException:
                shutil.rmtree(path, ignore_errors=True)
                raise
            time, config = datetime.now(UTC).isoformat(timespec="seconds"), directory.config.to_dict()
            digest = register.digest_of(time, values, config)
            register.add(folder, time=time, name=path.name, primary=values["primary"], hash=digest)
            stated = {"format": FORMAT, "time": time, "hash": digest, "statement": values, "config": config}
            stated["moment"] = moment
            write_atomically(path / "statement.json", json.dumps(stated, indent=1).encode() + b"\n")
            (path / "statement.json").chmod(0o444)
        finally:
            lock.release()
        return cls(path, values, directory.config, time, moment)

    @classmethod
    def all_of(cls, run: str | Path) -> tuple[list[Self], list[str]]:
        """The studies of a run, oldest first, and a sentence for each that cannot be read or has lost replicates.

        A folder without a statement is what a kill left before it was stated, and is passed over.
        """
        found, damaged = cls.stated_of(run)
        whole = []
        for study in found:
            try:
                study.replicates()
            except RecordError as error:
                damaged.append(f"{study.name}: {error}")
            else:
                whole.append(study)
        return whole, damaged

    @classmethod
    def stated_of(cls, run: str | Path) -> tuple[list[Self], list[str]]:
        """As `all_of`, by the statements alone."""
        folder = Path(run) / "studies"
        found, damaged, there = [], [], set()
        for path in sorted(folder.glob("study-*")):
            if is_there(path / "statement.json"):
                there.add(path.name)
                try:
                    found.append(cls.open(path))
                except RecordError as error:
                    damaged.append(f"{path.name}: {error}")
        try:
            gone = [name for name in register.names(folder) if name not in there]
        except RecordError as error:
            return found, [*damaged, str(error)]
        return found, [*damaged, *(f"{name} was stated, and its statement.json is missing." for name in gone)]

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
        return self.is_running(self.path)

    @staticmethod
    def is_running(path: Path) -> bool:
        """Whether anybody is adding replicates now to the study in a folder, which is not read for it."""
        return is_held(path / "writer.lock")

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of its replicates, in the order in which a verdict takes them."""
        parts = (self.statement, *self.extensions)
        return numbers_of([(part["first_replicate"], part["replicates"]) for part in parts])

    def extend(self, looks: Mapping[str, Any], replicates: int) -> Self:
        """Add replicates to those that have all come; written down before the first of them.

        Args:
            looks: The plan of interim analyses from now on, as plain values.
            replicates: So many altogether.

        Returns:
            The study as it is now.

        Raises:
            RecordError: Replicates are being added, not all have come, or no more are asked for than there are.
            StorageError: It cannot be written.
        """
        lock = self.lock()
        try:
            of_register = WriterLock(self.path.parent / "register.lock")
            try:
                now = type(self).open(self.path)  # somebody else may have extended it meanwhile
                wanted, came = len(now.numbers), len(in_order(now.replicates(), now.numbers))
                if came < wanted or replicates <= wanted:
                    raise RecordError(
                        f"Expected to add to all of the {wanted} replicates of {self.name}, but {came} have come and "
                        f"{replicates} altogether are asked for.",
                        "Go on with the study first; add as many as you like when they have come.",
                    )
                time, number = datetime.now(UTC).isoformat(timespec="seconds"), len(now.extensions) + 1
                added = {"looks": dict(looks), "replicates": replicates, "first_replicate": _free_number(self.run)}
                digest = register.digest_of(time, added, now.statement)
                values = {"format": FORMAT, "time": time, "hash": digest, "extension": added}
                file = _extension_file(self.path, number)
                file.unlink(missing_ok=True)  # of one that a kill left before it counted
                write_atomically(file, json.dumps(values, indent=1).encode() + b"\n")
                file.chmod(0o444)
                primary = now.statement["primary"]
                register.add(
                    self.path.parent, time=time, name=self.name, primary=primary, extension=number, hash=digest
                )
            finally:
                of_register.release()
        finally:
            lock.release()
        return type(self).open(self.path)

    def _extension(self, number: int, digest: str) -> dict[str, Any]:
        """What was added, as it was registered.

        Raises:
            RecordError: It is missing, or was changed afterwards.
        """
        file = _extension_file(self.path, number)
        try:
            values = parse_object(read_regular(file))
            added = values["extension"]
            kinds = all(type(added[name]) is int for name in ("replicates", "first_replicate"))
            if kinds and register.digest_of(values["time"], added, self.statement) == digest:
                return {"time": values["time"], **added}
            said = "it was changed afterwards"
        except (OSError, ValueError, KeyError, TypeError) as error:
            said = f"it cannot be read ({reason(error)})"
        raise RecordError(f"Expected what was added to {self.name} in {file}, but {said}.", "Restore it from a copy.")

    def lock(self) -> WriterLock:
        """Become the one that adds replicates.

        Raises:
            RecordError: Somebody else is.
        """
        return WriterLock(self.path / "writer.lock")

    def moment(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and meta of the moment of the fork.

        Raises:
            RecordError: It is missing, damaged, or another one than the study was stated about.
        """
        file = self.path / "moment.safetensors"
        if not is_there(file):
            raise RecordError(f"Expected the moment of the fork in {file}, but it is missing.", "State it again.")
        header, tensors = sealing.read(file)
        meta = parse_object(header["meta"], finite=False)
        same = header["digest"] == (self.moment_digest or header["digest"])
        if not same or meta.get("config_hash", self.config.hash) != self.config.hash:
            raise RecordError(
                f"Expected the moment that {self.name} was stated about in {file}, but it is another one's.",
                "Restore the file from a copy, or state the hypothesis again.",
            )
        return tensors, meta

    def replicates(self) -> list[dict[str, Any]]:
        """What has come so far, by number of the replicate; a torn last line, left by a kill, does not count.

        Raises:
            RecordError: Another line is damaged, or fewer are there than had come.
        """
        found: dict[int, dict[str, Any]] = {}
        file, chain = self.path / REPLICATES, Chain(self._key)
        lines = register.whole_lines(file)
        for number, line in enumerate(lines, start=1):
            torn = not chain.follows(line)
            try:
                values = parse_object(line)
                values.pop("digest", None)
                replicate = values["replicate"]
                torn = torn or type(replicate) is not int
            except (ValueError, KeyError):
                torn, replicate, values = True, 0, {}
                # From before lines carried digests: what a kill tore was ended by the next process that went on.
                if not chain.carries and line.startswith(b'{"replicate":'):
                    continue
            if torn:
                raise RecordError(
                    f"Expected a replicate in line {number} of {file}, but the line is damaged or does not follow the "
                    "one before it.",
                    f"Restore the file from a copy; or remove it and {CAME}, and the study trains its replicates "
                    "again, which come out the same.",
                )
            found.setdefault(replicate, values)
        self._check_came(lines)
        numbers = self.numbers
        return [found[number] for number in sorted(found) if number in numbers]

    @property
    def _key(self) -> str:
        """What the replicates are chained to: those of another study do not pass for this one's."""
        return register.line_digest(json.dumps([self.name, self.stated_at, self.statement], sort_keys=True).encode())

    def _check_came(self, lines: list[bytes]) -> None:
        """Refuse replicates of which some have come and are gone."""
        file = self.path / CAME
        try:
            came = read_document(file)
            count, digest = came["lines"], came["last"]
            whole = fits(count, int) and (not count or (count <= len(lines) and carried(lines[count - 1]) == digest))
        except FileNotFoundError:  # a study from before it was written, or one that nothing has come of
            return
        except (OSError, ValueError, KeyError) as error:
            raise RecordError(
                f"Expected how many replicates have come in {file}, but it cannot be read ({reason(error)}).",
                "Restore it from a copy; or remove it, where all of them are there.",
            ) from None
        if not whole:
            raise RecordError(
                f"Expected the {count} replicates that have come in {self.path / REPLICATES}, but {len(lines)} are "
                "there.",
                f"Restore the file from a copy; or remove {file}, and the study trains the missing ones again.",
            )

    def keep(self, suffix: str, content: bytes) -> Path:
        """Write what was made of the study beside it, for a person to keep; nothing here reads it again.

        Args:
            suffix: Of the file: html or json.
            content: Of it.

        Returns:
            The file.

        Raises:
            StorageError: It cannot be written.
        """
        file = self.path / f"kept.{suffix}"
        write_atomically(file, content)
        return file

    def append(self, values: dict[str, Any]) -> None:
        """Keep a replicate: one line, on disk when this returns.

        Raises:
            StorageError: It cannot be written; those before it are safe.
            RecordError: Those before it are damaged.
        """
        file = self.path / REPLICATES
        lines = register.whole_lines(file)
        chain = Chain.after(lines[-1] if lines else None, self._key)
        line = chain.sealed(json.dumps(values, separators=(",", ":")).encode()) + b"\n"
        with writing(file), open(file, "ab") as out:
            out.truncate(sum(len(each) + 1 for each in lines))  # what a kill left of a line would be one with this
            out.write(line)
            out.flush()
            os.fsync(out.fileno())
        if chain.carries:
            write_document(self.path / CAME, {"lines": len(lines) + 1, "last": chain.previous})


def numbers_of(blocks: Sequence[tuple[int, int]]) -> Sequence[int]:
    """The numbers of a study's replicates.

    Args:
        blocks: (number of its first replicate, replicates up to its end) of what was stated and of each extension.
    """
    ends = [0, *(end for _, end in blocks)]
    parts = [range(first, first + end - before) for (first, end), before in zip(blocks, ends, strict=False)]
    return parts[0] if len(parts) == 1 else tuple(number for part in parts for number in part)


def in_order(replicates: list[dict[str, Any]], numbers: Sequence[int]) -> list[dict[str, Any]]:
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
    with suppress(RecordError):  # a register that cannot be read has no study that can, and says so with each
        return [name for name in register.names(Path(run) / "studies", primary=True) if name not in known]
    return []


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


def _free_number(run: str | Path) -> int:
    """The first number that no replicate of the run's studies has."""
    return max((study.numbers[-1] + 1 for study in StudyFolder.stated_of(run)[0]), default=1)


def _extension_file(path: Path, number: int) -> Path:
    return path / f"extension-{number:03d}.json"


def _new_folder(folder: Path) -> Path:
    numbers = [int(path.name[6:]) for path in folder.glob("study-*") if path.name[6:].isdigit()]
    path = folder / f"study-{max(numbers, default=0) + 1:03d}"
    with writing(path):
        path.mkdir()
    return path


def _take_moment(checkpoint: CheckpointInfo, path: Path, decision: int) -> str:
    """Share the checkpoint's file, and see that it is still the one that was chosen: the run may be training.

    Returns:
        Its digest.
    """
    target = path / "moment.safetensors"
    try:
        with writing(path):
            _share(checkpoint.path, target)
        header = sealing.read_header(target)
        if parse_object(header["meta"], finite=False)["decision"] + 1 == decision:
            return header["digest"]
    except (StorageError, RecordError, KeyError, ValueError):
        if checkpoint.path.exists():
            raise
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
