"""One writer per run: a lock of the operating system, which a crash releases by itself."""

from __future__ import annotations

import json
import os
import socket
import time
import weakref
from pathlib import Path
from typing import IO

from ...core.errors import RecordError, StorageError
from ...core.plain import parse_object
from .disk import writing
from .regular import is_there, open_regular, read_regular

if os.name == "nt":
    import msvcrt

    # A byte far behind the content, because Windows forbids others to read a locked byte.
    _BYTE = 1 << 30

    def _try(file: IO[bytes], exclusive: bool) -> bool:
        file.seek(_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try(file: IO[bytes], exclusive: bool) -> bool:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_held: weakref.WeakSet[WriterLock] = weakref.WeakSet()


class WriterLock:
    """Holds a run's lock until `release` or the end of the process, however it ends.

    Args:
        path: The lock file; it stays in place when the lock is released.

    Raises:
        RecordError: Another writer holds it (in this process or another).
        StorageError: The lock file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        with writing(path):
            if is_there(path):
                open_regular(path).close()  # a named pipe or a device would be written to
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115 - held open as long as the lock
        # A reader that asks whether the run is written holds the lock for microseconds: wait for it.
        until = time.monotonic() + 0.5
        while not self._acquired(path):
            if time.monotonic() > until:
                self._file.close()
                ours = f"process {os.getpid()}" in holder(path)
                who = f"this process ({os.getpid()})" if ours else holder(path)
                raise RecordError(
                    f"Expected to be the only writer of {path.parent}, but {who} is writing it.",
                    "Close the session that writes it first (session.close())."
                    if ours
                    else "Watch that run with load_run, end its writer first, or choose another folder.",
                )
            time.sleep(0.01)
        _held.add(self)
        try:
            with writing(path):
                self._file.truncate(0)
                self._file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        except BaseException:
            self.release()
            raise

    def _acquired(self, path: Path) -> bool:
        try:
            with writing(path):
                return _try(self._file, exclusive=True)
        except StorageError:
            self._file.close()
            raise

    @property
    def held(self) -> bool:
        """Whether this object still holds the lock (a forked child does not)."""
        return not self._file.closed

    def release(self) -> None:
        """Let others write. Harmless when already released."""
        _held.discard(self)
        self._file.close()


def holder(path: Path) -> str:
    """Who wrote the lock file last, in words."""
    try:
        values = parse_object(read_regular(path))
        where = "" if values["host"] == socket.gethostname() else f" on {values['host']}"
        return f"process {values['pid']}{where}"
    except (OSError, ValueError, KeyError):
        return "another process"


def is_held(path: Path) -> bool:
    """Whether a writer holds the lock now. Needs no right to write."""
    try:
        with open_regular(path) as file:
            return not _try(file, exclusive=False)
    except OSError:  # no lock file, so nobody ever wrote here; or one that nobody may open
        return False


def _forget_in_child() -> None:
    # A fork copies the descriptor, and the lock would then outlive a killed parent.
    for lock in list(_held):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
