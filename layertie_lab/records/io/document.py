"""Small JSON files that carry a digest of what they hold, so that a change shows; older ones carry none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...core.plain import parse_object
from .disk import write_atomically
from .regular import read_regular

_DIGEST = "digest"


def write_document(path: Path, values: Mapping[str, Any], *, indent: int | None = None) -> None:
    """Write plain values in one step, with their digest.

    Raises:
        StorageError: They cannot be written; the old file, if any, is untouched.
    """
    sealed = {**values, _DIGEST: _digest(values)}
    write_atomically(path, json.dumps(sealed, indent=indent).encode() + b"\n")


class NewerFormatError(ValueError):
    """A document of a newer version, whose digest may be another kind.

    Args:
        number: Its format.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"it has format {number}")
        self.number = number


def read_document(
    path: Path, *, digest_needed: bool = False, finite: bool = True, newest: int | None = None
) -> dict[str, Any]:
    """What `write_document` wrote, without the digest.

    Args:
        path: The file.
        digest_needed: Refuse one that carries no digest.
        finite: Refuse NaN and infinity.
        newest: The highest format that is known; None where a document has none.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read, or is no regular file.
        NewerFormatError: Its format is above the newest.
        ValueError: It is damaged; the message says how, as the end of a sentence.
    """
    values = parse_object(read_regular(path), finite=finite)
    number = values.get("format")
    if newest is not None and type(number) is int and number > newest:
        raise NewerFormatError(number)
    if _DIGEST not in values:
        if digest_needed:
            raise ValueError("it carries no digest")
        return values
    said = values.pop(_DIGEST)
    if said != _digest(values):
        raise ValueError("it was changed since it was written: its digest is another's")
    return values


def reason(error: OSError | ValueError | KeyError | TypeError) -> str:
    """Why a file cannot be read, as the end of a sentence."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
