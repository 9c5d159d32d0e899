"""Questions about runs, answered by a process of its own: the one that trains is not stopped, nor the one that asks."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ..core.errors import CancelledError, WorkerError
from ..inspection.question import PICTURES, Question
from ..records import findings
from .limits import check_room
from .process.parent import Process

Found = dict[str, Any]


_every: weakref.WeakSet[Inspector] = weakref.WeakSet()
_turn = threading.Lock()


class Inspector:
    """Answers questions one after another, in a process that is started at the first one. All methods are thread-safe.

    When nobody holds it any more, and when this process ends, the other one ends.

    Args:
        threads: CPU threads of torch there.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads, self._lock = threads, threading.Lock()
        self._process: Process | None = None
        self._asked = 0.0
        _every.add(self)

    @property
    def pid(self) -> int | None:
        """The process that answers, if there is one."""
        return None if self._process is None or not self._process.alive else self._process.pid

    def ask(self, question: Question, on_share: Callable[[float], None] | None = None) -> Future[Found]:
        """Ask a question.

        Args:
            question: With a decision, so that what was found before is found again; without one it is about the
                latest that is stored when its turn comes.
            on_share: Called from another thread with the share done, 0 to 1.

        Returns:
            The answer of `views.answer`, with `pictures` as `charts.inside.views` draws them; or LayertieError where
            there is none, CancelledError, or WorkerError where the process is gone.

        Raises:
            WorkerError: As many others answer at the moment as the server allows (`limits`). One that only waits for
                the next question is ended in favour of this one.
        """
        if question.decision is not None:
            run, asked = Path(question.run), question.to_dict(question.decision)
            found, drawn = findings.find(run, asked), findings.find(run, asked | PICTURES)
            if found is not None and drawn is not None:
                future: Future[Found] = Future()
                future.set_running_or_notify_cancel()
                future.set_result(found | drawn)
                return future
        with self._lock:
            self._asked = time.monotonic()
            if self._process is None or self._process.has_ended:
                with _turn:
                    _make_room(self)
                    self._process = self._start()
            return self._process.give(question, on_share)

    def cancel(self, future: Future[Found]) -> None:
        """End a question; harmless where it is answered. Its future then raises CancelledError within a moment."""
        with self._lock:
            if self._process is not None:
                self._process.cancel(future)

    def close(self) -> None:
        """End the process; what is still asked raises CancelledError."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill(CancelledError("This was cancelled.", "Ask again."))

    def _start(self) -> Process:
        answering = "layertie_lab.inspection.answering:Answering"
        return Process(
            "layertie_lab.workers.process.answers:answer",
            {"answerer": answering, "arguments": {"threads": self._threads}},
            what="The process that looks inside",
            remedy="Ask again.",
            purpose=[answering],
            threads=self._threads,
        )

    @property
    def _resting(self) -> bool:
        """Whether there is a process that waits for the next question."""
        process = self._process
        return process is not None and process.alive and not process.owes


def _make_room(asking: Inspector) -> None:
    others = [each for each in _every if each is not asking and each.pid is not None]
    resting = sorted((each for each in others if each._resting), key=lambda each: each._asked)
    try:
        check_room("looks under way", len(others), "Wait until one is done.")
    except WorkerError:
        if not resting:
            raise
        resting[0].close()
