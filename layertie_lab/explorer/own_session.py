"""A session of this process on a page, beside the runs that have a process of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.config import RunConfig
from ..core.errors import LayertieError
from ..core.events import Event
from ..workers.thread import SessionThread
from . import shown
from .held_run import HeldRun, told_by

if TYPE_CHECKING:  # the session is handed in, and a page that shows none needs no torch
    from ..session.session import Session


class OwnSession:
    """A session that the page's owner holds, and that trains here.

    Args:
        session: The session. What a cell of this notebook has shown of it gives way.

    Raises:
        LayertieError: Not a session, or somebody else runs it.

    Attributes:
        session: As given.
        NAME: What it is called where it has no folder.
        LEFT: What is said when another run takes its place on the page.
    """

    NAME = "this session"
    LEFT = "Your session stays as it is; Explorer(session) shows it again."

    def __init__(self, session: Session) -> None:
        if not hasattr(session, "propose") or not hasattr(session, "claim"):
            raise LayertieError(
                f"Expected a folder of runs, a run or a Session, but got {type(session).__name__}.",
                "Explorer() shows ./runs; a Worker's run is shown by its folder.",
            )
        shown.give_way(session)
        self.session = session
        self._thread: SessionThread | None = SessionThread(session)

    @property
    def config(self) -> RunConfig:
        """Its settings."""
        return self.session.config

    @property
    def directory(self) -> Path | None:
        """Its folder; None where it is not recorded."""
        found = self.session.directory
        return None if found is None else Path(found).absolute()

    @staticmethod
    def folder_of(session: Session) -> Path | None:
        """The folder of runs that a session lies in; None where it is not recorded."""
        return None if session.directory is None else Path(session.directory).absolute().parent

    def lies_in(self, path: Path) -> bool:
        """Whether a folder is its own."""
        return self.directory is not None and path.resolve() == self.directory.resolve()

    def is_held_by(self, run: HeldRun) -> bool:
        """Whether it is on the page."""
        return isinstance(run.source, SessionThread) and run.source is self._thread

    def thread(self) -> SessionThread:
        """What carries out commands for it: one at a time, as long as it is on the page.

        Raises:
            LayertieError: Somebody else runs it.
        """
        if self._thread is None or self._thread.status == "closed":
            self._thread = SessionThread(self.session)
        return self._thread

    def past(self) -> Iterator[Event]:
        """What has happened so far."""
        return told_by(self.session)
