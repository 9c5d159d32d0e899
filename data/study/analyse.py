"""Tables and the chart of the study: `python data/study/analyse.py FOLDER`, after `run.py FOLDER`.

The test split is read here and nowhere else: of each finished run, after its last step, on all its windows.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import polars as pl
from run import AGAIN, CELLS, POLICIES, SEEDS

from layertie_lab import Session, load_run
from layertie_lab.analysis.statistics.intervals import mean_interval
from layertie_lab.records.log.reader import Run
from layertie_lab.records.sweeps import SweepDirectory

HERE = Path(__file__).parent
COLUMNS = (
    *("cell", "policy", "seed", "test_loss", "test_standard_error", "validation_loss", "owners", "first_map"),
    *("map", "moves", "trainable_parameters", "untied_parameters", "peak_bytes", "seconds"),
)
BASE = "independent"
OWN = ", its map from scratch"
Key = tuple[str, str, str]
"""Cell, policy, seed."""
PAIRS = (
    ("all-tied", BASE),
    ("sandwich", BASE),
    ("lab", BASE),
    ("lab, 3 owners", "sandwich"),
    ("lab, 4 owners", "middle-cycle"),
    ("lab, 4 owners", "sequence"),
    ("lab, 4 owners", "sandwich"),
    ("lab, 3 owners", "random, 3 owners"),
    ("lab, 4 owners", "random, 4 owners"),
    ("lab, 4 owners", "all-tied"),
    ("lab, 4 owners", "lab-1"),
    *((name, f"{name}{OWN}") for name in ("lab", "lab, 3 owners", "lab, 4 owners")),
)


def rows_of(folder: Path, known: dict[Key, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row per finished run; what is known already is not read again."""
    for cell in CELLS:
        if not (folder / cell / "sweep.json").is_file():
            yield from (row for key, row in known.items() if key[0] == cell)
            continue
        mine = list(_rows_of(folder, cell, known))
        yield from mine
        yield from _again(folder, cell, mine, known)


def _again(folder: Path, cell: str, mine: list[dict[str, Any]], known: dict[Key, dict[str, Any]]) -> Iterator[dict]:
    """The same of the runs that train what lab runs came to from scratch."""
    if not (folder / f"{cell}{AGAIN}" / "sweep.json").is_file():
        return
    planned = SweepDirectory.open(folder / f"{cell}{AGAIN}")
    for name, config in planned.runs.items():
        for row in mine:
            if (int(row["seed"]), row["map"]) == (config.seed, config.agent.map) and row["policy"].startswith("lab"):
                policy = f"{row['policy']}{OWN}"
                if (key := (cell, policy, str(config.seed))) in known:
                    yield known[key]
                elif planned.status(name) == "finished":
                    yield {"cell": cell, "policy": policy, "seed": config.seed} | _read(planned.path / name)


def _rows_of(folder: Path, cell: str, known: dict[Key, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    planned = SweepDirectory.open(folder / cell)
    for name, config in planned.runs.items():
        policy = next(
            label
            for label, settings in POLICIES.items()
            if settings["policy"] == config.agent.policy
            and settings.get("owners", 0) == config.agent.owners
            and settings.get("blocks", 0) == config.agent.blocks
        )
        key = (cell, policy, str(config.seed))
        if key in known:
            yield known[key]
        elif planned.status(name) == "finished":
            yield {"cell": cell, "policy": policy, "seed": config.seed} | _read(planned.path / name)


def _read(path: Path) -> dict[str, Any]:
    log = load_run(path)
    decisions = log.decisions
    assert log.opened is not None
    with Session.resume(path) as session:
        found = session.evaluate("test", 100_000)
        peak = sum(session.evaluator.memory().values())
        return {
            "test_loss": round(found.loss, 6),
            "test_standard_error": round(found.standard_error, 6),
            "validation_loss": round(log.evaluations.filter(pl.col("split") == "validation")["loss"][-1], 6),
            "owners": decisions["owners"][-1],
            "first_map": " ".join(map(str, log.opened.ties)),
            "map": " ".join(map(str, session.ties)),
            "moves": " ".join(map(str, by_sweep(log))),
            "trainable_parameters": decisions["trainable_parameters"][-1],
            "untied_parameters": log.opened.untied_parameters,
            "peak_bytes": peak,
            "seconds": round(float(log.timings["seconds"].sum()), 1),
        }


def by_sweep(log: Run) -> list[int]:
    """How many decisions of each sweep over the layers changed a tie."""
    moved = (log.decisions["choice"] != log.decisions["present"]).to_list()
    sweep = log.config.model.layers - 1
    return [sum(moved[start : start + sweep]) for start in range(0, len(moved), sweep)]


def losses(rows: list[dict[str, Any]], cell: str, policy: str) -> dict[int, float]:
    """Seed -> test loss."""
    mine = (row for row in rows if (row["cell"], row["policy"]) == (cell, policy))
    return {int(row["seed"]): float(row["test_loss"]) for row in mine}


def compared(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The table of paired differences, in Markdown."""
    yield "| cell | first | minus | seeds | difference | 95 % interval |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for cell in CELLS:
        for first, second in PAIRS:
            ours, theirs = losses(rows, cell, first), losses(rows, cell, second)
            both = sorted(ours.keys() & theirs.keys())
            if len(both) < 2:
                continue
            gaps = np.array([ours[seed] - theirs[seed] for seed in both])
            if np.ptp(gaps) == 0:
                yield f"| {cell} | {first} | {second} | {len(both)} | {gaps[0]:+.4f} | the same in every seed |"
                continue
            found = mean_interval(gaps)
            ends = f"[{found.low:+.4f}, {found.high:+.4f}]"
            yield f"| {cell} | {first} | {second} | {len(both)} | {found.value:+.4f} | {ends} |"


def levels(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The table of each policy by itself, in Markdown."""
    heads = (
        "cell",
        "policy",
        "seeds",
        "test loss, mean",
        "owners",
        "parameters",
        "peak MB",
        "moves in the first sweep",
    )
    yield f"| {' | '.join(heads)}, later | seconds a run |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for cell in CELLS:
        for policy in (*POLICIES, *(f"{name}{OWN}" for name in POLICIES)):
            mine = [row for row in rows if (row["cell"], row["policy"]) == (cell, policy)]
            if not mine:
                continue

            def mean(column: str, mine: list[dict[str, Any]] = mine) -> float:
                return float(np.mean([float(row[column]) for row in mine]))

            moves = np.array([list(map(int, row["moves"].split())) for row in mine]).mean(axis=0)
            share = mean("trainable_parameters") / mean("untied_parameters")
            yield (
                f"| {cell} | {policy} | {len(mine)} | {mean('test_loss'):.4f} | {mean('owners'):.1f} | {share:.0%} | "
                f"{mean('peak_bytes') / 1e6:.2f} | {moves[0]:.1f}, {moves[1:].sum():.1f} | {mean('seconds'):.0f} |"
            )


def front(rows: list[dict[str, Any]]) -> alt.Chart:
    """Loss against parameters, a panel per cell. Maps trained again are left out: few seeds have any."""
    values = [
        {"cell": row["cell"], "policy": row["policy"], "loss": float(row["test_loss"])}
        | {"share": float(row["trainable_parameters"]) / float(row["untied_parameters"])}
        for row in rows
        if not row["policy"].endswith(OWN)
    ]
    frame = pl.DataFrame(values).group_by("cell", "policy").agg(pl.col("loss").mean(), pl.col("share").mean())
    return (
        alt.Chart(frame)
        .mark_point(filled=True, size=70)
        .encode(
            alt.X("share:Q", title="trainable parameters, share of the untied model's").axis(format="%"),
            alt.Y("loss:Q", title="test loss (nats/token)").scale(zero=False),
            alt.Color("policy:N", title="policy").scale(scheme="category20"),
            alt.Shape("policy:N", title="policy"),
        )
        .properties(width=300, height=220)
        .facet(alt.Facet("cell:N", title=None), columns=2, title="Down and to the left is better; means over seeds")
        .resolve_scale(y="independent")
    )


def main(folder: Path) -> None:
    """Read, compare, write."""
    table = HERE / "runs.csv"
    known: dict[Key, dict[str, Any]] = {}
    if table.is_file():
        with table.open(newline="") as file:
            known = {(row["cell"], row["policy"], row["seed"]): dict(row) for row in csv.DictReader(file)}
    rows = list(rows_of(folder, known))
    with table.open("w", newline="") as file:
        write = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        write.writeheader()
        write.writerows(rows)
    complete = {cell: sum(row["cell"] == cell for row in rows) for cell in CELLS}
    words = [f"- {cell}: {count} runs of {len(SEEDS)} seeds" for cell, count in complete.items()]
    lines = ["# Results", "", *words, "", *levels(rows), "", *compared(rows), ""]
    (HERE / "results.md").write_text("\n".join(lines), encoding="utf-8")
    (HERE / "front.json").write_text(json.dumps(front(rows).to_dict()) + "\n", encoding="utf-8")
    front(rows).save(HERE / "front.png", scale_factor=2)
    print("\n".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
