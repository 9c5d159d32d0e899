"""What the commands that train have in common: a free folder, a word while one waits, Ctrl-C, a run to its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from ..core.errors import LayertieError
from ..core.notices import Failed
from .display import Display, summary_lines


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
        with Display(session, progress, target, quiet=quiet):
            try:
                session.run(decisions, should_stop=stop.is_set)
            except LayertieError as error:
                session.note(Failed(type(error).__name__, str(error)))
                raise
        summary = session.summary()
    summary["finished"] = summary["decisions"] >= target
    if stop.is_set() and not summary["finished"]:
        progress.print(f"Stopped and saved. Go on with: layertie resume {session.directory}", soft_wrap=True)
        return summary, 130
    if not json:
        for line in summary_lines(summary):
            progress.print(line, soft_wrap=True)
    return summary, 0
