"""The register of a run's hypotheses: a line per study, and per extension, chained by digests.

RUN/studies/register.jsonl has with each line the hash of what was stated and the digest of the line before, so that a
statement that was changed or removed afterwards is found out.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..core.errors import RecordError
from ..core.plain import fits, parse_object
from .io.disk import writing
from .io.document import reason
from .io.regular import read_regular

FILE = "register.jsonl"


def digest_of(time: str, stated: dict[str, Any], about: dict[str, Any]) -> str:
    """The hash that the register has of what was stated.

    Args:
        time: When.
        stated: A statement, or what was added to one, as plain values.
        about: The run's settings, or the statement that was added to.
    """
    text = json.dumps([time, stated, about], sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def add(folder: Path, **entry: Any) -> None:
    """A line more in the register, chained to the one before by that one's digest; on disk when this returns.

    Raises:
        StorageError: It cannot be written.
        RecordError: Those before it cannot be read.
    """
    lines = _lines(folder)
    entry["previous"] = line_digest(lines[-1]) if lines else ""
    with writing(folder), open(folder / FILE, "ab") as out:
        # What a kill left of a line would make one with the next, and break the chain.
        out.truncate(sum(map(len, lines)))
        out.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        out.flush()
        os.fsync(out.fileno())


def registered(path: Path) -> tuple[str | None, list[str]]:
    """The hashes that the register has for a study (None: it has none, or its chain is broken) and its extensions.

    Args:
        path: The study's folder.

    Raises:
        RecordError: It cannot be read.
        ValueError, KeyError: A line is damaged.
    """
    previous, found, extended = "", None, []
    for line in _lines(path.parent):
        entry = parse_object(line)
        if entry["previous"] != previous:
            return None, []
        previous = line_digest(line)
        if entry["name"] == path.name and "extension" in entry:
            extended.append(entry["hash"])
        elif entry["name"] == path.name:
            found = entry["hash"]
    return found, extended


def names(folder: Path, primary: bool = False) -> list[str]:
    """The studies that the register has; those that state a hypothesis alone, where asked.

    Raises:
        RecordError: It cannot be read.
    """
    found = []
    for number, line in enumerate(_lines(folder), start=1):
        try:
            entry = parse_object(line)
            if not fits(entry["name"], str):
                raise ValueError("its name is none")
        except (ValueError, KeyError) as error:
            raise RecordError(
                f"Expected a study in line {number} of {folder / FILE}, but the line is damaged ({reason(error)}).",
                "Restore it from a copy.",
            ) from None
        if "extension" not in entry and (not primary or entry.get("primary", True)):
            found.append(entry["name"])
    return found


def _lines(folder: Path) -> list[bytes]:
    """The register's lines, each with its end; a torn last one does not count.

    Raises:
        RecordError: It cannot be read.
    """
    return [line + b"\n" for line in whole_lines(folder / FILE)]


def whole_lines(path: Path) -> list[bytes]:
    """A file's whole lines, without their newlines; none where there is no file.

    Raises:
        RecordError: It cannot be read.
    """
    try:
        return read_regular(path).split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RecordError(
            f"Expected to read {path}, but the system says: {error.strerror}.", "Restore it from a copy."
        ) from None


def line_digest(line: bytes) -> str:
    """A line's digest, its end left out: 32 hexadecimal digits."""
    return hashlib.blake2b(line.rstrip(b"\n"), digest_size=16).hexdigest()
