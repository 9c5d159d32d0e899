"""What a person calls a run, and a note on it: beside the run in `label.json`, so that its folder keeps its name.

A folder's name is what processes, links and branches know a run by; a label can change while the run trains.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.errors import RecordError
from ..core.plain import of_type
from .directory import is_run
from .io.document import read_document, reason, write_document

FILE = "label.json"
LONGEST_TITLE, LONGEST_REMARK = 100, 2_000
"""Characters, at most."""


@dataclass(frozen=True)
class Label:
    """What a person calls a run.

    Args:
        title: In a line; "" where nobody has given it one.
        remark: A note on it, of several lines perhaps.
    """

    title: str = ""
    remark: str = ""


def read_label(run: Path) -> Label:
    """A run's label; an empty one where it has none.

    Raises:
        RecordError: It cannot be read, or was changed by something else.
    """
    try:
        return Label(**of_type(read_document(run / FILE, digest_needed=True), Label))
    except FileNotFoundError:
        return Label()
    except (OSError, ValueError) as error:
        raise RecordError(
            f"The name and note of {run.name} ({FILE}) cannot be read: {reason(error)}.", "Write them again."
        ) from error


def called(run: Path) -> str:
    """What a run is called where several are named: as a person calls it, else as its folder.

    One that cannot be read is called as its folder; who lists runs says what is wrong with it.
    """
    try:
        title = read_label(run).title
    except RecordError:
        title = ""
    return title or run.name or run.resolve().name


def write_label(run: Path, label: Label) -> Label:
    """Name a run and note something on it; white space around the words is left out.

    Returns:
        What is kept.

    Raises:
        RecordError: Not a run, or the words are too long.
        StorageError: It cannot be written; the old label stays.
    """
    if not is_run(run):
        raise RecordError(f"Expected a run's folder, but {run} is none.", "Check the name.")
    label = Label(" ".join(label.title.split()), label.remark.strip())
    for words, most, what in ((label.title, LONGEST_TITLE, "name"), (label.remark, LONGEST_REMARK, "note")):
        if len(words) > most:
            raise RecordError(
                f"Expected a {what} of at most {most:,} characters, but got {len(words):,}.", "Shorten it."
            )
    write_document(run / FILE, asdict(label))
    return label
