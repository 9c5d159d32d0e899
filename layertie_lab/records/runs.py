"""What runs there are, from the ends of their files."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.errors import DivergedError, RecordError
from ..core.events import DecisionFinished, DecisionMade, Evaluated, Event, Finished, Stepped, parse
from ..core.notices import GOES_ON, Failed
from ..core.plain import parse_object
from .directory import RunDirectory, Status, is_run
from .io.chain import Chain
from .io.disk import writing
from .io.lines import lines_from_end
from .io.regular import is_there
from .labels import Label, read_label
from .log.completeness import reached, shortfall
from .log.recovery import check_settings, damaged_line, first_damage
from .reads import Reads

UNDER_WAY = (DecisionMade, Stepped)
"""Events in the middle of a decision."""


@dataclass(frozen=True)
class RunSummary:
    """A run at a glance.

    Args:
        name: Its folder's name.
        path: Its folder.
        status: finished (the budget is spent and no decision is under way), running (held by a process that trains it
            or waits), failed (an error ended its training), stopped (can be resumed, as a failed one can), or damaged
            (see `note`).
        scale: As in its settings; "" where they cannot be read.
        algorithm: As in its settings.
        policy: As in its settings.
        corpus: As in its settings.
        seed: As in its settings; None where they cannot be read.
        decisions: Decisions with an outcome.
        budget: Decisions it is to take.
        step: Optimizer steps done.
        validation_loss: The last one, nats per token; None where there was none in the last MiB of the log.
        evaluated: Decisions begun when that loss was measured.
        modified: When its log last grew, seconds since 1970.
        note: Why it counts as damaged, or "".
        digest: Of the tokens that it reads; "" in runs from before it was recorded.
        title: What a person calls it; "" where nobody has named it.
        remark: A person's note on it, or why that and its title cannot be read.
    """

    name: str
    path: Path
    status: Status
    scale: str = ""
    algorithm: str = ""
    policy: str = ""
    corpus: str = ""
    seed: int | None = None
    decisions: int = 0
    budget: int = 0
    step: int = 0
    validation_loss: float | None = None
    evaluated: int | None = None
    modified: float = 0.0
    note: str = ""
    digest: str = ""
    title: str = ""
    remark: str = ""

    @property
    def decides(self) -> str:
        """Who decides, in words (`decided_by`)."""
        return decided_by(self.policy, self.algorithm)


def decided_by(policy: str, algorithm: str) -> str:
    """A run's policy, with the algorithm that the rest of its settings is of where that is not the lab's."""
    return policy if algorithm in ("lab", policy, "") else f"{policy} ({algorithm})"


def new_folder(root: str | Path, stem: str) -> Path:
    """An empty folder for a run, made under a name that nobody else has got, however many ask at a time.

    Args:
        root: The folder of runs; made when missing.
        stem: The folder's name, with a number at its end where it is taken.

    Raises:
        StorageError: It cannot be made.
    """
    root = Path(root)
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            path = root / (stem if number == 1 else f"{stem}-{number}")
            with suppress(FileExistsError):
                path.mkdir()
                return path
    raise AssertionError("counting does not end")


def list_runs(root: str | Path = "runs") -> list[RunSummary]:
    """The runs directly inside a folder, the one that changed last first. Other folders and files are passed over.

    Each costs a fixed amount, however long it is: its settings and the end of its log are read. Damage further up in a
    log shows only in `checked` and `load_run`.

    Args:
        root: The folder. A missing one holds no runs; a run's own folder gives that run.

    Raises:
        RecordError: `root` is a file or cannot be read.
    """
    root = Path(root)
    if not root.exists():
        return []
    if is_run(root):
        return [summarize(root)]
    try:
        with os.scandir(root) as entries:
            folders = [Path(entry.path) for entry in entries if _is_folder(entry)]
    except OSError as error:
        raise RecordError(
            f"Expected a folder of runs, but {root} cannot be listed ({error.strerror}).", "Name another folder."
        ) from error
    return sorted((summarize(path) for path in folders if is_run(path)), key=lambda run: (-run.modified, run.name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False


def summarize(path: Path) -> RunSummary:
    """One run at a glance. Damage is reported in the summary, not raised."""
    name, label = path.resolve().name, _label(path)
    try:
        files = (path / "events.jsonl", path / "config.json")
        modified = max(file.lstat().st_mtime for file in files if is_there(file))
    except (OSError, ValueError):
        modified = 0.0
    try:
        directory = RunDirectory.open(path)
        text = Reads.of(path).text or {}
    except RecordError as error:
        return RunSummary(
            name, path, "damaged", modified=modified, note=str(error), title=label.title, remark=label.remark
        )
    config = directory.config
    note = ""
    found = None
    try:
        had = reached(directory)
        check_settings(directory)
        found = _Tail(directory.events)
        note = shortfall(directory.events, had, found.decisions)
    except RecordError as error:
        note = error.message
    if note:
        status: Status = "damaged"
    else:
        error = _error(directory.telemetry)
        status = standing(None if found is None else found.last, config.decisions, held=directory.running, error=error)
    return RunSummary(
        name=name,
        path=path,
        status=status,
        scale=config.scale,
        algorithm=config.algorithm,
        policy=config.agent.policy,
        corpus=config.text.corpus,
        seed=config.seed,
        decisions=found.decisions if found else 0,
        budget=config.decisions,
        step=found.step if found else 0,
        validation_loss=found.validation_loss if found else None,
        evaluated=found.evaluated if found else None,
        modified=modified,
        note=note,
        digest=text.get("tokens", ""),
        title=label.title,
        remark=label.remark,
    )


def _label(path: Path) -> Label:
    try:
        return read_label(path)
    except RecordError as error:
        return Label(remark=str(error))


def checked(run: RunSummary) -> RunSummary:
    """The same summary, or damaged where any line of the run's log is: reads the whole log, which a summary does not.

    Args:
        run: Of a run that may be training meanwhile.
    """
    log = run.path / "events.jsonl"
    if not run.scale or run.status == "damaged":
        return run  # and says so
    try:
        line = first_damage(log)
    except RecordError as error:
        return replace(run, status="damaged", note=str(error))
    return run if line is None else replace(run, status="damaged", note=str(damaged_line(log, line)))


def standing(last: Event | None, budget: int, *, held: bool, error: str | None = None) -> Status:
    """Where a whole run stands.

    Args:
        last: The last event of its log.
        budget: Decisions it is to take.
        held: Whether a process has it open for writing; one that holds a finished run, or one that an error ended, only
            waits.
        error: The class of the error that ended the training (`Failed.error`); None where none did.
    """
    spent = last is not None and last.decision >= budget and not isinstance(last, UNDER_WAY)
    if spent or isinstance(last, Finished):
        return "finished"
    if error is not None:
        return "diverged" if error == DivergedError.__name__ else "failed"
    return "running" if held else "stopped"


def _error(telemetry: Path) -> str | None:
    """What `Run.error` says, without reading the whole."""
    for line in lines_from_end(telemetry):
        with suppress(ValueError):
            entry = parse_object(line)
            if entry.get("kind") in (Failed.kind, *(notice.kind for notice in GOES_ON)):
                return str(entry.get("error", "")) if entry["kind"] == Failed.kind else None
    return None


class _Tail:
    """What the last events say, found by reading the log backwards until all is known."""

    def __init__(self, path: Path) -> None:
        self.last: Event | None = None
        self.decisions = self.step = 0
        self.validation_loss: float | None = None
        self.evaluated: int | None = None
        counted = False
        for line, before in _with_the_one_before(path):
            try:
                event = parse(line)
                if before is not None and not Chain.after(before).follows(line):
                    raise RecordError("Expected a line that follows the one before it, but its digest is another's.")
            except RecordError:
                raise RecordError(
                    f"A line near the end of {path} is damaged or missing.",
                    "layertie repair RUN cuts the log before it.",
                ) from None
            if self.last is None:
                self.last, self.step = event, event.step
            if not counted and isinstance(event, DecisionFinished | DecisionMade):
                # A decision under way has no outcome yet; the one before it had.
                self.decisions = event.decision if isinstance(event, DecisionFinished) else event.decision - 1
                counted = True
            if isinstance(event, Evaluated) and event.split == "validation" and self.validation_loss is None:
                self.validation_loss, self.evaluated = event.loss, event.decision
            if counted and self.validation_loss is not None:
                break


def _with_the_one_before(path: Path) -> Iterator[tuple[bytes, bytes | None]]:
    """A log's lines, last first, each with the line before it; None where that was not read."""
    later: bytes | None = None
    for line in lines_from_end(path):
        if later is not None:
            yield later, line
        later = line
    if later is not None:
        yield later, None
