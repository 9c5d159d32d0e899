"""A session's methods from another process: each waits for its answer, or gives a Future by `submit`."""

from __future__ import annotations

import contextlib
import inspect
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.decisions import Decision, Outcome, Proposal
from ..core.errors import WorkerError
from ..core.events import Opened

if TYPE_CHECKING:  # these modules import torch, which the process that watches need not
    from ..training.evaluation import Evaluation
    from ..training.loop import StepResult


_TURN = 0.1
"""Seconds of one wait."""


class WorkerTimeout(WorkerError, TimeoutError):
    """No answer in time. The command is still under way."""


class Surface(ABC):
    """What can be asked of a running session.

    Every method waits until its answer is there; `timeout` (seconds) ends the wait with `WorkerTimeout`. The form that
    does not wait is `submit("commit", 2, by="human")`, a `concurrent.futures.Future` of the same answer.

    Commands act between two optimizer steps, in the order they were given. Errors come back as their own class.
    An interrupt (Ctrl-C) while waiting for run, step or commit pauses the run.
    """

    @abstractmethod
    def submit(self, command: str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give a command without waiting.

        Args:
            command: The name of one of the methods below.
            *args: Its arguments, `timeout` left out.
            **kwargs: Its arguments, `timeout` left out.

        Raises:
            WorkerError: There is no process to take it any more.
        """

    @abstractmethod
    def _check_may_wait(self, command: str) -> None: ...

    def propose(self, *, timeout: float | None = None) -> Proposal:
        """The open proposal; asking again gives the same one.

        While a run is going on, the answer comes at the next proposal, and the agent does not wait for anybody: use
        `pause(finish=True)` before asking a person.
        """
        return self._wait("propose", timeout)

    def begin(
        self, choice: int, by: str = "human", *, decision: int | None = None, timeout: float | None = None
    ) -> Decision:
        """Commit an answer and stop before its first step; `advance` and `finish` go on. Refused during a run."""
        return self._wait("begin", timeout, choice, by, decision=decision)

    def advance(self, *, timeout: float | None = None) -> StepResult:
        """One optimizer step of the decision under way. Refused during a run."""
        return self._wait("advance", timeout)

    def finish(self, *, timeout: float | None = None) -> Outcome:
        """The outcome of a decision whose steps are done. Refused during a run."""
        return self._wait("finish", timeout)

    def commit(
        self, choice: int, by: str = "human", *, decision: int | None = None, timeout: float | None = None
    ) -> Outcome:
        """Answer for the proposed layer, train its steps, measure and learn.

        A decision under way is completed first. During a run the agent stands back for this one decision: the answer
        is put into force at the next proposal, counts as one of the run's decisions, and the run then goes on.

        Args:
            choice: A legal answer.
            by: Who answers.
            decision: `Proposal.decision` of the proposal that was answered, so that the answer cannot end up at another
                layer. None: whichever proposal is next.

        Raises:
            TieError: Not a legal answer, or `decision` has passed or is not open yet. Nothing was committed.
            LayertieError: A pause came first, or interrupted its steps (the answer then stands).
        """
        return self._wait("commit", timeout, choice, by, decision=decision)

    def run(self, decisions: int | None = None, *, timeout: float | None = None) -> list[Outcome]:
        """Let the agent answer.

        A decision under way is completed first and counts. A run that is going on already is replaced: its own call
        returns what was done so far, and `decisions` counts from now.

        Args:
            decisions: How many to complete; default what is left of the budget.

        Returns:
            The outcomes; fewer than asked for after `pause`.
        """
        return self._wait("run", timeout, decisions)

    def step(self, *, timeout: float | None = None) -> Outcome:
        """Complete one decision (the one under way, if any) with the agent's answer. Ends a run that is going on."""
        return self._wait("step", timeout)

    def pause(self, *, finish: bool = False, timeout: float | None = None) -> dict[str, Any]:
        """End the run within one optimizer step; what is under way can be gone on with by run, step or commit.

        Args:
            finish: Complete the decision under way first, so that the next proposal is open.

        Returns:
            `snapshot()`.
        """
        return self._wait("pause", timeout, finish=finish)

    def evaluate(
        self, split: str = "validation", count: int | None = None, *, timeout: float | None = None
    ) -> Evaluation:
        """The loss on a split now (see `Session.evaluate`)."""
        return self._wait("evaluate", timeout, split, count)

    def sample(
        self, tokens: int | None = None, *, seed: int | None = None, timeout: float | None = None
    ) -> tuple[str, str]:
        """(prompt, continuation) by the model as it is now (see `Session.sample`)."""
        return self._wait("sample", timeout, tokens, seed=seed)

    def save(self, name: str | None = None, *, timeout: float | None = None) -> Path | None:
        """Write a checkpoint."""
        return self._wait("save", timeout, name)

    def summary(self, *, timeout: float | None = None) -> dict[str, Any]:
        """What the run has come to, as plain values."""
        return self._wait("summary", timeout)

    def opening(self, *, timeout: float | None = None) -> Opened:
        """The opening event of a run that begins where this one is, for a watcher that comes late.

        All events up to then are in the log when the answer comes.
        """
        return self._wait("opening", timeout)

    def snapshot(self, *, timeout: float | None = None) -> dict[str, Any]:
        """Where the run stands: status, decision, step, phase, pending_steps, finished, ties, blocks, throttle,
        rules, ahead."""
        return self._wait("snapshot", timeout)

    def call(self, function: Callable[..., Any], /, *, timeout: float | None = None, **kwargs: Any) -> Any:
        """`function(session, **kwargs)` in the training process, between two steps.

        Args:
            function: A function at the top level of a module that can be imported there.
            **kwargs: Arguments and, like the result, plain values, arrays or tensors on the CPU.

        Raises:
            WorkerError: Not such a function, something that cannot be sent, or the function failed.
        """
        return self._wait("call", timeout, function, **kwargs)

    def answer_ahead(
        self, answers: dict[int, int], *, run: bool = False, timeout: float | None = None
    ) -> list[Outcome]:
        """A person's answers for several layers, each given when its layer is asked about next.

        They replace those that still wait; the agent answers the layers between. They are lost with the process.

        Args:
            answers: Layer -> source (the layer itself = train on its own); an empty dict forgets those that wait.
            run: Go on through the last of them, unless decisions are being trained already.

        Returns:
            With `run` the outcomes, as `run` gives them; else none.

        Raises:
            TieError: Not a legal answer by the present map and rules. Nothing waits that did not wait before.
        """
        return self._wait("answer_ahead", timeout, answers, run=run)

    def set_rules(self, rules: str, *, timeout: float | None = None) -> None:
        """Let other rules stand from the next proposal on (`core.rules.Rules.parse`); "" for none."""
        return self._wait("set_rules", timeout, rules)

    def set_keep(self, keep: bool, *, timeout: float | None = None) -> None:
        """Whether a run that is going on outlives this process and this object."""
        return self._wait("set_keep", timeout, keep)

    def set_throttle(self, throttle: float, *, timeout: float | None = None) -> None:
        """Most decisions per second of a run; 0 = no limit."""
        return self._wait("set_throttle", timeout, throttle)

    def _wait(self, command: str, timeout: float | None, /, *args: Any, **kwargs: Any) -> Any:
        self._check_may_wait(command)
        future = self.submit(command, *args, **kwargs)
        try:
            return wait_for(future, timeout)
        except TimeoutError:
            raise WorkerTimeout(
                f"Expected an answer to {command}() within {timeout:g} s, but none came.",
                "The command is still under way: wait longer, or call kill().",
            ) from None
        except KeyboardInterrupt:
            if command in ("run", "step", "commit"):
                with contextlib.suppress(WorkerError):
                    self.submit("pause")
            raise


def wait_for(future: Future[Any], timeout: float | None) -> Any:
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


def arguments_of(command: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a command by name, as its method would take them.

    Raises:
        WorkerError: No such command.
        TypeError: Arguments that it does not take.
        WorkerError: A value out of range, or a function that the other process cannot find.
    """
    method = getattr(Surface, command, None)
    if command.startswith("_") or command == "submit" or not inspect.isfunction(method):
        raise WorkerError(
            f"Expected a command, but got {command!r}.",
            f"Commands: {', '.join(name for name in vars(Surface) if name[0] != '_' and name != 'submit')}.",
        )
    if command == "call":
        return _call(*args, **kwargs)
    bound = inspect.signature(method).bind(None, *args, **kwargs).arguments
    del bound["self"]
    if "timeout" in bound:
        raise TypeError("a submitted command takes no timeout; give it to result()")
    if command == "set_throttle" and not bound["throttle"] >= 0:
        raise WorkerError(f"Expected a throttle of 0 or more, but got {bound['throttle']!r}.", "0 means no limit.")
    return dict(bound)


def _call(function: Callable[..., Any], /, **kwargs: Any) -> dict[str, Any]:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    found = getattr(sys.modules.get(module or ""), name, None)
    if module == "__main__" or found is not function or not callable(function):
        where = "a notebook or script" if module == "__main__" else "a place that cannot be imported"
        raise WorkerError(
            f"Expected a function at the top level of a module, but {name or function!r} lives in {where}.",
            "Put it into a file that can be imported, and import it from there.",
        )
    return {"function": f"{module}:{name}", "path": tuple(sys.path), "arguments": kwargs}
