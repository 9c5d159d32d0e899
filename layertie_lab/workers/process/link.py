"""A started interpreter: its pipes and its life. Knows nobody who uses it, so that threads may hold it."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from io import RawIOBase
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet, WeakValueDictionary

from ...core.errors import WorkerError
from .channel import Batch, Start, read_frame, write_frame

FAREWELL = 10.0
"""Seconds that this process, when it ends, waits for its children to save."""

_QUIET = {"GOMP_SPINCOUNT": "10000"}
"""How long torch's threads spin before they sleep when they wait for each other (GNU OpenMP). Milliseconds per decision
at 12 x 64, 2 threads on 2 cores that are idle / a sixth taken / half taken / one core taken by others: 169 / 220 / 290
/ 750; libgomp's own default 175 / 200 / 350 / 2,300; never spinning 400 / 410 / 450 / 400. Numbers are the same."""

_links: WeakSet[Link] = WeakSet()


class Link:
    """A started child process.

    The child is an interpreter of its own (`python -m layertie_lab.workers.process`): a fresh process that inherits
    neither threads nor locks nor GPU contexts, and that does not run the caller's script or notebook again. It leads a
    session of its own, so that a terminal's Ctrl-C or hang-up reaches only the parent.

    Args:
        purpose: Words on its command line, so that a list of processes shows what it is for; none for one that waits.
        threads: CPU threads of its libraries; None leaves them as they are.

    Attributes:
        process: The child.
        keep: Whether it may outlive this process.
        waiting: Request number -> Future, for those that somebody still holds.
    """

    def __init__(self, purpose: Sequence[str] = (), threads: int | None = None) -> None:
        root = str(Path(__file__).parents[3])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**_spinning(), **os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        if threads is not None:
            environment["OMP_NUM_THREADS"] = str(threads)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "layertie_lab.workers.process", *purpose],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=environment,
            start_new_session=True,
        )
        self._inbound, self._outbound = cast(RawIOBase, self.process.stdout), cast(RawIOBase, self.process.stdin)
        self._lock = threading.Lock()
        self.keep = False
        self.waiting: WeakValueDictionary[int, Future[Any]] = WeakValueDictionary()
        _links.add(self)

    @classmethod
    def start(cls, start: Start, purpose: Sequence[str], threads: int | None = None) -> Link:
        """A child that runs what `start` says: the one that was prepared, or a new one."""
        link = (_spare.take() if threads is None else None) or cls(purpose, threads)
        link.keep = start.keep
        link.send(start)
        return link

    def send(self, frame: Any) -> None:
        """Write a frame to the child.

        Raises:
            WorkerError: It is gone.
        """
        try:
            with self._lock:
                write_frame(self._outbound, frame)
        except (OSError, ValueError):  # a pipe without a reader; a closed file
            raise WorkerError("Expected a process to take this, but it has ended.", "Start another one.") from None

    def receive(self) -> Batch | None:
        """The next batch, blocking; None when the child has closed its end."""
        try:
            return read_frame(self._inbound)
        except OSError:
            return None

    def hang_up(self) -> None:
        """Close the pipe to the child, which then saves and exits (or goes on alone, if it is kept).

        May be called by the garbage collector: takes no lock.
        """
        self._outbound.close()

    def kill(self) -> None:
        """End the child at once."""
        self.process.kill()

    def bury(self) -> int:
        """Wait for the child's end and close what is left.

        Returns:
            Its exit status, negative for a signal.
        """
        status = self.process.wait()
        self._outbound.close()
        self._inbound.close()
        return status


class Spare:
    """At most one child that has imported everything and waits for its run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._folder = ""

    def prepare(self) -> None:
        """Start one, unless there is one."""
        with self._lock:
            if self._link is None or self._link.process.poll() is not None:
                self._link, self._folder = Link(), os.getcwd()

    def take(self) -> Link | None:
        """The child, which is then the caller's; none where it works in another folder: paths may be relative."""
        with self._lock:
            link, self._link = self._link, None
        if link is None or link.process.poll() is not None:
            return None
        if self._folder != os.getcwd():
            link.kill()
            link.bury()
            return None
        return link

    def end(self) -> None:
        """End the child, which has nothing to save."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.kill()
            link.bury()


def _spinning() -> dict[str, str]:
    # A policy of the user's own stands.
    return {} if "OMP_WAIT_POLICY" in os.environ else _QUIET


def describe_exit(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"{name}, perhaps because memory ran out" if name == "SIGKILL" else name


_spare = Spare()
prepare = _spare.prepare


@atexit.register
def _let_all_save() -> None:
    _spare.end()
    ending = [link for link in list(_links) if link.process.poll() is None]
    for link in ending:
        link.hang_up()
    for link in ending:
        if not link.keep:
            try:
                link.process.wait(FAREWELL)
            except subprocess.TimeoutExpired:
                continue  # it saves on its own and needs no parent for that
