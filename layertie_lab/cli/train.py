"""`layertie train` and `layertie resume`: a session in this process, shown live, saved on Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from ..core.config import RunConfig
from ..core.errors import ConfigError, LayertieError
from . import arguments
from .display import Display, summary_lines


def default_directory(config: RunConfig, root: Path = Path("runs")) -> Path:
    """A directory that does not exist yet, named after the moment and the config."""
    return unused(root, f"{config.scale}-{config.algorithm}-seed{config.seed}")


def unused(root: Path, name: str) -> Path:
    """A path inside `root` where nothing is yet, named after the moment and `name`."""
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    tries = (root / (stem if number == 0 else f"{stem}-{number}") for number in range(10_000))
    return next(path for path in tries if not path.exists())


def train(command: arguments.Train, progress: Console) -> tuple[dict[str, Any], int]:
    """Train a new run to the end of its budget; (summary, exit code)."""
    from ..session.session import Session

    if command.config.agent.policy == "human":
        raise ConfigError(
            "Expected a policy that answers by itself, but got policy=human, and nobody is asked on the command line.",
            "Use the explorer (marimo run apps/explorer.py) or the notebook to answer, or another policy.",
        )
    directory = command.directory or default_directory(command.config)
    with waiting(progress, command.quiet, "preparing text and model"):
        session = Session(command.config, directory)
    return _go(session, None, command, progress)


def resume(command: arguments.Resume, progress: Console) -> tuple[dict[str, Any], int]:
    """Go on with a run; (summary, exit code)."""
    from ..session.session import Session

    if command.decisions is not None and command.decisions < 1:
        raise ConfigError(f"Expected at least 1 decision to make, but got {command.decisions}.", "Raise --decisions.")
    with waiting(progress, command.quiet, "reading the run"):
        session = Session.resume(command.run)
    if command.rules is not None:
        try:
            session.set_rules(command.rules)
        except BaseException:
            session.close()
            raise
    return _go(session, command.decisions, command, progress)


def _go(
    session: Any, decisions: int | None, command: arguments.Train | arguments.Resume, progress: Console
) -> tuple[dict[str, Any], int]:
    with session, interruptible() as stop:
        target = session.config.decisions if decisions is None else session.decision + decisions
        with Display(session, progress, target, quiet=command.quiet):
            try:
                session.run(decisions, should_stop=stop.is_set)
            except LayertieError as error:
                session.note("failed", error=type(error).__name__, sentence=str(error))
                raise
        summary = session.summary()
    summary["finished"] = session.decision >= target and session.phase == "propose"
    if stop.is_set() and not summary["finished"]:
        progress.print(f"Stopped and saved. Go on with: layertie resume {session.directory}", soft_wrap=True)
        return summary, 130
    if not command.json:
        for line in summary_lines(summary):
            progress.print(line, soft_wrap=True)
    return summary, 0


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
def waiting(progress: Console, quiet: bool, doing: str) -> Iterator[None]:
    """Say what is waited for, unless nobody wants to know."""
    if quiet:
        yield
        return
    with progress.status(f"{doing} ..."):
        yield
