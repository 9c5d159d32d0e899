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
        session: The session. While this lives, it is claimed: what changes it goes through here alone, and is refused
            to others; what reads it comes between two optimizer steps.

    Commands for `submit`, as a Worker has them: propose, commit(choice, by, decision), run(decisions), step,
    pause(finish), save(name). How things go on is told to subscribers.

    Raises:
        LayertieError: Somebody else runs the session.
    """

    takes_answers_ahead = False

    def __init__(self, session: Any) -> None:
        self._board = _Board()
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        claim = session.claim(
            "a control room (or another SessionThread)", "Give it the command: room.submit(...); or close it first."
        )
        session.subscribe(self._board.tell)
        self._board.status = _status(session)
        # The thread holds the session but not this object, whose end ends the thread.
        self._finalizer = weakref.finalize(self, self._inbox.put, _END)
        self._thread = threading.Thread(
            target=_Server(session, claim, self._inbox, self._board).serve, name="layertie session", daemon=True
        )
        self._thread.start()

    @property
    def status(self) -> str:
        """ready (an answer is awaited), running, paused (inside a decision), finished (the budget is spent), closed."""
        return self._board.status

    def submit(self, command: str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give a command without waiting. It is answered when it is done: a run with outcomes, fewer after a pause.

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


class _Server:
    """What the thread does: one command, or one stretch of a run, at a time. Ends when told to; holds no handle."""

    def __init__(self, session: Any, claim: Any, inbox: queue.SimpleQueue[Any], board: _Board) -> None:
        self._session, self._claim, self._inbox, self._board = session, claim, inbox, board
        self._run: _Request | None = None
        self._left = 0
        self._outcomes: list[Any] = []

    def serve(self) -> None:
        with self._claim:
            self._serve()
        self._board.say("closed")

    def _serve(self) -> None:
        while True:
            if self._run is not None and self._inbox.empty():
                self._go_on()
                continue
            if self._run is None:
                self._board.say(_status(self._session))
            request = self._inbox.get()
            if request is _END:
                break
            self._answer(request)
            del request
        self._end_run()

    def _go_on(self) -> None:
        """Let the agent answer until the run is done or a command comes."""
        self._board.say("running")
        try:
            done = self._session.run(self._left, should_stop=lambda: not self._inbox.empty())
        except Exception as error:
            # The person is told, and the thread goes on to take the next command.
            self._board.tell({"kind": "failed", "error": type(error).__name__, "sentence": str(error)})
            self._end_run(error)
            return
        self._count(done)

    def _count(self, outcomes: list[Any]) -> None:
        if self._run is None:
            return
        self._outcomes += outcomes
        self._left -= len(outcomes)
        if self._left <= 0:
            self._end_run()

    def _end_run(self, error: Exception | None = None) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        if error is not None:
            run.answer.set_exception(error)
        elif run.name == "run":
            run.answer.set_result(self._outcomes)
        elif self._outcomes:
            run.answer.set_result(self._outcomes[0])
        else:
            run.answer.set_exception(LayertieError("The step was paused before its decision was done."))

    def _answer(self, request: _Request) -> None:
        if request.name in ("run", "step"):
            self._end_run()
            self._left = 1 if request.name == "step" else _goal(self._session, *request.args, **request.kwargs)
            self._run, self._outcomes = request, []
            if self._left <= 0:
                self._end_run()
            return
        try:
            value = self._obey(request.name, *request.args, **request.kwargs)
        except Exception as error:
            request.answer.set_exception(error)
        else:
            request.answer.set_result(value)

    def _obey(self, name: str, *args: Any, **kwargs: Any) -> Any:
        session = self._session
        if name == "propose":
            return session.propose()
        if name == "pause":
            if kwargs.get("finish"):
                self._complete()
            self._end_run()
            return None
        if name == "commit":
            return self._commit(*args, **kwargs)
        if name == "save":
            return session.save(*args, **kwargs)
        raise LayertieError(f"Expected a command that a session in a thread knows, but got {name!r}.", "Use a Worker.")

    def _complete(self) -> None:
        if self._session.phase == "training":
            self._count(self._session.run(1))

    def _commit(self, choice: int, by: str = "human", decision: int | None = None) -> Any:
        self._board.say("running")
        self._complete()
        open_decision = self._session.decision + 1
        if decision is not None and decision != open_decision:
            raise TieError(
                f"Expected an answer for decision {open_decision}, but got one for decision {decision}.",
                "Answer the layer that is at hand now.",
            )
        outcome = self._session.commit(choice, by=by)
        self._count([outcome])
        return outcome


def _goal(session: Any, decisions: int | None = None) -> int:
    if decisions is not None:
        return decisions
    return max(0, session.config.decisions - session.decision + (session.phase == "training"))


def _status(session: Any) -> str:
    if session.phase == "training":
        return "paused"
    return "finished" if session.finished else "ready"
