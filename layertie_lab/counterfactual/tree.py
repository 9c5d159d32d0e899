"""Branches of a run, in training: from its present, from any decision, from before the last one."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..core.errors import LayertieError, RecordError
from ..records.tree import last_decision, make_branch, moment_name, stored_moments
from ..session.door import RunText
from ..session.resumption import Watch
from ..session.session import Session
from .branch import check_moment


def branch_here(session: Session, name: str | None = None, why: str = "", by: str = "human") -> Path:
    """A branch from the present of a recorded session, which goes on as if nothing had been.

    For a session in another process: `worker.call(branch_here, why="...")`.

    Args:
        session: One at a proposal. The present is stored as the moment before its next decision.
        name, why, by: As in `records.tree.make_branch`.

    Returns:
        The branch's folder.

    Raises:
        LayertieError: A decision is under way, or nothing is recorded.
        RecordError, StorageError: As in `records.tree.make_branch`.
    """
    check_moment(session)
    if session.directory is None:
        raise LayertieError(
            "Expected a recorded session, but this one has no directory.",
            "Record it (session.record(directory)), or take fork(), which needs none.",
        )
    session.save(moment_name(session.decision + 1))
    return make_branch(session.directory, session.decision + 1, name=name, why=why, by=by)


def branch_at(
    run: str | Path,
    decision: int | None = None,
    *,
    name: str | None = None,
    why: str = "",
    by: str = "human",
    rebuild: bool = False,
    text: str | Path | None = None,
    watch: Watch | None = None,
) -> Path:
    """A branch that can be opened at once: the moment that it leaves from is stored in it.

    Args:
        run: The run directory; itself untouched, and perhaps training in another process.
        decision: The decision that the branch will make anew, counted from 1; None = the latest with a stored moment.
        name, why, by: As in `records.tree.make_branch`.
        rebuild: Where the moment is not stored, train again what lies between it and the nearest one before it, with
            the actions of the log; that comes out the same bit for bit (on one machine at one thread count).
        text: Where the run's text lies now (`session.door.RunText.find`); remembered in the run and its branch.
        watch: Called with (decisions trained again, of how many) before each of them; False ends it.

    Returns:
        The branch's folder.

    Raises:
        RecordError: Not a run, no such decision, a moment that is not stored without `rebuild`, a name that is taken,
            or another text than the run's.
        CancelledError: `watch` ended it; no folder is left.
        StorageError: It cannot be written.
    """
    if text is not None:
        RunText.of(run).find(text=text)
    moments = stored_moments(run)
    if decision is None:
        decision = max(moments, default=1)
    if decision not in moments and not rebuild:
        stored = ", ".join(map(str, moments)) or "none"
        raise RecordError(
            f"Expected a decision whose moment is stored ({stored}), but got {decision}.",
            "Choose one of these, or pass rebuild=True, which trains again up to there.",
        )
    path = make_branch(run, decision, name=name, why=why, by=by)
    if decision not in stored_moments(path):
        try:
            with Session.resume(path, watch=watch) as session:
                session.save(moment_name(decision))
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
    return path


def undo(run: str | Path, *, name: str | None = None, by: str = "human", watch: Watch | None = None) -> Path:
    """A branch from before the last decision (the one under way, if there is one); the run stays as it is.

    Args:
        run: The run directory.
        name, by: As in `records.tree.make_branch`.
        watch: As in `branch_at`.

    Returns:
        The branch's folder.

    Raises:
        RecordError: Not a run, or one without a decision.
    """
    last = last_decision(run)
    return branch_at(run, last, name=name, why=f"undo of decision {last}", by=by, rebuild=True, watch=watch)
