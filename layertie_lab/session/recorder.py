"""What a session writes: its events, its checkpoints, and what they cost; or nothing, where it is not recorded."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections import deque
from pathlib import Path
from typing import Any

import torch

from ..core.config import RunConfig
from ..core.decisions import Decision
from ..core.errors import LayertieError, RecordError, StorageError
from ..core.events import Event, Opened
from ..core.notices import CheckpointSaved, LeftOpen, Notice, ProcessStarted, SnapshotsNoted, Timing
from ..records.directory import RunDirectory
from ..records.log.cursor import EventCursor
from ..records.log.recovery import check_before, check_end, check_settings
from ..records.log.writer import EventWriter
from ..records.state.checkpoints import Checkpoint, list_checkpoints, load_checkpoint, save_checkpoint
from ..records.state.retention import is_spaced, moment_name, push_out_answered, push_out_spaced, spaced_name
from ..records.state.snapshots import SnapshotWriter
from ..text.dataset import may_be_private
from ..training.device import describe_device
from .capture import capture, snapshot
from .components import Components
from .door import RunText, to_record
from .meter import Meter
from .state import RunState
from .subscribers import Subscribers

REMEMBERED = 20_000
"""Latest events of a run that is not recorded which are kept for who joins it late: a few megabytes."""


class Recorder:
    """What leaves a run: its log, its checkpoints, and what those who watch are told.

    Make one with `create`, `open` or `unrecorded`.

    Attributes:
        subscribers: Those who watch.
    """

    def __init__(self, directory: RunDirectory | None, writer: EventWriter | None) -> None:
        self._directory, self._writer = directory, writer
        self._saved = time.monotonic()
        self._snapshots: SnapshotWriter | None = None
        self._opened: Event | None = None
        self._remembered = deque[Event](maxlen=REMEMBERED)
        self.subscribers = Subscribers()
        if directory is not None:
            self._snapshots = SnapshotWriter(directory, directory.config.records.snapshot_mebibytes << 20)

    @classmethod
    def create(cls, path: str | Path | None, components: Components) -> Recorder:
        """For a new run; without a path it writes nothing.

        Raises:
            RecordError: The folder is not empty.
            StorageError: It cannot be written.
        """
        if path is None:
            return cls.unrecorded()
        config, data = components.config, components.data
        handed_in = components.given.identity(data.vocabulary_size)
        reads, tokens = to_record(config, data, handed_in.get("initial_weights", ""))
        private = data.origin is not None and may_be_private(data.origin.where)
        return cls._writing(RunDirectory.create(path, config, handed_in, reads, tokens, private=private))

    @classmethod
    def open(cls, path: str | Path) -> Recorder:
        """To go on with a run.

        Raises:
            RecordError: No run there, a newer or damaged one, or one that is being written now.
            StorageError: It cannot be written.
        """
        return cls._writing(RunDirectory.open(path))

    @classmethod
    def _writing(cls, directory: RunDirectory) -> Recorder:
        try:
            return cls(directory, EventWriter(directory))
        except BaseException:
            directory.unlock()
            raise

    @classmethod
    def unrecorded(cls) -> Recorder:
        """Writes nothing."""
        return cls(None, None)

    @property
    def path(self) -> Path | None:
        """The run directory."""
        return None if self._directory is None else self._directory.path

    @property
    def config(self) -> RunConfig:
        """The settings in the run directory."""
        assert self._directory is not None, "only a recorded run has settings on disk"
        return self._directory.config

    @property
    def text(self) -> RunText:
        """What the run read when it began.

        Raises:
            RecordError: What is recorded of it is damaged.
        """
        assert self._directory is not None, "only a recorded run has its text's identity on disk"
        return RunText.of(self._directory)

    @property
    def handed_in(self) -> dict[str, Any]:
        """What was handed in at the run's start (`Provided.identity`)."""
        return {} if self._directory is None else self._directory.handed_in

    @property
    def is_open(self) -> bool:
        """Whether there is something to write to."""
        return self._writer is not None

    @property
    def rewound(self) -> bool:
        """Whether the session is repeating what the log already holds."""
        return self._writer is not None and self._writer.rewound

    def past(self) -> list[Event]:
        """The run's events so far: those of its log, or of a run that is not recorded the latest, its opening first.

        Empty for an unrecorded one that has none, such as a fork that has gone on from another run.
        """
        if self._directory is not None:
            return EventCursor(self._directory.events).read_new()
        return [] if self._opened is None else [self._opened, *self._remembered]

    def _remember(self, event: Event) -> None:
        """Keep an event of a run that is not recorded."""
        if self._directory is None and isinstance(event, Opened):
            self._opened = event
        elif self._opened is not None:
            self._remembered.append(event)

    def emit(self, event: Event) -> None:
        """Log an event and pass it on.

        It is in the log before anybody is told, so that who joins late and reads the log misses nothing. Where the disk
        refuses it is kept, and the next `flush` says so: a step is not undone in its middle.
        """
        self._check_open()
        if self._writer is not None:
            self._writer.append(event)
            with contextlib.suppress(StorageError):
                self._writer.flush()
        self._remember(event)
        self.tell(event)

    def tell(self, entry: Any) -> None:
        """Pass an event or an entry of telemetry on, without writing it."""
        self.subscribers.tell(entry)

    def write_now(self, event: Event) -> None:
        """Put an event on disk; nobody is told yet.

        Raises:
            StorageError: It cannot be written; the log is as if it had never been given.
            LayertieError: The session was closed.
        """
        self._check_open()
        if self._writer is not None:
            self._writer.write(event)
        self._remember(event)

    def _check_open(self) -> None:
        if self._directory is not None and self._writer is None:
            raise LayertieError(
                "Expected an open session, but this one was closed.", f"Session.resume({str(self.path)!r}) goes on."
            )

    def flush(self) -> None:
        """Put all that was appended on disk (it survives a kill of the process).

        Raises:
            StorageError: It cannot be written; it is kept and tried again at the next flush.
        """
        if self._writer is not None:
            self._writer.flush()

    def process(self, state: RunState, *, resumed: bool = False) -> None:
        """Note which process, versions and device the run has from here."""
        started = ProcessStarted(
            resumed=resumed,
            pid=os.getpid(),
            python=platform.python_version(),
            torch=torch.__version__,
            system=platform.platform(),
            device=describe_device(state.components.device),
            threads=torch.get_num_threads(),
            step=state.step,
            decision=state.decision,
        )
        self.note(started)

    def timing(self, state: RunState, meter: Meter) -> None:
        """Note what the last decision cost."""
        spent, memory = meter.lap(), meter.memory()
        timing = Timing(
            state.decision,
            state.step,
            seconds=spent["seconds"],
            training_seconds=spent["training_seconds"],
            evaluation_seconds=spent["evaluation_seconds"],
            resident_bytes=memory["resident_bytes"],
            device_peak_bytes=memory["device_peak_bytes"],
        )
        self.note(timing)

    def leave_open(self, state: RunState) -> None:
        """Note the proposal that nobody has acted on, if there is one: whoever opens the run next sees it at once."""
        if state.proposal is not None:
            self.note(LeftOpen.of(state.proposal))

    def checkpoint_due(self, seconds: float) -> bool:
        """Whether the last checkpoint is at least so many seconds old."""
        return self.is_open and time.monotonic() - self._saved >= seconds

    def checkpoint(self, state: RunState, name: str | None) -> Path | None:
        """Write a run's state.

        Raises:
            StorageError: It cannot be written; the earlier checkpoints are intact.
        """
        if self._writer is None or self._directory is None:
            if name is None or self._directory is None:
                return None
            raise LayertieError("Expected an open session to save, but it is closed.", "Resume the run first.")
        self._writer.sync()
        # What a resumed run does not train again it does not store again either.
        self.settle_snapshots()
        tensors, meta = capture(state)
        meta |= {"lines": self._writer.position.lines, **self._ground()}
        # While a log is repeated, what is held back is a place in it as long as it is the same.
        path = save_checkpoint(self._directory, name, tensors, meta, resumable=self._writer.is_within)
        if name is None:
            self._saved = time.monotonic()
        self.note(CheckpointSaved(state.decision, state.step, path.name, meta["offset"]))
        return path

    def _ground(self) -> dict[str, Any]:
        """What in the log a state that is stored now rests on (`records.log.ground`)."""
        assert self._writer is not None, "only a recorded run has a log"
        return {"offset": self._writer.position.offset, "log_digest": self._writer.digest}

    def keep_moment(self, state: RunState, decision: Decision) -> None:
        """Store the moment before a person's override, so that twins and branches can start from it.

        A disk that is full must not keep a person from answering: the moment is then not stored, which a later search
        for it says. The latest are kept (`records.state.retention`).
        """
        if decision.overridden and decision.by == "human" and self.is_open and not self.rewound:
            assert self._directory is not None, "only a recorded run has a log"
            with contextlib.suppress(StorageError):
                self.checkpoint(state, moment_name(decision.proposal.decision))
                push_out_answered(self._directory)

    def keep_spaced(self, state: RunState, *, missing: bool = False) -> None:
        """Store the present, if it is its turn (`records.moment_every`).

        It is stored again where a log is repeated: the run may have been killed between the outcome and its moment.

        Args:
            missing: Whether only if it is not stored yet.

        Raises:
            StorageError: It cannot be written.
        """
        every, name = state.config.records.moment_every, spaced_name(state.decision + 1)
        if self._directory is None or self._writer is None or not is_spaced(state.decision, every):
            return
        if missing and any(info.name == name and not info.damage for info in list_checkpoints(self._directory)):
            return
        if self._writer.is_within:
            self.checkpoint(state, name)
            push_out_spaced(self._directory, state.decision, every)

    def keep_snapshot(self, state: RunState, *, now: bool = False) -> float:
        """Store model and agent as they are, to look back at, if it is their turn (`records.state.snapshots`).

        A disk that is full costs the run its looks back, not its training: that is noted, and when it goes on.

        Args:
            now: Whether it is their turn or not.

        Returns:
            Seconds that it took from training.
        """
        store, decision = self._snapshots, state.decision
        if store is None or self._writer is None or not (now or store.is_due(decision)):
            return 0.0
        # Repeating a log gives the same states again.
        if self.rewound and store.has(decision):
            return 0.0
        start = time.perf_counter()
        groups, meta = snapshot(state)
        store.keep(decision, groups, meta | self._ground())
        if sentence := store.news():
            self.note(SnapshotsNoted(sentence))
        return time.perf_counter() - start

    def settle_snapshots(self) -> None:
        """Wait until the snapshots that were taken are on disk."""
        if self._snapshots is not None:
            self._snapshots.settle()

    @property
    def is_to_be_repeated(self) -> bool:
        """Whether no checkpoint lies within the log, so that the run is to be trained again from its start.

        That is so for a run that was killed while it was set up, and for one whose log was cut at a damaged line. A log
        that is gone altogether is no such case: its checkpoints would be lost.
        """
        if self._directory is None or self._writer is None:
            return False
        end, known = self._writer.position.offset, list_checkpoints(self._directory)
        # What was saved while a log was repeated is no place to resume, so that a branch may have nothing else.
        if any(info.damage or (info.resumable and info.meta["offset"] <= end) for info in known):
            return False
        return end > 0 or not known

    def latest(self) -> Checkpoint:
        """The newest checkpoint that is whole and lies within the log.

        Raises:
            RecordError: There is none.
        """
        assert self._directory is not None, "only a recorded run has checkpoints"
        assert self._writer is not None, "only a recorded run has a log"
        end = self._writer.position.offset
        return load_checkpoint(self._directory, accept=lambda meta: meta["offset"] <= end)

    def check_log(self) -> None:
        """Refuse a log that was begun with other settings, or has lost its end.

        Raises:
            RecordError: It was, or has.
        """
        assert self._directory is not None, "only a recorded run has a log"
        check_settings(self._directory)
        check_end(self._directory)

    def check_rests(self, checkpoint: Checkpoint) -> None:
        """Refuse a log that is not the one that a checkpoint rests on, up to there, or that a later one rests on.

        Raises:
            RecordError: The log is damaged before that, or another run's.
        """
        assert self._directory is not None, "only a recorded run has a log"
        check_before(self._directory.events, checkpoint.meta["offset"], checkpoint.meta.get("log_digest"))
        # One from before the log was cut is older than what was saved since.
        for info in list_checkpoints(self._directory):
            if info.of_another and info.sequence > checkpoint.info.sequence:
                raise RecordError(
                    f"Expected the log that {info.path} rests on, but {self._directory.events} is another one.",
                    "The log and the checkpoint belong to different runs: restore them together from a copy, or move "
                    "the checkpoint away.",
                )

    def rewind(self, offset: int) -> list[Event]:
        """Hold back what is appended from now on; the events that the log has after `offset`."""
        assert self._writer is not None, "only a recorded run has a log"
        return self._writer.rewind(offset)

    def settle(self) -> None:
        """End a rewind: the log's tail is now what was appended since (unchanged where it is equal)."""
        assert self._writer is not None, "only a recorded run has a log"
        self._writer.settle()

    def close(self) -> None:
        """Write what is left and let other processes write the run.

        Raises:
            StorageError: Something could not be written.
        """
        writer, self._writer = self._writer, None
        if self._snapshots is not None:
            self._snapshots.close()
            if writer is not None and (sentence := self._snapshots.news()):
                writer.telemetry(SnapshotsNoted(sentence))
        if writer is not None:
            writer.close("closed")

    def note(self, notice: Notice) -> None:
        """Write a notice and pass it on.

        Raises:
            StorageError: It cannot be written.
        """
        if self._writer is not None:
            self._writer.telemetry(notice)
            self._writer.flush()
        self.tell(notice)
