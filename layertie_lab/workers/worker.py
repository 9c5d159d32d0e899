"""A session in a process of its own."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ..core.commands import Close
from ..core.config import RunConfig
from ..core.errors import WorkerError
from ..core.notices import Entry, Ready
from .commands import Commands
from .process.link import prepare
from .process.parent import Process


class Worker(Process, Commands):
    """A `Session` in a child process. Making one returns at once; what it is asked meanwhile waits until it is ready.

    Args:
        config: The run's settings; with `resume`, those in the directory count.
        directory: The run directory.
        resume: Go on with the run in the directory.
        keep: A run that is going on outlives this process and this object, to its end; then the child saves and exits.
        throttle: Most decisions per second of a run; 0 = no limit.
        session: The class to build, as "module:name".
        text: With `resume`: where the run's text lies now (`Session.resume`).
        reads_as: For a new run: another run's folder, whose text it is to read.

    The child ends, and saves first, when it is closed, when this object is collected, and when this process is gone
    (killed included), unless `keep` is on and a run is going on. It takes no part in Ctrl-C; SIGTERM makes it save
    and exit.

    Subscribers get every event and notice of the run (`core.notices`).

    Attributes:
        status: "starting", "preparing text", then "ready" (an action is awaited), "running", "paused" (inside a
            decision) or "finished" (the budget is spent), then "saving" and "closed"; "failed" if it could not start,
            "lost" if the process died, "killed".
        config: The run's settings; on resuming None until it is ready.
        directory: The run directory.
    """

    def __init__(
        self,
        config: RunConfig | None,
        directory: str | Path,
        *,
        resume: bool = False,
        keep: bool = False,
        throttle: float = 0.0,
        session: str = "layertie_lab.session.session:Session",
        text: str | Path | None = None,
        reads_as: str | Path | None = None,
    ) -> None:
        if config is None and not resume:
            raise WorkerError("Expected a config for a new run, but got none.", "Give one, or resume=True.")
        self.config = config
        self.directory = Path(directory)
        place = str(self.directory.absolute())
        arguments: dict[str, Any] = {
            "session": session,
            "config": config,
            "directory": place,
            "resume": resume,
            "throttle": throttle,
            "text": None if text is None else str(Path(text).absolute()),
            "reads_as": None if reads_as is None else str(Path(reads_as).absolute()),
        }
        super().__init__(
            "layertie_lab.workers.training:train",
            arguments,
            what=f"The training process of {directory}",
            remedy="Resume the run; at most the decision under way has to be made again.",
            purpose=[place],
            keep=keep,
        )

    @classmethod
    def resume(
        cls, directory: str | Path, *, keep: bool = False, throttle: float = 0.0, text: str | Path | None = None
    ) -> Worker:
        """Go on with the run in a directory."""
        return cls(None, directory, resume=True, keep=keep, throttle=throttle, text=text)

    @staticmethod
    def prepare() -> None:
        """Start a process that imports everything ahead, so that the next worker is ready sooner.

        It holds about 300 MB and no GPU until a worker takes it, and ends with this process.
        """
        prepare()

    @property
    def busy(self) -> bool:
        """Whether it trains, starts, or owes an answer."""
        return self.alive and (self.owes or self.status in ("starting", "preparing text", "running"))

    def close(self, save: bool = True, *, timeout: float | None = 60.0) -> None:
        """End what is under way, save, and end the process. Harmless when it has ended.

        Raises:
            StorageError: The last checkpoint could not be written; the log and the earlier ones are intact.
            WorkerTimeout: It did not end in time.
        """
        self.check_may_wait(Close.verb)
        answer = None
        if self.is_ready:
            with contextlib.suppress(WorkerError):  # it has just ended, which is what is wanted
                answer = self.give(Close(save))
        else:
            self.hang_up()  # still preparing: there is nothing to save
        self.wait_ended(timeout)
        error = None if answer is None else answer.exception(0)
        if error is not None and not isinstance(error, WorkerError):
            raise error

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _heard(self, entry: Entry) -> None:
        if isinstance(entry, Ready):
            self.config = entry.config
        super()._heard(entry)
