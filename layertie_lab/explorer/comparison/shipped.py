"""The comparison that ships: results of 50 recorded runs, without the runs."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ...core.errors import RecordError
from ...records.sweeps import RESULTS

_PACKAGE = Path(__file__).parents[2]
ID = "shipped/comparison"
"""Its id in the list."""
NAME = "50 runs that ship"
QUESTION = "See 50 runs: does the agent beat chance?"
"""What the button says that opens it."""
FIRST, OTHER = "random", "lab-1"
"""What answers that: chance, and the agent."""
NOTE = (
    "Recorded in November 2026: ten policies, five seeds, laptop scale, the text pydoc. Its agent is the one of before,"
    " today's policy lab-1. Today's lab, in other runs (data/study: 12 layers, pydoc, four owners, eight seeds), has"
    " 0.260 nats less loss on the test split than chance of as many owners, 95 % interval [0.141, 0.379]."
)
ENDS_ONLY = (
    "Of these runs the ends alone are kept, in a table: there are no curves and no tie maps, and they cannot be held "
    "against runs of a folder."
)


def folder(name: str) -> Path | None:
    """A folder of data that ships, in a clone or in an installed package; None where it is not there."""
    places = (_PACKAGE.parent / "data" / name, _PACKAGE / "page" / "data" / name)
    return next((place for place in places if place.is_dir()), None)


def results(place: Path) -> pl.DataFrame:
    """The table of a recorded comparison: columns of `records.sweeps.RESULTS`.

    Raises:
        RecordError: It cannot be read, or lacks columns.
    """
    file = place / "results.csv"
    schema = {name: kind for name, (kind, _) in RESULTS.items()}
    try:
        found = pl.read_csv(file, schema_overrides=schema)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RecordError(
            f"Expected the results of a recorded comparison, but {file.name} cannot be read: {error}.",
            "Restore it from a copy of layertie_lab.",
        ) from None
    if missing := schema.keys() - set(found.columns):
        raise RecordError(
            f"Expected the results of a recorded comparison, but {file.name} lacks {', '.join(sorted(missing))}.",
            "Restore it from a copy of layertie_lab.",
        )
    # Policies go by today's names.
    return found.with_columns(pl.col("setting").fill_null(""), pl.col("policy").replace("lab", "lab-1"))
