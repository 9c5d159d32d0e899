"""How many processes of a kind one server has at a time: no page takes the machine from the others."""

from __future__ import annotations

import os

import psutil

from ..core.errors import ConfigError, WorkerError

MOST = "LAYERTIE_MOST_RUNS"
"""Variable of the environment: runs that train or wait at a time, and as many studies and looks; 0 = by the machine."""
PER_CORE = 4
"""Runs per core: most wait for a person most of the time."""
BYTES_EACH = 1 << 29
"""Memory that a process of ours takes, with a small model."""


def most() -> int:
    """The limit.

    Raises:
        ConfigError: The variable is no number.
    """
    words = os.environ.get(MOST, "").strip() or "0"
    if not (words.isascii() and words.isdecimal() and len(words) < 7):
        raise ConfigError(f"Expected {MOST} to be a number, but it is {words!r}.", "Set one, or 0 for the default.")
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count() or 1
    return int(words) or max(1, min(PER_CORE * cores, psutil.virtual_memory().total // BYTES_EACH))


def check_room(what: str, present: int, remedy: str) -> None:
    """Refuse one more.

    Args:
        what: What is counted, in the plural.
        present: How many there are.
        remedy: How one of them is ended, as a sentence.

    Raises:
        WorkerError: There are as many as the server allows.
    """
    if present >= (limit := most()):
        raise WorkerError(
            f"Expected room for one more, but this server has {present} {what} already, and allows {limit}.",
            f"{remedy} Its owner can set {MOST} to another limit.",
        )
