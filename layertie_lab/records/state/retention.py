"""Which stored moments of a run are kept: a bounded number, whatever the run's length."""

from __future__ import annotations

import re
from pathlib import Path

from ..directory import RunDirectory
from ..io.disk import discard

MOST_SPACED = 16
"""Moments kept of those stored at even distances; with one more, every second goes and the distance doubles."""
MOST_ANSWERED = 64
"""Moments kept from before a person's overrides, the latest ones."""
MOST_BYTES = 4 << 30
"""What these may take on disk together; the latest is kept whatever its size."""
_SPACED = re.compile(r"spaced-(\d+)")
_ANSWERED = re.compile(r"decision-(\d+)")


def moment_name(decision: int) -> str:
    """The checkpoint's name of the moment before a decision that a person answered otherwise, or asked about."""
    return f"decision-{decision:05d}"


def spaced_name(decision: int) -> str:
    """The checkpoint's name of the moment before a decision, stored since it was its turn (`records.moment_every`)."""
    return f"spaced-{decision:05d}"


def is_spaced(done: int, every: int) -> bool:
    """Whether the moment after `done` decisions is one to store, at a distance of `every` that doubles as they grow.

    Args:
        done: Decisions with an outcome.
        every: Decisions between moments at the start of the run; 0 = none.
    """
    return every > 0 and done > 0 and done % _distance(done, every) == 0


def push_out_spaced(directory: RunDirectory, done: int, every: int) -> None:
    """Remove what no longer lies at the distance of a run of `done` decisions."""
    distance = _distance(done, every)
    for decision, path in _named(directory, _SPACED):
        if (decision - 1) % distance:
            discard(path)  # a branch that starts from it has a link of its own


def push_out_answered(directory: RunDirectory) -> None:
    """Remove the oldest moments from before overrides, as far as there are too many or they are too large."""
    found = [(path.lstat(), decision, path) for decision, path in _named(directory, _ANSWERED)]
    # By time: a log that was cut and went on otherwise may have left moments of later decisions.
    found.sort(key=lambda one: (one[0].st_mtime_ns, one[1]), reverse=True)
    total = 0
    for number, (status, _, path) in enumerate(found):
        total += status.st_size
        if number and (number >= MOST_ANSWERED or total > MOST_BYTES):
            discard(path)


def _distance(done: int, every: int) -> int:
    distance = every
    while done // distance > MOST_SPACED:
        distance *= 2
    return distance


def _named(directory: RunDirectory, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    # By their names alone: reading all headers would take longer than writing a moment.
    found = [(pattern.fullmatch(path.stem), path) for path in directory.checkpoints.glob("*.safetensors")]
    return [(int(match[1]), path) for match, path in found if match]
