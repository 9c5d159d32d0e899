"""Texts that visitors bring: `texts/NAME-DIGEST.SUFFIX` beside their runs, so that these can go on."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import StorageError
from .io.disk import clear_unfinished, write_atomically, writing

FOLDER = "texts"
"""Name of the folder, in a folder of runs."""
MOST_BYTES = 500_000_000
"""Of all texts in one folder, at most."""
_NAME = re.compile(r"(.+)-[0-9a-f]{16}(\.[a-z0-9]{1,10})")


@dataclass(frozen=True)
class OwnText:
    """A text that somebody brought.

    Args:
        path: Of the file.
        name: As it was called.
        bytes: Its size.
    """

    path: Path
    name: str
    bytes: int


def folder_of(root: Path) -> Path:
    """The folder of the texts of a folder of runs."""
    return root / FOLDER


def keep_text(root: Path, name: str, data: bytes) -> Path:
    """Keep a text under its name and the digest of its bytes; the same again is the same file.

    Args:
        root: The folder of runs.
        name: As the file was called; only its letters, digits, dots and hyphens count.
        data: What it holds.

    Raises:
        StorageError: It cannot be written, or the folder holds too much.
    """
    folder = folder_of(root)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    clear_unfinished(folder, older_than=3600)
    path = folder / _file_name(name, hashlib.blake2b(data, digest_size=8).hexdigest())
    present = sum(text.bytes for text in own_texts(root))
    if path.exists() and path.stat().st_size == len(data):
        return path
    if present + len(data) > MOST_BYTES:
        raise StorageError(
            f"Expected room for a text of {len(data):,} bytes, but {folder} holds {present:,} of {MOST_BYTES:,}.",
            "Remove texts there that no run needs.",
        )
    write_atomically(path, data)
    return path


def own_texts(root: Path) -> list[OwnText]:
    """The texts of a folder of runs, the latest first."""
    found: list[tuple[float, OwnText]] = []
    with suppress(OSError):
        for entry in os.scandir(folder_of(root)):
            if (match := _NAME.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False):
                state = entry.stat(follow_symlinks=False)
                found.append((state.st_mtime, OwnText(Path(entry.path), match[1] + match[2], state.st_size)))
    return [text for _, text in sorted(found, key=lambda each: (-each[0], each[1].name))]


def text_name(path: str | Path) -> str:
    """What a text is called, by its path: without the digest where it was brought."""
    name = Path(path).name
    match = _NAME.fullmatch(name)
    return name if match is None else match[1] + match[2]


def _file_name(name: str, digest: str) -> str:
    stem, suffix = os.path.splitext(name.replace("\\", "/").rpartition("/")[2])
    stem = re.sub(r"[^A-Za-z0-9.]+", "-", stem).strip("-.")[:40] or "text"
    suffix = suffix.lower() if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", suffix) else ".txt"
    return f"{stem}-{digest}{suffix}"
