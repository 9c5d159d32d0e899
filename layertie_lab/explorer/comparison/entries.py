"""What can be compared: the runs of a folder with their branches, its sweeps, recorded examples, what ships."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ...core.config import RunConfig
from ...core.errors import LayertieError, RecordError
from ...records.directory import RunDirectory, is_run
from ...records.runs import RunSummary, decided_by, list_runs, summarize
from ...records.sweeps import SweepDirectory, is_sweep
from ...records.tree import branches_of
from ..run_list import text_in_words
from ..terms import within
from . import shipped

SHIPPED, SWEEP, RUN, BRANCH, EXAMPLE = "recorded comparison", "sweep", "run", "branch", "example"


@dataclass(frozen=True)
class Entry:
    """A line of the list.

    Args:
        id: What the page calls it.
        kind: run, branch, sweep, example, or recorded comparison.
        name: What a person calls it.
        place: Its folder.
        policy: Who decides; of a sweep several.
        corpus: The text.
        seed: Of a sweep several.
        decisions: So far.
        budget: To be made; of a sweep by all runs together.
        loss: The last held-out loss, nats per token; None for a sweep.
        state: running, finished, stopped, failed or damaged; of a sweep how many runs are finished.
        note: What is damaged, or why it cannot be chosen.
        runs: The runs behind it -> their settings.
        recorded: How many there were, of a recorded comparison: they are not there any more.
        cell: What its runs have in common, of a recorded comparison.
        can_choose: Whether it can be compared at all.
        can_resume: Whether it is a sweep that can be gone on with.
        running: Whether somebody is at it.
    """

    id: str
    kind: str
    name: str
    place: Path
    policy: str = ""
    corpus: str = ""
    seed: str = ""
    decisions: int = 0
    budget: int = 0
    loss: float | None = None
    state: str = ""
    note: str = ""
    runs: dict[Path, RunConfig] = field(default_factory=dict)
    recorded: int = 0
    cell: str = ""
    can_choose: bool = True
    can_resume: bool = False
    running: bool = False

    @property
    def row(self) -> dict[str, Any]:
        """As the list shows it."""
        names = ("id", "kind", "name", "policy", "corpus", "seed", "decisions", "budget", "loss", "state", "note")
        row = {name: getattr(self, name) for name in (*names, "can_choose", "can_resume", "running")}
        if self.recorded:
            row["decisions"] = None  # the table of what they came to does not say
        return row | {"runs": self.recorded or len(self.runs)}


def entries(root: Path, examples: Path | None, comparison: Path | None) -> list[Entry]:
    """Everything, the latest first, then what ships. What is damaged is among them, and says so.

    Args:
        root: The folder of runs.
        examples: A folder of recorded runs.
        comparison: A folder with the results of recorded runs (`shipped.results`).

    Raises:
        RecordError: The folder of runs cannot be listed.
    """
    found = [*_sweeps(root)]
    for run in list_runs(root):
        found += _with_branches(run, RUN, f"run/{run.path.name}", root)
    if examples is not None:
        for run in sorted(list_runs(examples), key=lambda run: run.name):
            found += _with_branches(run, EXAMPLE, f"example/{run.path.name}", examples)
    if comparison is not None:
        found += shipped_entries(comparison)
    return found


def _with_branches(run: RunSummary, kind: str, id: str, root: Path) -> list[Entry]:
    """A run, and its branches after it."""
    branches = branches_of(run.path) if within(run.path, root) else ()
    return [
        _run(run, kind, id, root),
        *(_run(node.run, BRANCH, f"{id}/branches/{node.path.name}", root, trunk=run) for node in branches),
    ]


def _run(run: RunSummary, kind: str, id: str, root: Path, trunk: RunSummary | None = None) -> Entry:
    path = run.path
    if not within(path, root):
        note = "A link that leads out of the folder of runs."
        return Entry(id, kind, path.name, path, state="elsewhere", note=note, can_choose=False)
    name = " / ".join(each.title or each.path.name for each in (trunk, run) if each is not None)
    entry = Entry(id, kind, name, path, state=run.status, note=run.note, loss=run.validation_loss)
    try:
        config = RunDirectory.open(path).config
    except LayertieError as error:
        return _with(entry, note=run.note or str(error), state="damaged", runs={}, can_choose=False)
    return _with(
        entry,
        policy=_policy(config),
        corpus=text_in_words(config.text.corpus),
        seed=str(config.seed),
        decisions=run.decisions,
        budget=run.budget,
        runs={path: config},
        running=run.status == "running",
    )


def _sweeps(root: Path) -> Iterator[Entry]:
    try:
        folders = sorted((Path(entry.path) for entry in os.scandir(root)), key=_age, reverse=True)
    except OSError:
        return  # no folder yet; one that cannot be listed is said by `list_runs`
    for path in folders:
        if is_sweep(path) and not is_run(path):
            yield _sweep(path, root)


def _age(path: Path) -> float:
    try:
        return (path / "sweep.json").lstat().st_mtime
    except OSError:
        return 0.0


def _sweep(path: Path, root: Path) -> Entry:
    entry = Entry(f"sweep/{path.name}", SWEEP, path.name, path)
    if not within(path, root):
        return _with(entry, state="elsewhere", note="A link that leads out of the folder of runs.", can_choose=False)
    try:
        sweep = SweepDirectory.open(path)
    except RecordError as error:
        return _with(entry, state="damaged", note=str(error), can_choose=False)
    summaries = {name: summarize(path / name) for name in sweep.runs if is_run(path / name)}
    states = [run.status for run in summaries.values()]
    done, running = states.count("finished"), sweep.running
    damaged = [f"{name}: {run.note}" for name, run in summaries.items() if run.note]
    state = "running" if running else "finished" if done == len(sweep.runs) else "stopped"
    return _with(
        entry,
        policy=", ".join(dict.fromkeys(map(_policy, sweep.runs.values()))),
        corpus=", ".join(dict.fromkeys(text_in_words(config.text.corpus) for config in sweep.runs.values())),
        seed=_span(sorted({config.seed for config in sweep.runs.values()})),
        decisions=sum(run.decisions for run in summaries.values()),
        budget=sum(config.decisions for config in sweep.runs.values()),
        state=f"{state}, {done} of {len(sweep.runs)} runs",
        note=" ".join(damaged),
        runs={path / name: sweep.runs[name] for name in summaries},
        can_choose=bool(summaries),
        can_resume=not running and done < len(sweep.runs),
        running=running,
    )


def shipped_entries(place: Path) -> list[Entry]:
    """The comparisons that ship, whose results lie in a folder; that of the question is the first."""
    damaged = Entry("shipped", SHIPPED, "What ships", place, state="damaged", can_choose=False)
    try:
        found = shipped.results(place)
    except RecordError as error:
        return [_with(damaged, note=str(error))]
    return [_recorded(place, cell, found.filter(cell=cell, left_out=False)) for cell in shipped.cells(found)]


def _recorded(place: Path, cell: str, found: pl.DataFrame) -> Entry:
    return Entry(
        f"shipped/{cell}",
        SHIPPED,
        f"{found.height} runs that ship: {shipped.in_words(cell)}",
        place,
        policy=", ".join(found["policy"].unique(maintain_order=True)),
        corpus=shipped.text_of(cell),
        seed=_span(sorted(found["seed"].unique())),
        state="recorded",
        recorded=found.height,
        cell=cell,
    )


def _with(entry: Entry, **changes: Any) -> Entry:
    return Entry(**{**entry.__dict__, **changes})


def _policy(config: RunConfig) -> str:
    return decided_by(config.agent.policy, config.algorithm)


def _span(seeds: list[int]) -> str:
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))
