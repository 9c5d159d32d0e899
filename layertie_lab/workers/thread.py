"""A session in a background thread: the driver of a Worker's process, in this process."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.commands import Close, Command
from ..core.errors import LayertieError, WorkerError
from ..core.notices import Entry, StatusChanged
from .commands import Commands, wait_for
from .driver import Asked, Driver, Inbox

if TYPE_CHECKING:  # the session is handed in, and widgets that show one need no torch
    from ..session.session import Session
    from ..session.turns import Claim

T = TypeVar("T")


class SessionThread(Commands):
    """Takes commands for a Session and carries them out in a thread, one after the other.

    Args:
        session: The session. While this lives, it is claimed: what changes it goes through here alone, and is refused
            to others; what reads it comes between two optimizer steps.
        throttle: Most decisions per second of a run; 0 = no limit.

    Raises:
        LayertieError: Somebody else runs the session.

    It ends with `close`, and when nobody holds it any more: after the optimizer step under way. The session stays open
    and can then be used directly.
    """

    def __init__(self, session: Session, *, throttle: float = 0.0) -> None:
        self._host = _Host()
        self._inbox: Inbox = queue.SimpleQueue()
        claim = session.claim(
            "a control room (or another SessionThread)", "Give it the command: room.submit(...); or close it first."
        )
        driver = Driver(session, self._host, throttle=throttle)
        self._host.status = driver.status
        # The thread holds the session but not this object, whose end ends the thread.
        self._finalizer = weakref.finalize(self, _hang_up, self._host, self._inbox)
        self._thread = threading.Thread(
            target=_serve, args=(driver, claim, self._host, self._inbox), name="layertie session", daemon=True
        )
        self._thread.start()

    @property
    def status(self) -> str:
        """ready (an action is awaited), running, paused (inside a decision), finished (the budget is spent), closed."""
        return self._host.status

    def give(self, command: Command[T], /) -> Future[T]:
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()  # a command that was given cannot be cancelled
        with self._host.lock:
            if self._host.ended:
                raise _closed()
            self._inbox.put(Asked(command, _Waiting(answer)))
        return answer

    def check_may_wait(self, what: str) -> None:
        if threading.current_thread() is self._thread:
            raise WorkerError(
                f"Expected {what}() not to be waited for inside a subscriber, which would wait for ever.",
                f'Use submit("{what}", ...) there.',
            )

    def subscribe(self, callback: Callable[[Entry], None]) -> Callable[[], None]:
        """Call `callback` with the session's events and notices, and with changes of status; the result ends it."""
        subscribers = self._host.subscribers
        subscribers.append(callback)
        return lambda: subscribers.remove(callback) if callback in subscribers else None

    def close(self, save: bool = False, *, timeout: float | None = 10.0) -> None:
        """End what is under way and the thread, after the optimizer step under way. Harmless when it has ended.

        Args:
            save: Write a checkpoint first.
            timeout: Seconds to wait for that; None for ever.

        Raises:
            StorageError: The checkpoint could not be written.
        """
        if self._finalizer.detach() is None or self._host.ended:
            return
        closed = self.give(Close(save))
        if threading.current_thread() is not self._thread:
            wait_for(closed, timeout)
            self._thread.join(timeout)


@dataclass(frozen=True)
class _Waiting:
    """Whoever holds a future."""

    future: Future[Any]

    def reply(self, value: Any) -> None:
        self.future.set_result(value)

    def refuse(self, error: Exception) -> None:
        self.future.set_exception(error)


class _Host:
    """The thread as its driver knows it, and those who listen."""

    in_a_process = keep = False

    def __init__(self) -> None:
        self.alone = self.ended = False
        self.lock = threading.Lock()
        self.status = "ready"
        self.subscribers: list[Callable[[Entry], None]] = []

    def tell(self, entry: Entry) -> None:
        for callback in tuple(self.subscribers):
            callback(entry)

    def say(self, status: str) -> None:
        if status != self.status:
            self.status = status
            self.tell(StatusChanged(status))

    def explain(self, doing: str, error: BaseException) -> tuple[Exception, str | None]:
        # The caller is in this process and can read the error itself.
        if isinstance(error, Exception):
            return error, None
        return WorkerError(f"{doing} failed: {type(error).__name__}: {error}."), None

    def detach(self) -> None:
        """A thread does not outlive its process."""


def _serve(driver: Driver, claim: Claim, host: _Host, inbox: Inbox) -> None:
    unsubscribe = driver.session.subscribe(host.tell)
    with claim:
        driver.serve(inbox)
    unsubscribe()
    with host.lock:
        host.ended = True
    if driver.closing is not None:
        command, caller = driver.closing
        try:
            if command.save:
                driver.session.save()
            caller.reply(None)
        except LayertieError as error:
            caller.refuse(error)
    while not inbox.empty():
        if (asked := inbox.get()) is not None:
            asked.caller.refuse(_closed())
    host.say("closed")


def _hang_up(host: _Host, inbox: Inbox) -> None:
    host.alone = True
    inbox.put(None)


def _closed() -> LayertieError:
    return LayertieError("Expected a run to take the command, but it has been closed.", "Open the run again.")
