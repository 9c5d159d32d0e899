"""Rows about being watched: a worker whose events feed the live widgets, against the command line's bare session."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..core.config import RunConfig
from ..explorer.control_room import ControlRoom
from ..session.session import Session
from ..workers.worker import Worker
from .pairing import Row, interleaved, row

DECISIONS = 6


def watched_against_unwatched(config: RunConfig, rounds: int) -> Iterator[Row]:
    """Decisions per second of a worker with the explorer's widgets attached over those of a recorded session.

    The two take turns, each with the machine to itself. Both train the independent map, so that the work is equal. The
    widgets are the explorer's own, fed as there; what a browser draws with the messages is not in it.
    """
    config = config.replace(decisions=10**6, policy="independent", sample_every=0)
    with tempfile.TemporaryDirectory() as folder:
        session = Session(config, Path(folder) / "session")
        worker = Worker(config, Path(folder) / "worker")
        room = ControlRoom(worker)
        try:
            measured = interleaved(lambda: worker.run(DECISIONS), lambda: session.run(DECISIONS), rounds)
        finally:
            room.close()
            worker.close(save=False)
            session.close(save=False)
    yield row(
        f"watched worker / session, decisions per second, {config.model.layers} x {config.model.width}",
        measured[:, 1] / measured[:, 0],
        at_least=0.9,
        watched_decisions_per_second=float(DECISIONS / np.median(measured[:, 0])),
    )
