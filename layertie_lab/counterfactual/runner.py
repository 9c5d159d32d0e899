"""The replicates of a study in worker processes: kept as they finish, and can be cancelled and gone on with."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any, Literal

from ..core.errors import ConfigError, LayertieError, WorkerError
from ..records.studies import in_order
from ..workers.process.parent import Process
from .study import Study

REPLICATES = "layertie_lab.counterfactual.replicates:Replicates"
"""What the processes run (`workers.process.answers`); by its path, since it imports torch."""
TURN = 0.2
"""Seconds between two words on the progress."""

State = Literal["ready", "running", "done", "cancelled", "failed"]


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is.

    Args:
        state: done: all replicates that were wanted have come. failed: see `error`.
        replicates: Finished, without a gap from the first on.
        wanted: At most so many.
        steps: Optimizer steps so far, those of earlier calls too.
        steps_wanted: Of all replicates that are wanted.
        seconds: Since this call began.
        seconds_left: Until all that is wanted has come; None if nobody can tell yet.
        seconds_per_pair: Mean time of a replicate in its process; None before the first.
        error: What ended it, as a sentence.
    """

    state: State = "ready"
    replicates: int = 0
    wanted: int = 0
    steps: int = 0
    steps_wanted: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None
    seconds_per_pair: float | None = None
    error: str = ""

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return self.steps / self.steps_wanted if self.steps_wanted else 0.0


@dataclass(eq=False)
class _Child:
    """A process that trains pairs, and which replicate it is at."""

    process: Process
    number: int | None = None
    steps: int = 0

    def hear(self, steps: float) -> None:
        self.steps = int(steps)


@dataclass
class _Crew:
    """What the thread of a runner works with; apart from it, so that the thread does not keep the runner."""

    study: Study
    threads: int
    came: SimpleQueue[tuple[_Child, Future[dict[str, Any]]]] = field(default_factory=SimpleQueue)
    children: list[_Child] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def hire(self) -> _Child:
        process = Process(
            "layertie_lab.workers.process.answers:answer",
            {"answerer": REPLICATES, "arguments": {"study": self.study.path, "threads": self.threads}},
            what="The process that trains the pairs",
            remedy="Go on with the study: the finished replicates are kept.",
            purpose=[REPLICATES, str(self.study.path)],
            threads=self.threads,
        )
        self.children.append(_Child(process))
        return self.children[-1]

    def give(self, child: _Child, number: int) -> None:
        child.number, child.steps = number, 0
        future = child.process.give(number, child.hear)
        future.add_done_callback(lambda done: self.came.put((child, done)))

    def dismiss(self) -> None:
        for child in self.children:
            child.process.kill()


class StudyRunner:
    """Runs the replicates of a study that are still missing.

    Args:
        study: The study.
        workers: Processes at a time; 0 = one per core, but no more than replicates.
        on_change: Called with the progress from another thread, at most five times a second and at every replicate.
        should_stop: Asked after every replicate with those that have come, without a gap from the first on
            (`records.studies`): True ends the study, as a plan of interim analyses does once it has a verdict.

    Raises:
        ConfigError: A negative number of workers.

    A replicate that is under way when the study is cancelled, or killed, is done again; the finished ones are kept, and
    give the same verdict as if nothing had happened: each depends on its number alone.
    """

    def __init__(
        self,
        study: Study,
        *,
        workers: int = 0,
        on_change: Callable[[StudyProgress], object] | None = None,
        should_stop: Callable[[list[dict[str, Any]]], bool] | None = None,
    ) -> None:
        if workers < 0:
            raise ConfigError(f"Expected 0 processes or more, but got {workers}.", "0 is one per core.")
        self.study = study
        self.progress = StudyProgress(wanted=study.spec.replicates)
        self._workers = min(workers or os.cpu_count() or 1, study.spec.replicates)
        self._on_change, self._should_stop = on_change, should_stop
        self._crew: _Crew | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, or go on.

        Raises:
            RecordError: Somebody else is at it.
            LayertieError: It has been started already.
        """
        if self._thread is not None:
            raise LayertieError("Expected a runner that has not been started yet.", "Make another one to go on.")
        lock = self.study.lock()
        self._crew = _Crew(self.study, self.study.spec.threads)
        self.progress = replace(self.progress, state="running")
        self._thread = threading.Thread(target=self._run, args=(self._crew, lock), name="layertie twins", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End it within a moment; what has finished is kept. Harmless when it has ended."""
        if self._crew is not None:
            self._crew.cancelled.set()

    def wait(self, timeout: float | None = None) -> StudyProgress:
        """Wait for its end.

        Args:
            timeout: Seconds; the progress then says "running".

        Returns:
            The progress.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while self._thread is not None and self._thread.is_alive():
            left = TURN if end is None else min(TURN, end - time.monotonic())
            if left <= 0:
                break
            # In short turns: Ctrl-C does not wake the main thread from a long wait once polars is imported.
            self._thread.join(left)
        return self.progress

    def _run(self, crew: _Crew, lock: Any) -> None:
        state: State = "failed"
        error = ""
        try:
            state = self._work(crew)
        except LayertieError as found:
            error = str(found)
        except Exception as found:
            error = f"The study stopped: {type(found).__name__}: {found}"
        finally:
            crew.dismiss()
            lock.release()
            self._tell(replace(self.progress, state=state, error=error, seconds_left=None))

    def _work(self, crew: _Crew) -> State:
        stated, began = self.study.spec, time.monotonic()
        known = {values["replicate"]: values for values in self.study.replicates()}
        before = len(known)
        missing = [number for number in stated.numbers if number not in known]
        if not missing or self._is_enough(known):
            self._tell(self._measure(known, crew, before, began))
            return "done"
        for _ in range(min(self._workers, len(missing))):
            crew.give(crew.hire(), missing.pop(0))
        while True:
            if crew.cancelled.is_set():
                return "cancelled"
            with contextlib.suppress(Empty):
                child, future = crew.came.get(timeout=TURN)
                self._take(child, future, known)
                if self._is_enough(known) or not (missing or self._busy(crew)):
                    self._tell(self._measure(known, crew, before, began))
                    return "done"
                if missing:
                    crew.give(child, missing.pop(0))
            self._tell(self._measure(known, crew, before, began))

    def _take(self, child: _Child, future: Future[dict[str, Any]], known: dict[int, Any]) -> None:
        """Keep what has come of a replicate.

        Raises:
            LayertieError: Nothing has: it cannot be trained, or the process has failed or is gone.
        """
        number, error = child.number, future.exception()
        assert number is not None, "a process answers for the replicate that it was given"
        if isinstance(error, WorkerError):
            place = f"in replicate {number - self.study.spec.first_replicate + 1}"
            raise WorkerError(f"{error.message.rstrip('.')} {place}.", error.remedy)
        if error is not None and not child.process.is_ready:
            raise error  # it could not be set up, whatever the replicate
        values = future.result() if error is None else {"replicate": number, "error": str(error)}
        self.study.append(values)
        known[number] = values
        child.number, child.steps = None, 0
        if error is not None:
            raise LayertieError(f"Replicate {number}: {error}")

    @staticmethod
    def _busy(crew: _Crew) -> bool:
        return any(child.number is not None for child in crew.children)

    def _is_enough(self, known: dict[int, Any]) -> bool:
        came = in_order(list(known.values()), self.study.numbers)
        return len(came) == self.study.spec.replicates or (
            self._should_stop is not None and bool(came) and self._should_stop(came)
        )

    def _measure(self, known: dict[int, Any], crew: _Crew, before: int, began: float) -> StudyProgress:
        stated, seconds = self.study.spec, time.monotonic() - began
        each = 2 * stated.horizon
        under_way = sum(child.steps for child in crew.children)
        steps, wanted = len(known) * each + under_way, stated.replicates * each
        made = steps - before * each
        times = [values["seconds"] for values in known.values() if "seconds" in values]
        return StudyProgress(
            state="running",
            replicates=len(in_order(list(known.values()), self.study.numbers)),
            wanted=stated.replicates,
            steps=steps,
            steps_wanted=wanted,
            seconds=seconds,
            seconds_left=(wanted - steps) * seconds / made if made > 0 else None,
            seconds_per_pair=sum(times) / len(times) if times else None,
        )

    def _tell(self, progress: StudyProgress) -> None:
        self.progress = progress
        if self._on_change is not None:
            self._on_change(progress)
