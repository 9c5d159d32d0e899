"""What the commands that train have in common: a free folder, a word while one waits, Ctrl-C, a run to its end."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from ..core.errors import LayertieError, StorageError, WorkerError
from ..core.notices import Failed
from ..records.directory import is_run
from ..records.log.trace import write_trace
from ..session.requirements import expected_seconds
from .display import Display, duration, summary_lines

LONG = 600.0
"""Seconds from which a run says beforehand how long it will take."""


def unused(root: Path, name: str) -> Path:
    """A path inside `root` where nothing is yet, named after the moment and `name`."""
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    tries = (root / (stem if number == 0 else f"{stem}-{number}") for number in range(10_000))
    return next(path for path in tries if not path.exists())


@contextmanager
def waiting(progress: Console, quiet: bool, doing: str) -> Iterator[None]:
    """Say what is waited for, unless nobody wants to know."""
    if quiet:
        yield
        return
    with progress.status(f"{doing} ..."):
        yield


@contextmanager
def preparing(progress: Console, quiet: bool, doing: str, run: Path) -> Iterator[None]:
    """As `waiting`, for what makes a session of a run.

    Raises:
        LayertieError: An error on the way; of torch, of a library or of the system as a sentence.
    """
    try:
        with waiting(progress, quiet, doing):
            yield
    except (LayertieError, OSError):  # which say themselves what is wrong
        raise
    except Exception as error:  # torch, a compiler, a driver, a data set: whatever they raise
        raise _explained("Preparing the run", run if is_run(run) else None, error)[0] from error


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turns the first Ctrl-C (or SIGTERM) into a request to stop between two steps; a second one interrupts."""
    stop = threading.Event()

    def ask(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def failures_recorded(session: Any) -> Iterator[None]:
    """Write an error that ends a run into its telemetry, and its trace beside it where it is nobody's mistake.

    Raises:
        LayertieError: The error itself; of torch, of a library or of the system as a sentence.
    """
    try:
        yield
    except LayertieError as error:
        session.note(Failed(type(error).__name__, str(error)))
        raise
    except Exception as error:  # torch, a compiler, a driver, a policy of one's own: whatever they raise
        told, trace = _explained("Training", session.directory, error)
        session.note(Failed(type(error).__name__, str(told), trace))
        raise told from error


def _explained(doing: str, run: Path | None, error: Exception) -> tuple[WorkerError, str | None]:
    """An unexpected error in a sentence, and the name of the file with its trace, if there is one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    what = f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
    file = None
    try:
        file = None if run is None else write_trace(run, error)
    except StorageError as problem:
        return WorkerError(f"{doing} failed: {what}.", f"Its trace could not be written. {problem}"), None
    last = traceback.extract_tb(error.__traceback__)[-1]
    raised = f"It was raised in {last.filename}, line {last.lineno}."
    where = raised if file is None else f"The full trace is in {file}."
    return WorkerError(f"{doing} failed: {what.rstrip('.')}.", where), None if file is None else file.name


def say_how_long(session: Any, decisions: int, progress: Console, *, quiet: bool) -> None:
    """Say about how long some decisions will take, where that is long."""
    seconds = expected_seconds(session.config, session.meter, decisions)
    if quiet or seconds is None or seconds < LONG:
        return
    progress.print(
        f"{decisions:,} decisions will take about {duration(seconds)} at the speed of the first evaluation. Ctrl-C "
        "stops and saves.",
        soft_wrap=True,
    )


def run_to_end(
    session: Any, decisions: int | None, progress: Console, *, quiet: bool, json: bool
) -> tuple[dict[str, Any], int]:
    """Let the agent go on, shown live, until so many more decisions are made (None: the budget's end) or Ctrl-C.

    Returns:
        The summary and the exit code: 0, or 130 where it was stopped, saved.

    Raises:
        LayertieError: The run failed; its log says so.
    """
    with session, interruptible() as stop:
        target = session.config.decisions if decisions is None else session.decision + decisions
        say_how_long(session, target - session.decision, progress, quiet=quiet)
        with Display(session, progress, target, quiet=quiet), failures_recorded(session):
            session.run(decisions, should_stop=stop.is_set, outcomes=False)
        summary = session.summary()
    summary["finished"] = summary["decisions"] >= target
    if stop.is_set() and not summary["finished"]:
        progress.print(f"Stopped and saved. Go on with: layertie resume {session.directory}", soft_wrap=True)
        return summary, 130
    if not json:
        for line in summary_lines(summary):
            progress.print(line, soft_wrap=True)
    return summary, 0
