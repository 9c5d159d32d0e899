"""What others do with the studies of a run that a page shows: another page of this server, or a command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..counterfactual.study import Study
from ..records.studies import REPLICATES

LOOK_AGAIN = 2.0
"""Seconds until the studies of a run are looked at again, while somebody sees them."""


class Going(NamedTuple):
    """A study to which somebody adds replicates.

    Args:
        name: Of the study.
        decision: That it is about.
        layer: That the decision is about.
        came: Replicates so far.
        wanted: At most so many.
    """

    name: str
    decision: int
    layer: int
    came: int
    wanted: int


Traces = dict[str, tuple[int, int, bool]]
"""Name of a study -> bytes of its replicates, extensions, and whether somebody adds to it."""


def traces(run: Path) -> Traces:
    """What changes on disk when somebody states, runs, extends or ends a study; far less than reading them."""
    found: Traces = {}
    for statement in sorted(run.glob("studies/study-*/statement.json")):
        folder = statement.parent
        try:
            size = (folder / REPLICATES).stat().st_size
        except OSError:  # nothing has come yet
            size = 0
        found[folder.name] = (size, sum(1 for _ in folder.glob("extension-*.json")), Study.is_running(folder))
    return found


def without(found: Traces, own: str) -> Traces:
    """Those of the studies that are not the page's own, of which it is told anyway."""
    return {name: trace for name, trace in found.items() if name != own}


def going_of(studies: Iterable[Study]) -> list[Going]:
    """Those of a run's studies that somebody runs."""
    return [
        Going(study.name, study.spec.decision, study.spec.layer, len(study.replicates()), study.spec.replicates)
        for study in studies
        if study.running
    ]


def elsewhere(going: Sequence[Going]) -> str:
    """What is said of studies that another page, or a command line, runs; "" for none."""
    said = [
        f"A study about decision {each.decision} (layer {each.layer}) of this run is under way in another page: "
        f"{each.name}, {each.came} of at most {each.wanted} replicates so far."
        for each in going
    ]
    if said:
        said.append("Another can be started beside it: each has replicates of its own, and both take longer.")
    return " ".join(said)
