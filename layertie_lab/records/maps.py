"""Tie maps by words: their sources, or a run whose map is meant."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from ..core.errors import RecordError
from ..core.paths import path_of
from ..core.ties import TieMap
from .log.reader import load_run


def last_map(run: str | Path) -> TieMap:
    """The tie map of a run as far as it has come: the final one where it is finished.

    It is what the run's agent chose. Under `chain="snapshot"` layers may have shared otherwise (`Run.ties`, block).

    Raises:
        RecordError: Not a run, one that has not begun, or a damaged log.
    """
    ties = load_run(run).ties
    if ties.is_empty():
        raise RecordError(f"Expected a run with a tie map, but {run} has not begun.", "Name another run.")
    last = ties.filter(pl.col("decision") == pl.col("decision").max()).sort("layer")
    return TieMap(tuple(last["source"]))


def sources_of(words: str, root: str | Path = "") -> str:
    """The sources of a tie map, parted by blanks, as settings record it (`agent.map`).

    Args:
        words: The sources themselves, parted by blanks or commas; or the folder of a run, whose last map is taken;
            or "" for none. What consists of digits alone are sources: a folder of such a name is reached as ./4.
        root: Where a folder that is given by a relative path is looked for.

    Raises:
        TieError: Sources that are no map.
        RecordError: Neither sources nor a run's folder, or a run without a map.
    """
    words = words.strip()
    if not words:
        return ""
    if set(words) <= set("0123456789,[] \t"):
        return TieMap.parse(words).text
    run = path_of(Path(root) / os.path.expanduser(words))
    if not run.exists():
        raise RecordError(
            f"Expected a tie map or the folder of a run, but {words!r} are no numbers, and there is no such folder.",
            'Write a map by its sources, such as "0 1 1 1 4 4", or the path of a run.',
        )
    return last_map(run).text
