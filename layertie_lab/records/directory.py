"""The run directory: where everything lies, which version wrote it, and who may write it now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from ..core.config import RunConfig
from ..core.errors import LayertieError, RecordError
from .io.disk import clear_unfinished, writing
from .io.document import NewerFormatError, read_document, reason, write_document
from .io.lock import WriterLock, is_held
from .io.regular import is_there
from .reads import IDENTITY, TOKENS, Reads, Tokens

FORMAT = 1
"""Number of the layout below; raised when an older version could no longer read a run."""

_RESTORE = "Restore the file from a copy."

Status = Literal["running", "finished", "diverged", "failed", "stopped", "damaged"]
"""running: a writer holds the lock now. finished: the last event says so. damaged: settings or log cannot be read.
diverged: a loss that is no number, or far from any that is learned from, ended the training. failed: another error did.
stopped: none of these. The last three can be resumed."""

ENDED_BY_ERROR: tuple[Status, ...] = ("diverged", "failed")
"""Of these, the ones whose training an error ended."""


class RunDirectory:
    """A folder that holds one run.

    Layout: `config.json` (format number and settings), `identity.json` and `text.npz` (what it reads: `records.reads`),
    `events.jsonl` (facts, append-only), `telemetry.jsonl` (times and machine), `checkpoints/NAME.safetensors`,
    `writer.lock`.

    Make one with `RunDirectory.create` or `RunDirectory.open`.

    Args:
        path: The folder.
        config: Its settings.
        handed_in: Digests of what was handed in at its start in place of what the settings say; empty as a rule.
    """

    def __init__(self, path: Path, config: RunConfig, handed_in: dict[str, Any] | None = None) -> None:
        self.path = path
        self.config = config
        self.handed_in = handed_in or {}
        self._lock: WriterLock | None = None

    @classmethod
    def create(
        cls,
        path: str | Path,
        config: RunConfig,
        handed_in: dict[str, Any] | None = None,
        reads: Reads | None = None,
        tokens: Tokens | None = None,
        *,
        private: bool = False,
    ) -> RunDirectory:
        """A new run folder, with its settings written and its lock held.

        Args:
            path: A folder that does not exist or is empty (hidden files do not count). Parents are made.
            config: The run's settings.
            handed_in: See `RunDirectory`.
            reads: What it depends on besides.
            tokens: Its text, where that is to be kept with it.
            private: Whether its text is one that others on this machine may not read: neither may they enter the
                folder, which has parts of it.

        Raises:
            RecordError: The folder already holds a run or something else.
            StorageError: It cannot be written.
        """
        path = Path(path)
        with writing(path):
            _refuse_unless_empty(path)
            path.mkdir(parents=True, exist_ok=True)
            if private and os.name != "nt":
                path.chmod(0o700)
        directory = cls(path, config, handed_in)
        directory.lock()
        try:
            _refuse_unless_empty(path)  # again, now that nobody else can be creating here
            if reads is not None:
                # Before the settings: what has settings is a run, and every run can say what it reads.
                reads.write(path, tokens)
            directory.replace_config(config)
            with writing(directory.checkpoints):
                directory.checkpoints.mkdir(exist_ok=True)
        except BaseException:
            directory.unlock()
            raise
        return directory

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """An existing run folder, to read it or (after `lock`) to go on writing it.

        Raises:
            RecordError: No such folder, not a run, damaged settings, a missing or emptied log, or written by a newer
                version.
        """
        directory = cls(Path(path), *_read_settings(Path(path)))
        if (lost := _loss(directory.events)) and any(directory.checkpoints.glob("*.safetensors")):
            # Checkpoints are written after the events they rest on.
            raise RecordError(
                f"Expected a run's log, but {directory.events} is {lost}, though there are checkpoints.",
                "Restore it from a copy, or start the run again from its config.json in a new folder: without its log "
                "it cannot go on. The checkpoints' weights can still be read with safetensors.",
            )
        return directory

    @property
    def config_file(self) -> Path:
        """Format number and settings."""
        return self.path / "config.json"

    @property
    def events(self) -> Path:
        """The event log: one line of JSON per event."""
        return self.path / "events.jsonl"

    @property
    def telemetry(self) -> Path:
        """Times, memory and process facts: one line of JSON each."""
        return self.path / "telemetry.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def lock_file(self) -> Path:
        """What the one writer holds a lock on."""
        return self.path / "writer.lock"

    @property
    def locked(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock is not None and self._lock.held

    def lock(self) -> None:
        """Become the run's one writer, until `unlock` or the end of the process, however it ends.

        Does nothing when this object holds the lock already.

        Raises:
            RecordError: Another writer holds it; the message names its process.
            StorageError: The folder cannot be written.
        """
        if not self.locked:
            self._lock = WriterLock(self.lock_file)
            clear_unfinished(self.path)

    def check_locked(self) -> None:
        """Refuse to go on unless this object holds the lock.

        Raises:
            RecordError: It does not.
        """
        if not self.locked:
            raise RecordError(
                f"Expected to be the writer of {self.path}, but the lock is not held.",
                "The writer is closed or belongs to another process: resume the run to go on writing.",
            )

    def unlock(self) -> None:
        """Let others write."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def running(self) -> bool:
        """Whether anyone (this object too) is writing the run now."""
        return is_held(self.lock_file)

    def replace_config(self, config: RunConfig) -> None:
        """Write other settings (a larger budget of decisions, say) in one step.

        Raises:
            StorageError: They cannot be written; the old ones stay.
        """
        values = {"format": FORMAT, "config": config.to_dict()}
        if self.handed_in:
            values["handed_in"] = self.handed_in
        write_document(self.config_file, values, indent=2)
        self.config = config


def is_run(path: Path) -> bool:
    """Whether a folder looks like a run: it has settings or a log, or what has come to lie in their place."""
    return is_there(path / "config.json") or is_there(path / "events.jsonl")


def _refuse_unless_empty(path: Path) -> None:
    if is_run(path):
        raise RecordError(
            f"Expected a new or empty folder for the run, but {path} already holds a run.",
            "Resume that run, or choose another folder.",
        )
    if path.exists() and not path.is_dir():
        raise RecordError(f"Expected a folder for the run, but {path} is a file.", "Choose another folder.")
    ours = ("writer.lock", "checkpoints", IDENTITY, TOKENS)  # what an attempt that failed here may have left
    names = os.listdir(path) if path.exists() else []
    others = sorted(name for name in names if not name.startswith(".") and name not in ours)
    if others:
        raise RecordError(
            f"Expected a new or empty folder for the run, but {path} holds {others[0]}"
            f"{f' and {len(others) - 1} more' if len(others) > 1 else ''}.",
            "Choose another folder.",
        )


def _loss(log: Path) -> str:
    """What has become of a log that holds nothing; "" of one that holds something."""
    try:
        return "" if log.lstat().st_size else "empty"
    except FileNotFoundError:
        return "missing"


def _read_settings(path: Path) -> tuple[RunConfig, dict[str, Any]]:
    file = path / "config.json"
    try:
        values = read_document(file, newest=FORMAT)
        if type(number := values["format"]) is not int:
            raise TypeError(f"format is {number!r}")
    except (FileNotFoundError, NotADirectoryError):
        if not path.exists():
            raise RecordError(
                f"Expected a run folder, but {path} does not exist.", "List the runs with `layertie runs`."
            ) from None
        if is_there(path / "events.jsonl"):
            raise RecordError(
                f"Expected the settings of a run beside its log, but {path} has no config.json.",
                "Restore it from a copy; without its settings a run can neither be read nor gone on with.",
            ) from None
        raise RecordError(
            f"Expected a run folder, but {path} has no config.json.",
            "Name the folder that was given when the run was started; `layertie runs` lists runs.",
        ) from None
    except OSError as error:
        raise RecordError(
            f"Expected to read {file}, but the system says: {reason(error)}.", "Make it a file that can be read."
        ) from error
    except NewerFormatError as error:
        raise RecordError(
            f"Expected a run of format {FORMAT} or older, but {path} has format {error.number}.",
            "It was written by a newer version: update layertie_lab.",
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"Expected a run's settings in {file}, but the file is damaged ({reason(error)}).",
            "Restore it from a copy, or write the run's settings into it again; log and checkpoints are not affected. "
            'Where you changed it yourself, take its "digest" out.',
        ) from None
    try:
        handed_in = values.get("handed_in", {})
        if not isinstance(handed_in, dict) or not values.keys() <= {"format", "config", "handed_in"}:
            raise RecordError(f"Expected format, config and handed_in in {file}, but it holds others.", _RESTORE)
        return RunConfig.from_dict(values["config"]), handed_in
    except KeyError:
        raise RecordError(f'Expected settings under "config" in {file}, but there are none.', _RESTORE) from None
    except LayertieError as error:
        remedy = error.remedy or _RESTORE
        raise RecordError(f"Expected settings that can be run in {file}. {error.message}", remedy) from None
