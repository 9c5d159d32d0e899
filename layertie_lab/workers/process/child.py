"""A child process: its pipes, its parent, its signals; what it works at is a job."""

from __future__ import annotations

import importlib
import io
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from ...core.commands import SetKeep
from ...core.errors import CancelledError, LayertieError, StorageError, WorkerError
from ...core.notices import Entry, Ready, StatusChanged
from ...records.log.trace import write_trace
from ..inbox import Asked, Inbox
from .channel import Cancel, Heartbeat, Progress, Start, loads, read_frame
from .outbox import Outbox

BEAT = 0.5
"""Seconds between heartbeats."""
REACTION = 1.2
"""Seconds in which a step has to end when the parent is gone; then the process ends without saving."""
SAVING = 60.0
"""Seconds that saving may take when the parent is gone."""
TELL_SECONDS = 0.1
"""Least time between two words on how far a request is."""


class Child:
    """What a job works with: its pipes, its parent, its signals.

    Args:
        inbound: Frames from the parent.
        outbound: Frames to the parent.
        keep: Whether to go on when the parent is gone.

    Attributes:
        inbox: What is asked, in order; None when the parent is gone, or the process shall end.
        keep: Whether to go on when the parent is gone.
        alone: Whether it is.
        saves: Whether the job has something to save. Such a one ends by itself when the parent is gone, within
            `REACTION` and `SAVING`; any other is ended at once, unless it is kept.
        saving: Whether it is being saved.
        traces: Where traces of unexpected errors are kept, if anywhere: a run directory.
        position: (decisions begun, optimizer steps done, seconds of the last step), for heartbeats.
    """

    in_a_process = True

    def __init__(self, inbound: io.RawIOBase, outbound: io.RawIOBase, *, keep: bool = False) -> None:
        self.inbox: Inbox = queue.SimpleQueue()
        self.outbox = Outbox(outbound)
        self.keep = keep
        self.saves = self.saving = False
        self.traces: Path | None = None
        self.position: Callable[[], tuple[int, int, float | None]] = lambda: (0, 0, None)
        self.cancelled: set[int] = set()
        self._inbound = inbound
        self._status = ""
        self._parent = os.getppid()
        self._orphaned: float | None = None

    def run(self, start: Start) -> int:
        """Do the job.

        Returns:
            The exit status.
        """
        self.say("starting")
        for work in (self._read, self._watch):
            threading.Thread(target=work, name=f"layertie {work.__name__}", daemon=True).start()
        try:
            status = named(start.job)(self, **loads(start.arguments))
        except (Exception, SystemExit) as error:
            told, _ = self.explain("The process", error)
            self.outbox.refuse(0, told)
            status = told.exit_code
        self.outbox.close()
        return status

    def stop(self, *_: object) -> None:
        """Save and exit at the next step's end (SIGTERM), kept or not."""
        self.keep = False
        self._orphan()

    # -- what a job says ------------------------------------------------------------------------------------------

    @property
    def alone(self) -> bool:
        """Whether nobody can ask any more."""
        return self._orphaned is not None

    def tell(self, entry: Entry | Progress) -> None:
        """Pass an event or a notice on to the parent."""
        self.outbox.tell(entry)

    def say(self, status: str) -> None:
        """Tell the parent what is going on, where it has changed."""
        if status != self._status:
            self._status = status
            self.outbox.tell(StatusChanged(status), at_once=True)

    def ready(self, notice: Ready) -> None:
        """Tell the parent that the job has been set up."""
        self._status = notice.status
        self.outbox.tell(notice, at_once=True)

    def explain(self, doing: str, error: BaseException) -> tuple[LayertieError, str | None]:
        """An error as a sentence, and the file with its trace, if it was none that a person can act on."""
        if isinstance(error, LayertieError):
            return error, None
        what = traceback.format_exception_only(error)[-1].strip()
        frames = traceback.extract_tb(error.__traceback__)
        remedy = f"It was raised in {frames[-1].filename}, line {frames[-1].lineno}." if frames else ""
        file = None
        try:
            if self.traces is not None:
                file = write_trace(self.traces, error)
                remedy = f"The full trace is in {file}."
        except StorageError:
            file = None
        return WorkerError(f"{doing} failed: {what}.", remedy), None if file is None else file.name

    def detach(self) -> None:
        """Go on alone: the terminal or pipe behind this process may be gone, and a warning must not end the run."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.close(null)

    # -- threads --------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            while (frame := read_frame(self._inbound)) is not None:
                if isinstance(frame, Cancel):
                    self.cancelled.add(frame.number)
                else:
                    self._take(frame.value, ByNumber(self, frame.number))
        except OSError:
            pass  # a broken pipe is the end of the pipe
        self._orphan()

    def _take(self, packed: bytes, caller: ByNumber) -> None:
        try:
            request = loads(packed)
        except Exception as error:
            caller.refuse(self.explain("Reading what is asked", error)[0])
            return
        if isinstance(request, SetKeep):
            # Applied at once: the parent may be gone before the step ends.
            self.keep = request.keep
        self.inbox.put(Asked(request, caller))

    def _orphan(self) -> None:
        if self._orphaned is None:
            self._orphaned = time.monotonic()
        if not self.saves and not self.keep:
            os._exit(1)
        self.inbox.put(None)

    def _watch(self) -> None:
        process = psutil.Process()
        beaten = 0.0
        while True:
            time.sleep(BEAT / 2)
            now = time.monotonic()
            if self._orphaned is None and os.getppid() != self._parent:
                self._orphan()
            if self._orphaned is not None and not self.keep:
                if now - self._orphaned > (SAVING if self.saving else REACTION):
                    os._exit(1)
            elif now - beaten >= BEAT:
                beaten = now
                memory, dropped = process.memory_info().rss, self.outbox.dropped
                self.outbox.beat(Heartbeat(self._status, memory, dropped, time.time(), *self.position()))


class ByNumber:
    """Whoever waits for a request's answer, in the parent.

    Args:
        child: The way there.
        number: The request's.
    """

    def __init__(self, child: Child, number: int) -> None:
        self._child, self._number = child, number
        self._told = 0.0

    def reply(self, value: Any) -> None:
        """Answer.

        Raises:
            Exception: The value cannot be sent.
        """
        self._child.outbox.reply(self._number, value)

    def refuse(self, error: Exception) -> None:
        """Answer with an error."""
        self._child.outbox.refuse(self._number, error)

    def progress(self, done: float) -> None:
        """Say how far it is, not too often.

        Raises:
            CancelledError: It is no longer wanted.
        """
        self.check_wanted()
        if time.monotonic() - self._told > TELL_SECONDS:
            self._told = time.monotonic()
            self._child.tell(Progress(self._number, done))

    def check_wanted(self) -> None:
        """Raise CancelledError if it is no longer wanted."""
        if self._number in self._child.cancelled:
            raise CancelledError("This was cancelled.", "Ask again.")


def named(path: str) -> Any:
    """What "module:name" names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _import_ahead() -> None:
    importlib.import_module("layertie_lab.session.session")
    torch = importlib.import_module("torch")
    # Half of what a session imports comes with the first optimizer that is made.
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])


def main() -> int:
    """Take the pipes that the parent gave, and work for it.

    Returns:
        The exit status.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbound = open(os.dup(0), "rb", buffering=0)  # noqa: SIM115 - open as long as the process lives
    outbound = open(os.dup(1), "wb", buffering=0)  # noqa: SIM115
    # What a library prints must not end up between two frames.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    if len(sys.argv) == 1:
        _import_ahead()
    start = read_frame(inbound)
    if start is None:
        return 1
    sys.path[:] = start.path
    child = Child(inbound, outbound, keep=start.keep)
    signal.signal(signal.SIGTERM, child.stop)
    return child.run(start)
