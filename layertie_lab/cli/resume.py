"""`layertie resume`: going on with a run that was stopped, from its last decision."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from ..session.session import Session
from . import arguments
from .long_run import preparing, run_to_end


def resume(command: arguments.Resume, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Go on with a run; (summary, exit code)."""
    with preparing(progress, command.quiet, "reading the run", command.run):
        session = Session.resume(command.run, text=command.text)
    if command.rules is not None:
        try:
            session.set_rules(command.rules)
        except BaseException:
            session.close()
            raise
    return run_to_end(session, command.decisions, progress, quiet=command.quiet, json=command.json)
