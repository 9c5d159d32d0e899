"""Reading regular files and nothing else: what lies under a run's names may be a pipe, a device, a folder or a link."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, cast

_FLAGS = (
    os.O_RDONLY
    # A pipe without a writer would keep us waiting for one.
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_LINK = "it is a link, which may lead anywhere; put the file itself in its place"
_KINDS = {
    stat.S_IFDIR: "it is a folder and no file",
    stat.S_IFIFO: "it is a named pipe and no file",
    stat.S_IFSOCK: "it is a socket and no file",
    stat.S_IFCHR: "it is a device and no file",
    stat.S_IFBLK: "it is a device and no file",
    stat.S_IFLNK: _LINK,
}


def open_regular(path: Path, *, buffering: int = 0) -> BinaryIO:
    """A file, opened to be read; it waits for nobody.

    Raises:
        FileNotFoundError: There is none.
        OSError: It cannot be read, or is no regular file; `strerror` says which.
    """
    status = os.lstat(path)
    _check(status, path)
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.EINVAL, _LINK, str(path)) from None
        raise
    try:
        _check(os.fstat(descriptor), path)  # again: another may lie there by now
        return cast(BinaryIO, os.fdopen(descriptor, "rb", buffering=buffering))
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path) -> bytes:
    """All that a file holds.

    Raises:
        FileNotFoundError, OSError: As in `open_regular`.
    """
    with open_regular(path, buffering=-1) as file:
        return file.read()


def is_there(path: Path) -> bool:
    """Whether anything lies under a name, a link that leads nowhere included."""
    return os.path.lexists(path)


def _check(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        said = _KINDS.get(stat.S_IFMT(status.st_mode), "it is no regular file")
        raise OSError(errno.EINVAL, said, str(path))
