"""The job of a Worker's child process: build a session, drive it, save it.

What a session imports is imported when it is built, since torch takes a second and "starting" is said before.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.config import RunConfig
from ..core.errors import RecordError
from ..core.events import DecisionMade, Event, Opened, parse
from ..core.notices import Ready, TextNoted
from ..records.directory import RunDirectory
from ..records.io.lines import lines_from_end, whole_size
from ..records.log.recovery import read_tail
from .driver import Driver
from .process.child import Child, named

if TYPE_CHECKING:
    from ..session.session import Session
    from ..text.dataset import TokenData


def train(
    child: Child,
    *,
    session: str,
    config: RunConfig | None,
    directory: str,
    resume: bool,
    throttle: float,
    text: str | None = None,
    reads_as: str | None = None,
) -> int:
    """Serve the commands of a run until it is closed or the parent is gone.

    Args:
        child: The process.
        session: The class to build, as "module:name".
        config: The run's settings; None on resuming, where the directory holds them.
        directory: The run directory.
        resume: Whether to go on with the run in the directory.
        throttle: Most decisions per second of a run; 0 = no limit.
        text: On resuming: where the run's text lies now.
        reads_as: For a new run: another run's folder, whose text it is to read.

    Returns:
        The exit status.

    Raises:
        LayertieError: The session could not be built.
    """
    child.traces = Path(directory)
    try:
        run = _build(child, named(session), config, directory, resume, text, reads_as)
    except (Exception, SystemExit) as error:
        raise child.explain("Starting the run", error)[0] from None
    driver = Driver(run, child, throttle=throttle)
    child.position = lambda: (run.decision, run.step, driver.step_seconds)
    child.saves = True
    child.ready(
        Ready(driver.status, config=run.config, resumed=resume, pid=os.getpid(), decision=run.decision, step=run.step)
    )
    driver.serve(child.inbox)
    return _end(child, driver)


def _build(
    child: Child,
    kind: type[Session],
    config: RunConfig | None,
    directory: str,
    resume: bool,
    text: str | None,
    reads_as: str | None,
) -> Session:
    child.say("preparing text")
    # Whatever else may be wrong with the folder the session itself says.
    log = Path(directory) / "events.jsonl" if resume else None
    size = whole_size(log) if log is not None and log.exists() else 0
    if resume:
        session = kind.resume(directory, text=text)
    else:
        assert config is not None, "a new run has a config"
        data = None if reads_as is None else _text_of(reads_as)
        session = kind(config, directory, data=data)
    if resume or session.directory is None:
        child.tell(session.opening())
        if log is not None:
            # A decision that was under way has been completed before anybody could subscribe.
            for event in _added(session, size):
                child.tell(event)
    else:
        # A new session has emitted its first events before anybody could subscribe.
        for event in read_tail(RunDirectory.open(session.directory), 0):
            child.tell(event)
    for sentence in session.text_notes:
        child.tell(TextNoted(sentence))
    session.subscribe(child.outbox.tell)
    return session


def _added(session: Session, size: int) -> list[Event]:
    """What a run's log got by being resumed, after what it belongs to: the decision that was under way.

    Nothing where the log's tail was replaced, since such a log is read anew.
    """
    if session.directory is None:
        return []
    try:
        directory = RunDirectory.open(session.directory)
        tail = [event for event in read_tail(directory, size) if not isinstance(event, Opened)]
        if not tail or isinstance(tail[0], DecisionMade):
            return tail
        # Who has not read the log learns what the outcome is of.
        return [*_made(directory.events, tail[0].decision), *tail]
    except RecordError:
        return []


def _made(log: Path, number: int) -> list[Event]:
    """The decision of a number, if it is the last one in a log."""
    mark = f'{{"event":"{DecisionMade.event}"'.encode()
    for line in lines_from_end(log):
        if line.startswith(mark) and (event := parse(line)).decision <= number:
            return [event] if event.decision == number else []
    return []


def _text_of(run: str) -> TokenData:
    from ..session.door import RunText

    return RunText.of(run).find().data


def _end(child: Child, driver: Driver) -> int:
    child.saving = True
    child.say("saving")
    command, caller = driver.closing or (None, None)
    status = 0
    try:
        driver.session.close(save=command is None or command.save)
    except Exception as error:
        told, _ = child.explain("Closing the run", error)
        if caller is None:
            child.outbox.refuse(0, told)
        else:
            caller.refuse(told)
        status = told.exit_code
    else:
        if caller is not None:
            caller.reply(None)
    child.say("closed")
    return status
