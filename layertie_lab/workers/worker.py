"""A session in a process of its own."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ..core.config import RunConfig
from ..core.errors import LayertieError, WorkerError
from ..core.events import Event
from .channel import Answer, Batch, Heartbeat, Hello, Request, dumps, loads, unpack_error
from .link import Link, describe_exit, prepare
from .surface import Surface, WorkerTimeout, arguments_of, wait_for

Subscriber = Callable[[Any], None]
_log = logging.getLogger(__name__)


class Worker(Surface):
    """A `Session` in a child process. Making one returns at once; what it is asked meanwhile waits until it is ready.

    Args:
        config: The run's settings; with `resume`, those in the directory count.
        directory: The run directory.
        resume: Go on with the run in the directory.
        keep: A run that is going on outlives this process and this object, to its end; then the child saves and exits.
        throttle: Most decisions per second of a run; 0 = no limit.
        session: The class to build, as "module:name".

    The child ends, and saves first, when it is closed, when this object is collected, and when this process is gone
    (killed included), unless `keep` is on and a run is going on. It takes no part in Ctrl-C; SIGTERM makes it save
    and exit.

    Attributes:
        status: "starting", "preparing text", then "ready" (an answer is awaited), "running", "paused" (inside a
            decision) or "finished" (the budget is spent), then "saving" and "closed"; "failed" if it could not start,
            "lost" if the process died, "killed".
        config: The run's settings; on resuming None until it is ready.
        directory: The run directory.
        last_heartbeat: The last sign of life; one comes every half second.
        dropped: Entries that subscribers did not get because they were too slow (the run directory has them).
    """

    def __init__(
        self,
        config: RunConfig | None,
        directory: str | Path,
        *,
        resume: bool = False,
        keep: bool = False,
        throttle: float = 0.0,
        session: str = "layertie_lab.session.session:Session",
    ) -> None:
        if config is None and not resume:
            raise WorkerError("Expected a config for a new run, but got none.", "Give one, or resume=True.")
        self.config = config
        self.directory = Path(directory)
        self.status = "starting"
        self.last_heartbeat: Heartbeat | None = None
        self.dropped = 0
        self.throttle = throttle
        self._subscribers: list[Subscriber] = []
        self._pending: dict[int, Future[Any]] = {}
        self._count = 0
        self._lock = threading.Lock()
        self._ready: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._failure: LayertieError | None = None
        hello = Hello(session, config, str(self.directory.absolute()), resume, keep, throttle, tuple(sys.path))
        self._link = Link.start(hello)
        self._finalizer = weakref.finalize(self, self._link.hang_up)
        # At exit every child is told at once and waited for together.
        self._finalizer.atexit = False
        self._reader = threading.Thread(
            target=_listen, args=(self._link, weakref.ref(self)), name="layertie worker", daemon=True
        )
        self._reader.start()

    @classmethod
    def resume(cls, directory: str | Path, *, keep: bool = False, throttle: float = 0.0) -> Worker:
        """Go on with the run in a directory."""
        return cls(None, directory, resume=True, keep=keep, throttle=throttle)

    @staticmethod
    def prepare() -> None:
        """Start a process that imports everything ahead, so that the next worker is ready sooner.

        It holds about 300 MB and no GPU until a worker takes it, and ends with this process.
        """
        prepare()

    # -- its life -----------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._link.process.poll() is None

    @property
    def lost(self) -> bool:
        """Whether the process died without being told to."""
        return self.status == "lost"

    @property
    def busy(self) -> bool:
        """Whether it trains, starts, or owes an answer."""
        return self.alive and (bool(self._pending) or self.status in ("starting", "preparing text", "running"))

    @property
    def keep(self) -> bool:
        """Whether a run that is going on outlives this object."""
        return self._link.keep

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._link.process.pid

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until the session is built.

        Raises:
            LayertieError: Why it could not be.
            WorkerTimeout: It took longer.
        """
        self._check_may_wait("wait_ready")
        try:
            wait_for(self._ready, timeout)
        except TimeoutError:
            raise WorkerTimeout(
                f"Expected the training process to be ready within {timeout:g} s, but it is {self.status}.",
                "A large corpus takes time to prepare, once: wait longer.",
            ) from None

    def close(self, save: bool = True, *, timeout: float | None = 60.0) -> None:
        """End what is under way, save, and end the process. Harmless when it has ended.

        Raises:
            StorageError: The last checkpoint could not be written; the log and the earlier ones are intact.
            WorkerTimeout: It did not end in time.
        """
        self._check_may_wait("close")
        answer = None
        if self._failure is None and self._ready.done():
            with contextlib.suppress(WorkerError):  # it has just ended, which is what is wanted
                answer = self._send("close", {"save": save})
        elif not self._ended.done():
            self._link.hang_up()  # still preparing: there is nothing to save
        try:
            wait_for(self._ended, timeout)
        except TimeoutError:
            raise WorkerTimeout(
                f"Expected the training process to end within {timeout:g} s, but it is {self.status}.",
                "Wait longer, or call kill(); the log is intact in any case.",
            ) from None
        error = None if answer is None else answer.exception(0)
        if error is not None and not isinstance(error, WorkerError):
            raise error

    def kill(self) -> None:
        """End the process at once. A resumed run loses at most the decision under way."""
        if not self._ended.done():
            self.status = "killed"
            self._link.kill()
            if threading.current_thread() is not self._reader:
                wait_for(self._ended, None)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # -- talking to it ------------------------------------------------------------------------------------------

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback` with every event and telemetry dict of the run from now on; the result ends it.

        It is called from a thread of the worker's: it must be quick, must not wait for the worker, and must hold no
        strong reference to what owns the worker if the child shall end with the owner. Beside the session's own
        entries there are the kinds `status`, `proposed` (what a throttled run is about to do), `failed`, and `dropped`
        (with the count so far). A callback that raises is dropped and the error logged.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def submit(self, command: str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._send(command, arguments_of(command, args, kwargs))

    def _send(self, command: str, arguments: dict[str, Any]) -> Future[Any]:
        try:
            packed = dumps(arguments)
        except Exception as error:
            raise WorkerError(
                f"Expected arguments of {command}() that can be sent to another process, but {error}.",
                "Send plain values, arrays or tensors on the CPU.",
            ) from None
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # a command that was sent cannot be cancelled
        with self._lock:
            if self._failure is not None:
                raise self._failure
            self._count += 1
            number = self._count
            self._pending[number] = self._link.waiting[number] = future
        if command == "set_keep":
            self._link.keep = bool(arguments["keep"])
        elif command == "set_throttle":
            self.throttle = float(arguments["throttle"])
        try:
            self._link.send(Request(number, command, packed))
        except WorkerError:
            self._pending.pop(number, None)
            raise
        return future

    def _check_may_wait(self, command: str) -> None:
        if threading.current_thread() is self._reader:
            raise WorkerError(
                f"Expected {command}() not to be waited for inside a subscriber, which would wait for ever.",
                f'Use submit("{command}", ...) there.',
            )

    # -- on the reader thread -----------------------------------------------------------------------------------

    def _received(self, batch: Batch) -> None:
        if batch.heartbeat is not None:
            self.last_heartbeat = batch.heartbeat
        for entry in batch.entries:
            if isinstance(entry, Answer):
                self._answered(entry)
                continue
            if isinstance(entry, dict):
                self._note(entry)
            self._tell(entry)

    def _answered(self, answer: Answer) -> None:
        if answer.number == 0:
            if self._failure is None:
                self._failure = unpack_error(answer.value)
                self._set_status("failed", sentence=str(self._failure), error=type(self._failure).__name__)
            return
        future = self._pending.pop(answer.number, None)
        if future is None:
            return
        if not answer.good:
            future.set_exception(unpack_error(answer.value))
            return
        try:
            value = loads(answer.value)
        except Exception as error:
            future.set_exception(
                WorkerError(f"Expected an answer that can be read here, but {error!r}.", "Return plain values.")
            )
        else:
            future.set_result(value)

    def _note(self, entry: dict[str, Any]) -> None:
        if entry["kind"] == "status" and self.status != "killed":
            self.status = entry["status"]
            if entry.get("ready"):
                self.config = entry["config"]
                self._ready.set_result(None)
        elif entry["kind"] == "dropped":
            self.dropped = entry["count"]

    def _tell(self, entry: Event | dict[str, Any]) -> None:
        for callback in tuple(self._subscribers):
            try:
                callback(entry)
            except Exception:
                _log.exception("A subscriber of %s failed and gets no more entries.", self.directory)
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

    def _set_status(self, status: str, **values: Any) -> None:
        self.status = status
        self._tell({"kind": "status", "status": status, "time": time.time(), **values})

    def _gone(self, status: int) -> None:
        expected = self.status in ("closed", "killed", "failed")
        with self._lock:
            if self._failure is None:
                what = "was killed" if self.status == "killed" else "was closed"
                if not expected:
                    what = f"ended unexpectedly ({describe_exit(status)})"
                self._failure = WorkerError(
                    f"The training process of {self.directory} {what}.",
                    "Resume the run; at most the decision under way has to be made again.",
                )
            pending, self._pending = list(self._pending.values()), {}
        if not self._ready.done():
            self._ready.set_exception(self._failure)
        for future in pending:
            future.set_exception(self._failure)
        if not expected:
            self._set_status("lost", exit_status=status, sentence=str(self._failure))
        elif self.status == "killed":
            self._set_status("killed")
        self._ended.set_result(None)


def _listen(link: Link, owner: weakref.ref[Worker]) -> None:
    # Only a weak reference, dropped between batches: a thread that held the worker would keep it, and so the child,
    # for ever.
    while (batch := link.receive()) is not None:
        if (worker := owner()) is not None:
            worker._received(batch)
        del worker
    status = link.bury()
    if (worker := owner()) is not None:
        worker._gone(status)
        return
    for future in list(link.waiting.values()):
        if not future.done():
            future.set_exception(
                WorkerError(
                    "The worker was dropped before its answer came, and its process has ended.",
                    "Hold the Worker as long as something is expected of it.",
                )
            )
