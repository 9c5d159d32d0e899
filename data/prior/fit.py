"""What the lab agent knows before its runs: `python data/prior/fit.py` fits it to the recorded runs in this folder.

`maps.csv` has a row per run that was trained from its first step under one map; `changes.csv` a row per change of one
tie, tried on a fork of a run and compared with a fork that went on without it. See README.md for how they were made.
The fit is written to layertie_lab/agent/bandit/recorded.json.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from layertie_lab.agent.bandit.evidence import KINDS
from layertie_lab.agent.bandit.recorded import TRAITS, traits
from layertie_lab.core.ties import TieMap

HERE = Path(__file__).parent
OUT = HERE.parents[1] / "layertie_lab" / "agent" / "bandit" / "recorded.json"
TRAIT_SCALE = 0.05
"""Standard deviation of a trait's coefficient before anything was recorded, nats per token."""
LINE_SCALES = (0.01, 1.0)
"""The same of a change's line: of its constant, nats per token, and of its slope."""


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of a table of this folder."""
    with (HERE / name).open(newline="") as file:
        return list(csv.DictReader(file))


def map_of(row: dict[str, str], column: str) -> TieMap:
    """A tie map, written as sources with blanks between them."""
    return TieMap(tuple(map(int, row[column].split())))


def fit_maps() -> dict[str, Any]:
    """Loss on traits of the map, with a level of its own for each depth, text and seed, by ridge regression."""
    rows = rows_of("maps.csv")
    groups = sorted({(row["layers"], row["text"], row["seed"]) for row in rows})
    levels = np.array([[(row["layers"], row["text"], row["seed"]) == group for group in groups] for row in rows], float)
    regressors = np.hstack([levels, np.array([traits(map_of(row, "map")) for row in rows])])
    losses = np.array([float(row["loss"]) for row in rows])
    noise = 0.01
    for _ in range(20):
        precision = regressors.T @ regressors / noise**2
        own = np.arange(len(groups), len(precision))
        precision[own, own] += 1 / TRAIT_SCALE**2
        covariance = np.linalg.inv(precision)
        mean = covariance @ regressors.T @ losses / noise**2
        freedom = len(losses) - regressors.shape[1]
        noise = float(np.sqrt(np.square(losses - regressors @ mean).sum() / freedom))
    return {
        "traits": list(TRAITS),
        "mean": mean[own].tolist(),
        "covariance": covariance[np.ix_(own, own)].tolist(),
        "noise": noise,
        "runs": len(rows),
    }


def fit_changes() -> dict[str, Any]:
    """For each kind a line, gain = a + b size, with errors s + t |size|, by weighted least squares in turns."""
    rows = rows_of("changes.csv")
    means, blocks, errors = [], [], []
    for kind in KINDS:
        mine = [row for row in rows if row["kind"] == kind]
        size = np.array([float(row["size"]) for row in mine])
        gain = np.array([float(row["gain"]) for row in mine])
        regressors = np.stack([np.ones_like(size), size], axis=1)
        spread = np.full(len(gain), gain.std())
        floor, slope = float(gain.std()), 0.0
        for _ in range(50):
            precision = regressors.T @ (regressors / spread[:, None] ** 2) + np.diag(1 / np.square(LINE_SCALES))
            covariance = np.linalg.inv(precision)
            mean = covariance @ regressors.T @ (gain / spread**2)
            # Mean absolute errors of a normal distribution are .8 standard deviations.
            error = np.abs(gain - regressors @ mean) / np.sqrt(2 / np.pi)
            rough = np.stack([np.ones_like(size), np.abs(size)], axis=1)
            floor, slope = np.linalg.lstsq(rough / spread[:, None], error / spread, rcond=None)[0]
            if slope < 0:
                floor, slope = float(error.mean()), 0.0
            floor = max(float(floor), 1e-4)
            spread = floor + slope * np.abs(size)
        means.append(mean)
        blocks.append(covariance)
        errors.append([floor, float(slope)])
    whole = np.zeros((2 * len(KINDS), 2 * len(KINDS)))
    for at, block in enumerate(blocks):
        whole[2 * at : 2 * at + 2, 2 * at : 2 * at + 2] = block
    return {
        "kinds": list(KINDS),
        "mean": np.concatenate(means).tolist(),
        "covariance": whole.tolist(),
        "errors": errors,
        "changes": len(rows),
    }


if __name__ == "__main__":
    found = {"maps": fit_maps(), "changes": fit_changes()}
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
