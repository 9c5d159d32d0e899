"""`layertie label`: what a person calls a run, and a note on it. No torch is loaded."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from rich.console import Console

from ..core.errors import RecordError
from ..records.directory import is_run
from ..records.labels import Label, read_label, write_label
from . import arguments


def label(command: arguments.Label, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Write a run's name and note, or print them.

    Raises:
        RecordError: Not a run, a label that cannot be read, or words that are too long.
        StorageError: It cannot be written; the old one stays.
    """
    if not is_run(command.run):
        raise RecordError(f"Expected a run's folder, but {command.run} is none.", "Check the name.")
    given = {name: words for name, words in (("title", command.title), ("remark", command.note)) if words is not None}
    # Where both are given nothing of the old one is needed, which may be damaged.
    kept = Label() if len(given) == 2 else read_label(command.run)
    if given:
        kept = write_label(command.run, replace(kept, **given))
    if not command.json:
        output.print(kept.title or "It has no name of its own.", soft_wrap=True)
        if kept.remark:
            output.print(kept.remark, soft_wrap=True)
    return asdict(kept), 0
