"""The study of the paper's claims at laptop scale: `python data/study/run.py FOLDER [CELL ...]` makes its runs.

What is asked, of whom and how is in README.md, written before the runs. Each cell (text, size, steps) is a sweep in a
folder of its own; what is finished there is not done again, and Ctrl-C loses nothing. `analyse.py` makes the tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from layertie_lab import load_run
from layertie_lab.core.config import RunConfig
from layertie_lab.records.sweeps import SweepDirectory
from layertie_lab.workers.sweep import Progress, sweep

SEEDS = tuple(range(201, 209))
"""Looked at in this study alone."""
TEXTS = {"pydoc": "pydoc-distinct", "stdlib": "stdlib"}
SHORT, LONG = 200, 800
"""Decisions of four steps each."""
POLICIES: dict[str, dict[str, object]] = {
    "independent": {"policy": "independent", "learning_rate": 2e-3},
    "all-tied": {"policy": "all-tied", "learning_rate": 1e-3},
    "sandwich": {"policy": "sandwich", "learning_rate": 2e-3},
    "middle-cycle": {"policy": "middle-cycle", "blocks": 4, "learning_rate": 1e-3},
    "sequence": {"policy": "sequence", "blocks": 4, "learning_rate": 1e-3},
    "lab, 3 owners": {"policy": "lab", "owners": 3, "learning_rate": 2e-3},
    "lab, 4 owners": {"policy": "lab", "owners": 4, "learning_rate": 2e-3},
    "lab": {"policy": "lab", "learning_rate": 2e-3},
    "random, 3 owners": {"policy": "random-matched", "blocks": 3, "learning_rate": 1e-3},
    "random, 4 owners": {"policy": "random-matched", "blocks": 4, "learning_rate": 1e-3},
    "lab-1": {"policy": "lab-1", "learning_rate": 1e-3},
}
"""Name in the tables -> settings besides those of the lab preset; learning rates as chosen in rates.csv."""
LONG_POLICIES = tuple(name for name in POLICIES if name not in ("sequence", "random, 3 owners"))
CELLS = {
    f"{text}-{layers}x64-{decisions * 4}": (text, layers, decisions)
    for decisions in (SHORT, LONG)
    for layers in (12, 6)
    for text in TEXTS
    if (layers, decisions) != (6, LONG)
}
"""Folder -> text, layers, decisions; in the order in which they are made."""
AGAIN = "-again"
"""Ends the folder of a cell's runs that train what an agent came to from scratch."""


def configs(cell: str) -> Iterator[RunConfig]:
    """The runs of a cell, seed by seed, so that a study that is cut short is balanced."""
    text, layers, decisions = CELLS[cell]
    for seed in SEEDS:
        for name, settings in POLICIES.items():
            if decisions == SHORT or name in LONG_POLICIES:
                yield RunConfig.preset(
                    "laptop",
                    corpus=TEXTS[text],
                    layers=layers,
                    decisions=decisions,
                    seed=seed,
                    threads=1,
                    evaluate_every=20,
                    evaluation_windows=512,
                    sample_every=0,
                    snapshot_mebibytes=0,
                    keep_text_bytes=0,
                    **settings,
                )


def again(made: Path) -> Iterator[RunConfig]:
    """The maps that lab runs of a cell ended with, where they began with others, each trained from its first step."""
    planned = SweepDirectory.open(made)
    for name, config in planned.runs.items():
        if config.agent.policy == "lab" and planned.status(name) == "finished":
            log = load_run(made / name)
            assert log.opened is not None
            last = " ".join(map(str, log.ties.sort("decision", "layer").tail(config.model.layers)["source"]))
            if last != " ".join(map(str, log.opened.ties)):
                yield config.replace(policy="map", map=last, owners=0)


def main(folder: Path, cells: list[str]) -> None:
    """Make the runs of some cells, all by default."""
    for cell in cells or CELLS:
        make(folder / cell, list(configs(cell)))
        make(folder / f"{cell}{AGAIN}", list(dict.fromkeys(again(folder / cell))))


def make(where: Path, runs: list[RunConfig]) -> None:
    """Make some runs, saying how far it is."""

    def said(progress: Progress) -> None:
        print(f"\r{where.name}: {progress.finished} of {progress.runs} runs", end="", file=sys.stderr, flush=True)

    if runs:
        found = sweep(runs, where, watch=said)
        print(f"\n{where.name}: {found.failures or 'no failure'}", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
