"""Files that a command writes where a person says: in place of an earlier one of the same kind, and of nothing else."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from ...core.errors import RecordError
from .disk import UNDER_WAY, clear_unfinished, write_atomically, writing

_HEAD = 4096
_NO_FILE = {
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_WORDS = {".html": "a page", ".csv": "a table in CSV", ".parquet": "a table in Parquet", ".md": "a text"}


def check_output(path: Path, suffix: str = ".html", *, content: bytes = b"", makes_folder: bool = False) -> None:
    """Refuse to promise a file that would take the place of something else. Ask before work whose end it is.

    What may stand there is a regular file that looks like what is to be written, or an empty one.

    Args:
        path: The file to be written.
        suffix: What is to be written: .html, .csv, .parquet, .json or .md; whatever the file is called.
        content: The same, where it is known: a table takes the place of one with the same first column only.
        makes_folder: Whether its folder will be made.

    Raises:
        RecordError: It lies inside a run, or is a link, a folder, a device, a file of another kind or a protected one;
            or there is no folder for it.
        StorageError: It cannot be looked at.
    """
    what = _WORDS.get(suffix, suffix)
    if (run := run_around(path)) is not None:
        raise RecordError(
            f"Expected to write {what} outside of runs, but {path} lies in the run {run}.", "Choose another folder."
        )
    if not makes_folder and not os.path.isdir(path.parent):
        raise RecordError(
            f"Expected a folder for {path.name}, but {path.parent} is none.", "Make it, or choose another folder."
        )
    with writing(path):
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
    if not stat.S_ISREG(mode):
        there = _NO_FILE.get(stat.S_IFMT(mode), "no regular file")
        raise RecordError(f"Expected {path} to be free for {what}, but it is {there}.", "Choose another file.")
    if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise RecordError(
            f"Expected to write {what} to {path}, but that file is protected against writing.", "Choose another file."
        )
    with writing(path), open(path, "rb") as file:
        head = file.read(_HEAD)
    if head and not _is_kind(head, suffix, content):
        raise RecordError(
            f"Expected {path} to be free or to hold {what}, which would be replaced, but it holds something else.",
            "Choose another file, or move that one away.",
        )


def write_output(path: Path, content: bytes, suffix: str = ".html", *, makes_folder: bool = False) -> None:
    """Write a file in one step.

    Args:
        path: The file.
        content: All of it.
        suffix, makes_folder: See `check_output`.

    Raises:
        RecordError: As in `check_output`.
        StorageError: It cannot be written; what was there is untouched.
    """
    check_output(path, suffix, content=content, makes_folder=makes_folder)
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    clear_unfinished(path.parent, older_than=UNDER_WAY, of=[path.name])
    write_atomically(path, content)


def write_outputs(directory: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files of these names to a folder, each in one step; none where one of them would replace something else.

    Args:
        directory: Where to; made when missing.
        contents: Name -> content.

    Raises:
        RecordError: The directory is a file, or as in `check_output`.
        StorageError: They cannot be written.
    """
    paths = {directory / name: content for name, content in contents.items()}
    check_folder(directory)
    for path, content in paths.items():
        check_output(path, path.suffix, content=content, makes_folder=True)
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
    clear_unfinished(directory, older_than=UNDER_WAY, of=contents)
    for path, content in paths.items():
        write_atomically(path, content)
    return list(paths)


def check_folder(directory: Path) -> None:
    """Refuse to promise files in a folder that is none, or that lies inside a run.

    Raises:
        RecordError: It is one of these.
    """
    if os.path.lexists(directory) and not os.path.isdir(directory):
        raise RecordError(f"Expected a folder to write to, but {directory} is a file.", "Choose another folder.")
    if (run := run_around(directory / "file")) is not None:
        raise RecordError(
            f"Expected a folder outside of runs, but {directory} lies in the run {run}.", "Choose another folder."
        )


def run_around(path: Path) -> Path | None:
    """The run whose folder a file lies in, at any depth, links followed; None where there is none."""
    for folder in Path(os.path.realpath(path.parent), "file").parents:
        there = [os.path.lexists(folder / name) for name in ("writer.lock", "config.json", "events.jsonl")]
        if there[0] or all(there[1:]):
            return folder
    return None


def _is_kind(head: bytes, suffix: str, content: bytes) -> bool:
    start = head.lstrip()[:16].lower()
    if suffix == ".html":
        return start.startswith((b"<!doctype html", b"<html"))
    if suffix == ".parquet":
        return head.startswith(b"PAR1")
    if suffix == ".json":
        return start.startswith((b"{", b"["))
    if suffix == ".csv":
        return head.split(b",", 1)[0].strip() == content.split(b",", 1)[0].strip()
    # A text has none of the bytes that files of other kinds are full of.
    return b"\0" not in head and not start.startswith((b"{", b"[", b"<", b"%pdf", b"#!"))
