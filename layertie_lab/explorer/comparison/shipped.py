"""The comparison that ships: what the runs of the study came to (`data/study`), without the runs."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ...core.errors import RecordError

_PACKAGE = Path(__file__).parents[2]
FOLDER = "study"
"""Its folder of data that ships."""
FILE = "runs.csv"
COLUMNS: dict[str, type[pl.DataType]] = {
    "cell": pl.String,
    "policy": pl.String,
    "seed": pl.Int64,
    "test_loss": pl.Float64,
    "trainable_parameters": pl.Int64,
}
"""What is read of it: text, layers x width and steps of a run; who decided; its seed; loss on all windows of the test
split after the last step, nats per token; parameters that receive gradients at the end, counted once per storage."""
AGAIN = ", its map from scratch"
"""Ends the policy of a run that trains an agent's last map again: another question, and few of them."""
QUESTION = "See 88 runs: does the agent beat chance?"
"""What the button says that opens it."""
FIRST, OTHER = "random, 4 owners", "lab, 4 owners"
"""What answers that: chance of as many owners, and the agent."""
NOTES = (
    "Every run of lab began with the map that its prior predicts, and 90 of 96 kept it, while random goes on moving "
    "ties and pays for it: this is the worth of that map, found on other texts and sizes, more than of what the agent "
    "learns in a run.",
    "The test split was read once; the questions and their lines were written before the runs, and each policy has the "
    "learning rate that was best for it on other seeds (data/study).",
)
"""What a reader has to know of these runs."""
ENDS_ONLY = (
    "Of these runs the ends alone are kept, in a table: there are no curves and no tie maps, and they cannot be held "
    "against runs of a folder."
)
ONE = "A recorded comparison is shown by itself: another one is of another text or size."


def folder(name: str) -> Path | None:
    """A folder of data that ships, in a clone or in an installed package; None where it is not there."""
    places = (_PACKAGE.parent / "data" / name, _PACKAGE / "page" / "data" / name)
    return next((place for place in places if place.is_dir()), None)


def results(place: Path) -> pl.DataFrame:
    """The table of the recorded runs: `COLUMNS`, and `left_out`, whether a run answers another question.

    Raises:
        RecordError: It cannot be read, lacks columns, or has no runs.
    """
    file = place / FILE
    try:
        found = pl.read_csv(file, schema_overrides=COLUMNS)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(f"{file.name} cannot be read: {error}") from None
    if missing := COLUMNS.keys() - set(found.columns):
        raise _unreadable(f"{file.name} lacks {', '.join(sorted(missing))}")
    found = found.select(*COLUMNS)
    if not found.height or any(column.null_count() for column in found):
        raise _unreadable(f"{file.name} has empty places, or no runs")
    return found.with_columns(left_out=pl.col("policy").str.ends_with(AGAIN))


def _unreadable(how: str) -> RecordError:
    return RecordError(
        f"Expected the results of a recorded comparison, but {how}.", "Restore it from a copy of layertie_lab."
    )


def cells(found: pl.DataFrame) -> list[str]:
    """Text, size and steps that runs have in common, in the order of the table; each is a comparison of its own."""
    return found["cell"].unique(maintain_order=True).to_list()


def text_of(cell: str) -> str:
    """Its text."""
    return cell.split("-")[0]


def steps_of(cell: str) -> int:
    """Optimizer steps of each of its runs."""
    return int(cell.rpartition("-")[2])


def in_words(cell: str) -> str:
    """As "pydoc, 12 layers of width 64"."""
    layers, _, width = cell.split("-")[1].partition("x")
    return f"{text_of(cell)}, {layers} layers of width {width}"
