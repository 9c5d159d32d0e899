"""A Session in a background thread, with the part of a Worker's surface that the widgets use."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import LayertieError, TieError

_END = object()


@dataclass(frozen=True)
class _Request:
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    answer: Future[Any] = field(default_factory=Future)


class SessionThread:
    """Takes commands for a Session and carries them out one after the other, between two optimizer steps.

    Args:
        session: The session. While this lives, call the session's methods that change it only through here.

    Commands for `submit`: propose, commit(choice, by, decision), run(decisions), step, pause(finish), save(name). A run
    or step is answered when it begins; how it goes on is told to subscribers.
    """

    def __init__(self, session: Any) -> None:
        self._board = _Board()
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        session.subscribe(self._board.tell)
        self._board.status = _status(session)
        # The thread holds the session but not this object, whose end ends the thread.
        self._finalizer = weakref.finalize(self, self._inbox.put, _END)
        self._thread = threading.Thread(
            target=_serve, args=(session, self._inbox, self._board), name="layertie session", daemon=True
        )
        self._thread.start()

    @property
    def status(self) -> str:
        """ready (an answer is awaited), running, paused (inside a decision), finished (the budget is spent), closed."""
        return self._board.status

    def submit(self, command: str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give a command without waiting.

        Raises:
            LayertieError: The thread has been closed.
        """
        if not self._finalizer.alive:
            raise LayertieError("Expected a run to take the command, but it has been closed.", "Open the run again.")
        request = _Request(command, args, kwargs)
        self._inbox.put(request)
        return request.answer

    def subscribe(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Call `callback` with the session's events and telemetry, and with status entries; the result ends it."""
        self._board.subscribers.append(callback)
        return lambda: self._board.subscribers.remove(callback)

    def close(self, timeout: float = 10.0) -> None:
        """End the thread after the optimizer step under way. The session stays open and can be used directly."""
        self._finalizer()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)


class _Board:
    """Who listens, and what is going on."""

    def __init__(self) -> None:
        self.status = "ready"
        self.subscribers: list[Callable[[Any], None]] = []

    def tell(self, entry: Any) -> None:
        for callback in tuple(self.subscribers):
            callback(entry)

    def say(self, status: str) -> None:
        if status != self.status:
            self.status = status
            self.tell({"kind": "status", "status": status})


def _serve(session: Any, inbox: queue.SimpleQueue[Any], board: _Board) -> None:
    left = 0
    while True:
        if left > 0 and inbox.empty():
            left = _go_on(session, left, inbox, board)
            continue
        if left == 0:
            board.say(_status(session))
        request = inbox.get()
        if request is _END:
            break
        try:
            value, left = _obey(session, request, left, board)
        except Exception as error:
            # Whatever it is, the person who pressed is told, and the thread goes on to take the next command.
            request.answer.set_exception(error)
        else:
            request.answer.set_result(value)
        del request
    board.say("closed")


def _go_on(session: Any, left: int, inbox: queue.SimpleQueue[Any], board: _Board) -> int:
    """Let the agent answer until it is done or a command comes. Returns the decisions still to make."""
    board.say("running")
    try:
        return left - len(session.run(left, should_stop=lambda: not inbox.empty()))
    except Exception as error:
        board.tell({"kind": "failed", "error": type(error).__name__, "sentence": str(error)})
        return 0


def _obey(session: Any, request: _Request, left: int, board: _Board) -> tuple[Any, int]:
    """Carry out a command. Returns its answer and the decisions still to make."""
    name, args, kwargs = request.name, request.args, request.kwargs
    if name == "propose":
        return session.propose(), left
    if name == "run":
        return None, _goal(session, *args, **kwargs)
    if name == "step":
        return None, 1
    if name == "pause":
        if kwargs.get("finish"):
            _complete(session)
        return None, 0
    if name == "commit":
        board.say("running")
        return _commit(session, *args, **kwargs), max(0, left - 1)
    if name == "save":
        return session.save(*args, **kwargs), left
    raise LayertieError(f"Expected a command that a session in a thread knows, but got {name!r}.", "Use a Worker.")


def _goal(session: Any, decisions: int | None = None) -> int:
    if decisions is not None:
        return decisions
    return max(0, session.config.decisions - session.decision + (session.phase == "training"))


def _complete(session: Any) -> None:
    if session.phase == "training":
        session.run(1)


def _commit(session: Any, choice: int, by: str = "human", decision: int | None = None) -> Any:
    _complete(session)
    open_decision = session.decision + 1
    if decision is not None and decision != open_decision:
        raise TieError(
            f"Expected an answer for decision {open_decision}, but got one for decision {decision}.",
            "Answer the layer that is at hand now.",
        )
    return session.commit(choice, by=by)


def _status(session: Any) -> str:
    if session.phase == "training":
        return "paused"
    return "finished" if session.finished else "ready"
