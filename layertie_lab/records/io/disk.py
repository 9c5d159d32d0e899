"""Writing files so that a crash or a full disk never leaves half a file, with errors a person can act on."""

from __future__ import annotations

import errno
import os
import re
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...core.errors import StorageError

_NO_LOCKS = ("its file system has no file locks", "Choose a folder on a local disk")
_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space"),
    errno.EDQUOT: ("the disk quota is used up", "Free some space"),
    errno.EFBIG: ("the file would be larger than the system allows", "Raise the limit on file sizes (ulimit -f)"),
    errno.EROFS: ("the disk is read-only", "Choose a folder on a disk that can be written"),
    errno.EACCES: ("permission is denied", "Choose a folder that you may write"),
    errno.EPERM: ("permission is denied", "Choose a folder that you may write"),
    errno.ENOLCK: _NO_LOCKS,
    errno.ENOTSUP: _NO_LOCKS,
    errno.ENOSYS: _NO_LOCKS,
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "Choose another folder"),
}


def storage_error(path: Path, error: OSError, then: str = "then try again") -> StorageError:
    """The error that says why `path` could not be written and how to go on.

    Args:
        path: What was to be written.
        error: What the system said.
        then: What to do after the cause is gone, as the end of a sentence.
    """
    reason, remedy = _REASONS.get(error.errno or 0, (str(error.strerror or error), "Remove the cause"))
    return StorageError(f"Expected to write {path}, but {reason}.", f"{remedy}, {then}.")


@contextmanager
def writing(path: Path, then: str = "then try again") -> Iterator[None]:
    """Turn an OSError of the block into a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        raise storage_error(path, error, then) from error


def sync_directory(path: Path) -> None:
    """Make renames in a folder survive a power failure (no-op where the system has no such thing)."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # network file systems without directory sync
            raise
    finally:
        os.close(descriptor)


def temporary_beside(path: Path) -> Path:
    """A fresh hidden name in the same folder, so that a rename onto `path` is atomic."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")


def replace(source: Path, target: Path) -> None:
    """`os.replace`, patient with Windows, where a reader that has `target` open blocks it for a moment."""
    for _ in range(50):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(0.02)
    os.replace(source, target)


_UNFINISHED = re.compile(r"\..+\.[0-9a-f]+\.tmp|\.tmp\w{6}")
"""Names of files under way: ours, and those of safetensors."""


UNDER_WAY = 60.0
"""Seconds without a write after which an unfinished file is one that a kill left, where no lock says so."""


def clear_unfinished(folder: Path, *, older_than: float = 0.0, of: Collection[str] | None = None) -> None:
    """Remove the unfinished files that writers who were killed have left in a folder.

    Args:
        folder: It need not exist.
        older_than: Seconds since they were written to last; 0 where a lock says that no writer is at work.
        of: The files that were to be written, in a folder that holds others' files too; None = any.
    """
    with suppress(OSError):
        for entry in os.scandir(folder):
            if _UNFINISHED.fullmatch(entry.name) and (of is None or entry.name[1:].rsplit(".", 2)[0] in of):
                with suppress(OSError):
                    if not older_than or time.time() - entry.stat(follow_symlinks=False).st_mtime > older_than:
                        os.unlink(entry.path)


def discard(path: Path) -> None:
    """Remove a file of no more use. Where that cannot be done it stays, hidden, for the next writer to clear."""
    with suppress(OSError):  # a read-only disk refuses even where there is no file
        path.unlink()


def write_atomically(path: Path, *pieces: bytes) -> None:
    """Write a file in one step: readers see the old content or the new, also after a crash.

    Raises:
        StorageError: It cannot be written; the old file, if any, is untouched.
    """
    temporary = temporary_beside(path)
    with writing(path):
        try:
            with open(temporary, "xb") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            replace(temporary, path)
            sync_directory(path.parent)
        finally:
            discard(temporary)
