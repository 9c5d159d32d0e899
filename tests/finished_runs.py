"""A very small run that has come to its end, for tests of what is done with one; and the words that train the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from layertie_lab import RunConfig, Session

SETTINGS = {
    "layers": 3,
    "width": 16,
    "context": 16,
    "batch_size": 2,
    "decisions": 2,
    "evaluation_windows": 2,
    "reward__windows": 2,
}
"""On the scale `tiny`: some tenths of a second for the whole run."""


def finished(folder: Path, text: Path, **changes: Any) -> Path:
    """The folder, with such a run in it.

    Args:
        text: The file that it reads.
        **changes: Other settings.
    """
    with Session(RunConfig.preset("tiny", **(SETTINGS | {"corpus": str(text)} | changes)), folder) as session:
        session.run()
    return folder


def training(folder: Path, text: Path, **changes: Any) -> list[str]:
    """`layertie train` for such a run, as a list of words."""
    words = ["train", "--scale", "tiny", "--quiet", "--directory", str(folder), "--corpus", str(text)]
    for name, value in (SETTINGS | changes).items():
        words += [f"--{name.rpartition('__')[2].replace('_', '-')}", str(value)]
    return words
