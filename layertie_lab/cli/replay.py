"""`layertie replay`: a decision log, given again to another run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from ..core.errors import ConfigError
from ..session.replay import Log, Replay
from ..session.session import Session
from . import arguments
from .display import Display, summary_lines
from .long_run import failures_recorded, interruptible, preparing, say_how_long, unused


def replay(command: arguments.Replay, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Train a new run with a record's actions; (summary, exit code).

    Raises:
        ConfigError: No such decision, or an action that is not legal.
        RecordError: Not a run, no decisions, or a log that does not fit its settings.
    """
    log = Log.read(command.run)
    config = command.config
    if config.model.layers != log.config.model.layers and config.decisions == log.config.decisions:
        # As many passes over the layers as the record's run was planned for.
        passes = log.config.decisions / (log.config.model.layers - 1)
        config = config.replace(decisions=max(1, round(passes * (config.model.layers - 1))))
    plan = Replay(log, config, until=command.until, only=command.only, edits=_edits(command.edit))
    directory = command.directory or unused(Path("runs"), f"replay-of-{command.run.resolve().name}")
    if command.text is not None and plan.text is None:
        raise ConfigError(
            "Expected --text only where the new run reads the record's text, but its settings name another one.",
            "Leave --text out, or the settings of the text.",
        )
    with preparing(progress, command.quiet, "preparing text and model", directory):
        found = None if plan.text is None else plan.text.find(text=command.text)
        session = Session(config, directory, data=None if found is None else found.data)
        session.text_notes = () if found is None else found.notes
    target = plan.decisions if command.until is None else command.until
    with session, interruptible() as stop:
        say_how_long(session, target, progress, quiet=command.quiet)
        with Display(session, progress, target, quiet=command.quiet), failures_recorded(session):
            plan.give(session, should_stop=stop.is_set)
        summary = session.summary()
        same = _same_log(command, session)
    done = summary["decisions"]
    stopped = done < target
    summary |= {"replayed": done, "finished": not stopped, "same_log": same}
    if stopped:
        progress.print(f"Stopped and saved after {done} of {target} decisions.", soft_wrap=True)
        return summary, 130
    if not command.json:
        for line in summary_lines(summary):
            progress.print(line, soft_wrap=True)
        words = "is the same, byte for byte" if same else "differs"
        progress.print(f"The new log {words}.", soft_wrap=True)
    return summary, 0


def _same_log(command: arguments.Replay, session: Session) -> bool:
    """Whether the new run's log is the record's, as far as both have come."""
    assert session.directory is not None, "a replay is recorded"
    session.save()
    old, new = (command.run / "events.jsonl").read_bytes(), (session.directory / "events.jsonl").read_bytes()
    return new == old[: len(new)]


def _edits(words: tuple[str, ...]) -> dict[int, int]:
    edits: dict[int, int] = {}
    for word in words:
        decision, equals, action = word.partition("=")
        if not (equals and decision.isdigit() and action.isdigit()):
            raise ConfigError(f"Expected an edit like 12=3, but got {word!r}.", "Write DECISION=ACTION.")
        edits[int(decision)] = int(action)
    return edits
