"""Rows about reading a run while it grows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..core.config import RunConfig
from ..core.events import Stepped
from ..records.directory import RunDirectory
from ..records.log.cursor import EventCursor
from ..records.log.writer import EventWriter
from .pairing import Row, row, seconds

NEW = 500


def cursor_cost(rounds: int) -> Iterator[Row]:
    """Time to read 500 new events when the log already has 100,000, over the same when it has 1,000."""
    with tempfile.TemporaryDirectory() as folder:
        costs = {size: _costs(Path(folder) / str(size), size, rounds) for size in (1_000, 100_000)}
    yield row(
        "reading new events by cursor, log of 100,000 / log of 1,000",
        costs[100_000] / costs[1_000],
        at_most=1.5,
        microseconds_per_event=float(np.median(costs[100_000]) / NEW * 1e6),
    )


def _costs(path: Path, size: int, rounds: int) -> np.ndarray:
    directory = RunDirectory.create(path, RunConfig.preset("tiny"))
    writer = EventWriter(directory)
    for step in range(size):
        writer.append(Stepped(step + 1, 1, 3.0, 1e-3, 0.5))
    writer.flush()
    cursor = EventCursor(directory.events)
    assert len(cursor.read_new()) == size, "the cursor reads what was written"
    costs = []
    for number in range(rounds):
        for step in range(NEW):
            writer.append(Stepped(size + number * NEW + step + 1, 1, 3.0, 1e-3, 0.5))
        writer.flush()
        costs.append(seconds(cursor.read_new))
    writer.close()
    return np.array(costs)
