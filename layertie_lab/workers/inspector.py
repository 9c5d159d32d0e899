"""Questions about runs, answered by a process of its own: the one that trains is not stopped, nor the one that asks."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from ..core.errors import AnalysisError, CancelledError, WorkerError
from ..inspection.question import PICTURES, Question
from ..records import findings

Found = dict[str, Any]


class Inspector:
    """Answers questions one after another, in a process that is started at the first one. All methods are thread-safe.

    When nobody holds it any more, and when this process ends, the other one ends.

    Args:
        threads: CPU threads of torch there.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads, self._lock, self._line = threads, threading.Lock(), _Line()

    def ask(self, question: Question, on_share: Callable[[float], None] | None = None) -> Future[Found]:
        """Ask a question.

        Args:
            question: With a decision, so that what was found before is found again; without one it is about the
                latest that is stored when its turn comes.
            on_share: Called from another thread with the share done, 0 to 1.

        Returns:
            The answer of `views.answer`, with `pictures` as `charts.inside.views` draws them; or AnalysisError,
            CancelledError, or WorkerError where the process is gone.
        """
        future: Future[Found] = Future()
        future.set_running_or_notify_cancel()
        if question.decision is not None:
            run, asked = Path(question.run), question.to_dict(question.decision)
            found, drawn = findings.find(run, asked), findings.find(run, asked | PICTURES)
            if found is not None and drawn is not None:
                future.set_result(found | drawn)
                return future
        with self._lock:
            line = self._line
            if line.process is None or line.gone.is_set():
                line = self._line = _start(self._threads)
            number = line.next()
            line.asked[number] = (future, on_share)
            line.send({"id": number, **asdict(question)})
        return future

    def cancel(self, future: Future[Found]) -> None:
        """End a question; harmless where it is answered. Its future then raises CancelledError within a moment."""
        with self._lock:
            for number, (asked, _) in list(self._line.asked.items()):
                if asked is future:
                    self._line.send({"cancel": number})

    def close(self) -> None:
        """End the process; what is still asked raises CancelledError."""
        with self._lock:
            line, self._line = self._line, _Line()
        line.closed = True
        if line.process is not None:
            line.process.kill()

    def __del__(self) -> None:
        # The pipe is all that keeps the other process.
        line = getattr(self, "_line", None)
        if line is not None and line.process is not None:
            with contextlib.suppress(OSError, ValueError):
                cast(Any, line.process.stdin).close()


@dataclass(eq=False)
class _Line:
    """The process and what was asked of it; apart from the inspector, so that its thread does not keep it."""

    process: subprocess.Popen[str] | None = None
    asked: dict[int, tuple[Future[Found], Callable[[float], None] | None]] = field(default_factory=dict)
    gone: threading.Event = field(default_factory=threading.Event)
    closed: bool = False
    count: int = 0

    def next(self) -> int:
        self.count += 1
        return self.count

    def send(self, message: dict[str, Any]) -> None:
        if self.process is not None:
            with contextlib.suppress(OSError, ValueError):  # it is gone, which the one who listens to it says
                cast(Any, self.process.stdin).write(json.dumps(message) + "\n")


def _start(threads: int) -> _Line:
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "layertie_lab.workers.inspector_child", str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": str(threads)},
        start_new_session=True,
    )
    line = _Line(process)
    threading.Thread(target=_hear, args=(line,), name="layertie looks", daemon=True).start()
    return line


def _hear(line: _Line) -> None:
    process = cast(Any, line.process)
    with contextlib.suppress(OSError, ValueError):
        for text in process.stdout:
            _take(line, json.loads(text))
    status = process.wait()
    line.gone.set()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError, ValueError):
            pipe.close()
    for future, _ in line.asked.values():
        future.set_exception(
            CancelledError("This look was cancelled.", "Ask again.")
            if line.closed
            else WorkerError(f"Expected the process that looks inside to go on, but it ended ({status}).", "Ask again.")
        )
    line.asked.clear()


def _take(line: _Line, message: dict[str, Any]) -> None:
    number = message.get("id")
    if number not in line.asked:
        return
    future, on_share = line.asked[number]
    if "share" in message:
        if on_share is not None:
            on_share(message["share"])
        return
    del line.asked[number]
    if "answer" in message:
        future.set_result(message["answer"])
    elif "error" in message:
        future.set_exception(AnalysisError(message["error"]))
    else:
        future.set_exception(CancelledError("This look was cancelled.", "Ask again."))
