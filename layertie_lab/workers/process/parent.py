"""This process's side of a child process, whatever that works at: what is asked of it, what it says, how it ends."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from ...core.commands import SetKeep
from ...core.errors import LayertieError, WorkerError
from ...core.notices import Dropped, Entry, Ready, StatusChanged
from ..commands import WorkerTimeout, wait_for
from .channel import Answer, Batch, Cancel, Heartbeat, Progress, Request, Start, dumps, loads, unpack_error
from .link import Link, describe_exit

Subscriber = Callable[[Entry], None]
_log = logging.getLogger(__name__)


class Process:
    """A child process at a job. Making one returns at once; what it is asked meanwhile waits until it is ready.

    Args:
        job: The function that it runs, as "module:name" (`channel.Start`).
        arguments: The function's, by name: plain values.
        what: The process in words, as a sentence's subject.
        remedy: What to do when it is gone, as a sentence.
        purpose: Words on its command line (`Link`).
        keep: Whether it may outlive this process, to the end of what it is doing.
        threads: CPU threads of its libraries; None leaves them as they are.

    The child ends when this object is collected, and when this process is gone (killed included), unless it is kept. It
    takes no part in Ctrl-C.

    Attributes:
        status: What it says that it is doing: "starting", then as the job says; "failed" if it could not start, "lost"
            if it died, "killed".
        last_heartbeat: The last sign of life; one comes every half second.
        dropped: Entries that subscribers did not get because they were too slow.
    """

    def __init__(
        self,
        job: str,
        arguments: dict[str, Any],
        *,
        what: str,
        remedy: str,
        purpose: Sequence[str],
        keep: bool = False,
        threads: int | None = None,
    ) -> None:
        self.status = "starting"
        self.last_heartbeat: Heartbeat | None = None
        self.dropped = 0
        self._what, self._remedy = what, remedy
        self._subscribers: list[Subscriber] = []
        self._pending: dict[int, Future[Any]] = {}
        self._watching: dict[int, Callable[[float], None]] = {}
        self._count = 0
        self._lock = threading.Lock()
        self._ready: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._failure: LayertieError | None = None
        self._link = Link.start(Start(job, dumps(arguments), tuple(sys.path), keep), purpose, threads)
        self._finalizer = weakref.finalize(self, self._link.hang_up)
        # At exit every child is told at once and waited for together.
        self._finalizer.atexit = False
        self._reader = threading.Thread(
            target=_listen, args=(self._link, weakref.ref(self)), name="layertie worker", daemon=True
        )
        self._reader.start()

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
    def has_ended(self) -> bool:
        """Whether it takes nothing any more, because it failed or ended."""
        return self._failure is not None or not self.alive

    @property
    def is_ready(self) -> bool:
        """Whether the job has been set up, and the process has not failed or ended since."""
        return self._failure is None and self._ready.done()

    @property
    def owes(self) -> bool:
        """Whether something was asked that it has not answered yet."""
        return bool(self._pending)

    @property
    def keep(self) -> bool:
        """Whether it may outlive this object."""
        return self._link.keep

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._link.process.pid

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until the job has been set up.

        Raises:
            LayertieError: Why it could not be.
            WorkerTimeout: It took longer.
        """
        self.check_may_wait("wait_ready")
        try:
            wait_for(self._ready, timeout)
        except TimeoutError:
            raise WorkerTimeout(
                f"{self._what} was to be ready within {timeout:g} s, but it is {self.status}.",
                "A large corpus takes time to prepare, once: wait longer.",
            ) from None

    def hang_up(self) -> None:
        """Let it end by itself: nothing is asked of it any more."""
        self._link.hang_up()

    def wait_ended(self, timeout: float | None) -> None:
        """Wait for its end.

        Raises:
            WorkerTimeout: It did not end in time.
        """
        try:
            wait_for(self._ended, timeout)
        except TimeoutError:
            raise WorkerTimeout(
                f"{self._what} was to end within {timeout:g} s, but it is {self.status}.",
                "Wait longer, or call kill(); the log is intact in any case.",
            ) from None

    def kill(self, error: LayertieError | None = None) -> None:
        """End the process at once.

        Args:
            error: What those who wait for answers get; None: that it was killed.
        """
        if self._ended.done():
            return
        with self._lock:
            self._failure = self._failure or error
        self.status = "killed"
        self._link.kill()
        if threading.current_thread() is not self._reader:
            wait_for(self._ended, None)

    # -- talking to it ------------------------------------------------------------------------------------------

    def give(self, request: Any, /, on_progress: Callable[[float], None] | None = None) -> Future[Any]:
        """Ask for something without waiting.

        Args:
            request: What the job takes.
            on_progress: Called from another thread with how far it is.

        Raises:
            WorkerError: The process is gone, or the request cannot be sent.
        """
        try:
            packed = dumps(request)
        except Exception as error:
            raise WorkerError(
                f"Expected a {type(request).__name__} of values that can be sent to another process, but {error}.",
                "Send plain values, arrays or tensors on the CPU.",
            ) from None
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # what was sent cannot be taken back, but see `cancel`
        with self._lock:
            if self._failure is not None:
                raise self._failure
            self._count += 1
            number = self._count
            self._pending[number] = self._link.waiting[number] = future
            if on_progress is not None:
                self._watching[number] = on_progress
        if isinstance(request, SetKeep):
            self._link.keep = request.keep
        try:
            self._link.send(Request(number, packed))
        except WorkerError:
            self._pending.pop(number, None)
            raise WorkerError(f"{self._what} has ended and takes nothing any more.", self._remedy) from None
        return future

    def cancel(self, future: Future[Any]) -> None:
        """Say that an answer is no longer wanted; harmless when it has come. The future then raises CancelledError."""
        with self._lock:
            numbers = [number for number, pending in self._pending.items() if pending is future]
        for number in numbers:
            with contextlib.suppress(WorkerError):  # it has just ended, which those who wait learn
                self._link.send(Cancel(number))

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback` with every entry that the child tells from now on; the result ends it.

        It is called from a thread of this object's: it must be quick, must not wait for the process, and must hold no
        strong reference to what owns this object if the child shall end with the owner. A callback that raises is
        dropped and the error logged.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def check_may_wait(self, what: str) -> None:
        """Refuse to wait on the thread that answers come on (`Commands.check_may_wait`)."""
        if threading.current_thread() is self._reader:
            raise WorkerError(
                f"Expected {what}() not to be waited for inside a subscriber, which would wait for ever.",
                f'Use submit("{what}", ...) there.',
            )

    # -- on the reader thread -----------------------------------------------------------------------------------

    def _received(self, batch: Batch) -> None:
        if batch.heartbeat is not None:
            self.last_heartbeat = batch.heartbeat
        for entry in batch.entries:
            if isinstance(entry, Answer):
                self._answered(entry)
            elif isinstance(entry, Progress):
                if (watch := self._watching.get(entry.number)) is not None:
                    watch(entry.done)
            else:
                self._heard(entry)
                self._tell(entry)

    def _answered(self, answer: Answer) -> None:
        if answer.number == 0:
            if self._failure is None:
                self._failure = unpack_error(answer.value)
                self._say(StatusChanged("failed", str(self._failure), type(self._failure).__name__))
            return
        self._watching.pop(answer.number, None)
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

    def _heard(self, entry: Entry) -> None:
        """What an entry says of the process."""
        if isinstance(entry, StatusChanged) and self.status != "killed":
            self.status = entry.status
            if isinstance(entry, Ready):
                self._ready.set_result(None)
        elif isinstance(entry, Dropped):
            self.dropped = entry.count

    def _tell(self, entry: Entry) -> None:
        for callback in tuple(self._subscribers):
            try:
                callback(entry)
            except Exception:
                _log.exception("A subscriber failed and gets no more entries of: %s.", self._what)
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

    def _say(self, notice: StatusChanged) -> None:
        self.status = notice.status
        self._tell(notice)

    def _gone(self, status: int) -> None:
        expected = self.status in ("closed", "killed", "failed")
        with self._lock:
            if self._failure is None:
                how = "was killed" if self.status == "killed" else "was closed"
                if not expected:
                    how = f"ended unexpectedly ({describe_exit(status)})"
                self._failure = WorkerError(f"{self._what} {how}.", self._remedy)
            pending, self._pending = list(self._pending.values()), {}
            self._watching.clear()
        if not self._ready.done():
            self._ready.set_exception(self._failure)
        for future in pending:
            future.set_exception(self._failure)
        if not expected:
            self._say(StatusChanged("lost", str(self._failure), exit_status=status))
        elif self.status == "killed":
            self._say(StatusChanged("killed"))
        self._ended.set_result(None)


def _listen(link: Link, owner: weakref.ref[Process]) -> None:
    # Only a weak reference, dropped between batches: a thread that held the owner would keep it, and so the child,
    # for ever.
    while (batch := link.receive()) is not None:
        if (process := owner()) is not None:
            process._received(batch)
        del process
    status = link.bury()
    if (process := owner()) is not None:
        process._gone(status)
        return
    for future in list(link.waiting.values()):
        if not future.done():
            future.set_exception(
                WorkerError(
                    "The worker was dropped before its answer came, and its process has ended.",
                    "Hold the Worker as long as something is expected of it.",
                )
            )
