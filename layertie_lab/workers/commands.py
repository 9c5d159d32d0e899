"""The commands of a run (`core.commands`) as methods of whoever takes them: each waits for its answer."""

from __future__ import annotations

import contextlib
import functools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, Generic, ParamSpec, TypeVar, overload

from ..core import commands
from ..core.commands import Command
from ..core.errors import LayertieError, WorkerError

P = ParamSpec("P")
T = TypeVar("T")

_TURN = 0.1
"""Seconds of one wait."""


class WorkerTimeout(WorkerError, TimeoutError):
    """No answer in time. The command is still under way."""


class asked(Generic[P, T]):
    """A command as a method: its arguments are the command's fields, its result is what comes back."""

    def __init__(self, kind: Callable[P, Command[T]]) -> None:
        self._kind = kind
        self.__doc__ = kind.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> asked[P, T]: ...
    @overload
    def __get__(self, owner: Commands, kind: type) -> Callable[P, T]: ...
    def __get__(self, owner: Commands | None, kind: type) -> asked[P, T] | Callable[P, T]:
        if owner is None:
            return self

        @functools.wraps(self._kind, updated=())
        def ask(*args: P.args, **kwargs: P.kwargs) -> T:
            return owner.ask(self._kind(*args, **kwargs))

        return ask


class Commands(ABC):
    """What takes commands: a Worker, a share of one, or a session in a thread.

    Every method waits until its answer is there; `give` does not wait. Commands act between two optimizer steps, in the
    order they were given. Errors come back as their own class. An interrupt (Ctrl-C) while waiting for run, step or
    commit pauses the run.
    """

    @abstractmethod
    def give(self, command: Command[T], /) -> Future[T]:
        """Give a command without waiting.

        Raises:
            LayertieError: Nobody is there to take it any more, or it cannot be sent.
        """

    @abstractmethod
    def check_may_wait(self, what: str) -> None:
        """Refuse to wait where the wait would never end: inside a subscriber.

        Args:
            what: The command's verb.

        Raises:
            WorkerError: It would not.
        """

    def submit(self, verb: str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give a command by its verb without waiting: `submit("commit", 2, by="human")`.

        Raises:
            LayertieError: As `give`; no such command, or a value out of range.
            TypeError: Arguments that it does not take.
        """
        return self.give(commands.command(verb, *args, **kwargs))

    def ask(self, command: Command[T], /, timeout: float | None = None) -> T:
        """Give a command and wait for its answer.

        Args:
            command: The command.
            timeout: Seconds that may pass; None for ever.

        Raises:
            WorkerTimeout: No answer in time.
            LayertieError: It was refused, or failed.
        """
        self.check_may_wait(command.verb)
        future = self.give(command)
        try:
            return wait_for(future, timeout)
        except TimeoutError:
            raise WorkerTimeout(
                f"Expected an answer to {command.verb}() within {timeout:g} s, but none came.",
                "The command is still under way: wait longer, or call kill().",
            ) from None
        except KeyboardInterrupt:
            if command.trains:
                with contextlib.suppress(LayertieError):
                    self.give(commands.Pause())
            raise

    propose = asked(commands.Propose)
    begin = asked(commands.Begin)
    advance = asked(commands.Advance)
    finish = asked(commands.Finish)
    commit = asked(commands.Commit)
    run = asked(commands.Run)
    step = asked(commands.Step)
    pause = asked(commands.Pause)
    answer_ahead = asked(commands.AnswerAhead)
    evaluate = asked(commands.Evaluate)
    sample = asked(commands.Sample)
    summary = asked(commands.Summary)
    opening = asked(commands.Opening)
    snapshot = asked(commands.Snapshot)
    call = asked(commands.Call.of)
    save = asked(commands.Save)
    set_rules = asked(commands.SetRules)
    set_keep = asked(commands.SetKeep)
    set_throttle = asked(commands.SetThrottle)


def wait_for(future: Future[T], timeout: float | None) -> T:
    """A future's result, waited for in short turns.

    Ctrl-C does not wake the main thread from a long wait once polars is imported: its handler asks the system to go on
    with what was interrupted.

    Raises:
        TimeoutError: Not in time.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = _TURN if end is None else end - time.monotonic()
        done, _ = wait([future], max(0.0, min(_TURN, left)))
        if done:
            return future.result()
        if end is not None and left <= _TURN:
            raise TimeoutError
