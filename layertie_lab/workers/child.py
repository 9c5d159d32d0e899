"""A Worker's child process: `python -m layertie_lab.workers.child RUN`. Started by `Worker`, not by hand."""

from __future__ import annotations

import atexit
import importlib
import io
import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from ..core.errors import LayertieError, StorageError, WorkerError
from ..records.directory import RunDirectory
from ..records.log.recovery import read_tail
from ..records.log.trace import write_trace
from .channel import Heartbeat, Hello, Request, loads, read_frame
from .commands import Commands
from .outbox import Outbox

if TYPE_CHECKING:  # importing a session imports torch, which takes a second: "starting" is said before
    from ..session.session import Session

BEAT = 0.5
"""Seconds between heartbeats."""
REACTION = 1.2
"""Seconds in which a step has to end when the parent is gone; then the process ends without a last checkpoint."""
SAVING = 60.0
"""Seconds that the last checkpoint may take when the parent is gone."""


class Child:
    """The process around a session: its pipes, its parent, its signals.

    Args:
        inbound: Frames from the parent.
        outbound: Frames to the parent.
        hello: What to run.
    """

    def __init__(self, inbound: io.RawIOBase, outbound: io.RawIOBase, hello: Hello) -> None:
        self._inbound = inbound
        self._hello = hello
        self._keep = hello.keep
        self._outbox = Outbox(outbound)
        self._inbox: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._status = ""
        self._commands: Commands | None = None
        self._parent = os.getppid()
        self._orphaned: float | None = None
        self._saving = False

    def run(self) -> int:
        """Build the session, serve it until it is closed or the parent is gone, save it.

        Returns:
            The exit status.
        """
        self._say("starting")
        for work in (self._read, self._watch):
            threading.Thread(target=work, name=f"layertie {work.__name__}", daemon=True).start()
        try:
            session = self._build()
        except (Exception, SystemExit) as error:
            told = error if isinstance(error, LayertieError) else self._trace("Starting the run", error)[0]
            self._outbox.refuse(0, told)
            self._outbox.close()
            return told.exit_code
        commands = self._commands = Commands(session, self._outbox, self._trace, throttle=self._hello.throttle)
        self._say(
            commands.driver.status,
            ready=True,
            config=session.config,
            resumed=self._hello.resume,
            pid=os.getpid(),
            decision=session.decision,
            step=session.step,
        )
        self._serve(commands)
        return self._end(commands)

    def stop(self, *_: object) -> None:
        """Save and exit at the next step's end (SIGTERM), kept or not."""
        self._keep = False
        self._orphan()

    def _build(self) -> Session:
        hello = self._hello
        sys.path[:] = hello.path
        module, _, name = hello.session.partition(":")
        kind: type[Session] = getattr(importlib.import_module(module), name)
        self._say("preparing text")
        if hello.resume:
            session = kind.resume(hello.directory)
        else:
            assert hello.config is not None, "a new run has a config"
            session = kind(hello.config, hello.directory)
        if hello.resume or session.directory is None:
            self._outbox.tell(session.opening())
        else:
            # A new session has emitted its first events before anybody could subscribe.
            for event in read_tail(RunDirectory.open(session.directory), 0):
                self._outbox.tell(event)
        session.subscribe(self._outbox.tell)
        return session

    def _serve(self, commands: Commands) -> None:
        driver = commands.driver
        wait: float | None = None
        while commands.closing is None:
            if wait != 0.0 or not self._inbox.empty():
                self._take(commands, wait)
            alone = self._orphaned is not None and self._inbox.empty()
            if alone and not (self._keep and driver.running):
                return
            self._say("kept" if alone else driver.status)
            wait = commands.work()
            self._say("kept" if alone else driver.status)

    def _take(self, commands: Commands, wait: float | None) -> None:
        try:
            request = self._inbox.get(timeout=wait)
        except queue.Empty:
            return
        if request is not None:
            commands.handle(request)
        elif self._keep and commands.driver.running:
            self._go_on_alone(commands)

    def _go_on_alone(self, commands: Commands) -> None:
        commands.driver.throttle = 0.0
        commands.note("keep", keep=True, alone=True)
        # The terminal or pipe behind it may be gone, and a warning must not end the run.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.close(null)

    def _end(self, commands: Commands) -> int:
        self._saving = True
        self._say("saving")
        status = 0
        try:
            commands.close()
        except Exception as error:
            told = error if isinstance(error, LayertieError) else self._trace("Closing the run", error)[0]
            self._outbox.refuse(commands.closing or 0, told)
            status = told.exit_code
        else:
            if commands.closing is not None:
                self._outbox.reply(commands.closing, None)
        self._say("closed")
        self._outbox.close()
        return status

    def _say(self, status: str, **values: Any) -> None:
        if status != self._status:
            self._status = status
            self._outbox.status(status, **values)

    def _trace(self, doing: str, error: BaseException) -> tuple[WorkerError, Path | None]:
        try:
            file = write_trace(Path(self._hello.directory), error)
        except StorageError:
            file = None
        what = traceback.format_exception_only(error)[-1].strip()
        frames = traceback.extract_tb(error.__traceback__)
        place = f"It was raised in {frames[-1].filename}, line {frames[-1].lineno}." if frames else ""
        remedy = place if file is None else f"The full trace is in {file}."
        return WorkerError(f"{doing} failed: {what}.", remedy), file

    # -- threads ------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            while (request := read_frame(self._inbound)) is not None:
                if request.command == "set_keep":
                    # In force at once: the parent may be gone before the step ends.
                    self._keep = loads(request.arguments)["keep"]
                self._inbox.put(request)
        except OSError:
            pass  # a broken pipe is the end of the pipe
        self._orphan()

    def _orphan(self) -> None:
        if self._orphaned is None:
            self._orphaned = time.monotonic()
        self._inbox.put(None)

    def _watch(self) -> None:
        process = psutil.Process()
        beaten = 0.0
        while True:
            time.sleep(BEAT / 2)
            now = time.monotonic()
            if self._orphaned is None and os.getppid() != self._parent:
                self._orphan()
            if self._orphaned is not None and not self._keep:
                if now - self._orphaned > (SAVING if self._saving else REACTION):
                    os._exit(1)
            elif now - beaten >= BEAT:
                beaten = now
                self._beat(process)

    def _beat(self, process: psutil.Process) -> None:
        commands = self._commands
        self._outbox.beat(
            Heartbeat(
                status=self._status,
                decision=commands.session.decision if commands else 0,
                step=commands.session.step if commands else 0,
                step_seconds=commands.driver.step_seconds if commands else None,
                resident_bytes=process.memory_info().rss,
                dropped=self._outbox.dropped,
                time=time.time(),
            )
        )


def _import_ahead() -> None:
    importlib.import_module("layertie_lab.session.session")
    torch = importlib.import_module("torch")
    # Half of what a session imports comes with the first optimizer that is made.
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])


def main() -> int:
    """Take the pipes that the parent gave, and serve it.

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
    hello = read_frame(inbound)
    if hello is None:
        return 1
    child = Child(inbound, outbound, hello)
    signal.signal(signal.SIGTERM, child.stop)
    return child.run()


if __name__ == "__main__":
    exit_status = main()
    # All is saved. Taking an interpreter with torch apart takes longer (a second on a busy machine) than the parent's
    # end should be noticeable.
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(exit_status)
