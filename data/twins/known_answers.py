"""Cases whose answer was known before: `python data/twins/known_answers.py RESULTS.json [NAME ...]`.

A tie that hurts, noise that does not matter, and what untying a middle layer of an all-tied model does over the
horizon under several settings. Cases that are in the file already are not done again.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from layertie_lab import RunConfig, Session
from layertie_lab.analysis.statistics.intervals import mean_interval
from layertie_lab.counterfactual.branch import Branch
from layertie_lab.counterfactual.interim import GroupSequential
from layertie_lab.counterfactual.pair import train_pair
from layertie_lab.counterfactual.spec import LEAST_WINDOWS, TwinPlan
from layertie_lab.counterfactual.verdict import Hypothesis, judge

MARKS = (1, 2, 4, 8, 12, 20)
FIRST = 1_001
"""Number of the first replicate: other keys than those that the settings were looked for with (1 to 8)."""
UNTIE: dict[str, Any] = {
    "policy": "all-tied", "decisions": 52, "replicates": 16, "horizon": 50, "curve_windows": 192,
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "tie layer 3 to 2, independent, step 1508": {
        "policy": "independent", "decisions": 377, "answer": 2, "replicates": 8, "horizon": 20,
    },
    "weight noise of 1e-6": {"policy": "lab", "decisions": 102, "noise": 1e-6, "replicates": 8, "horizon": 20},
    "untie layer 3, all-tied, step 208, moments reset": UNTIE | {"moments": "reset"},
    "untie layer 3, all-tied, step 208": UNTIE,
    "untie layer 3, all-tied, step 108, optimizer rebuilt": UNTIE | {"moments": "rebuild", "decisions": 27},
}  # fmt: skip


def measure(
    *,
    policy: str,
    decisions: int,
    replicates: int,
    horizon: int,
    answer: int | None = None,
    noise: float = 0.0,
    curve_windows: int = LEAST_WINDOWS,
    **settings: Any,
) -> dict[str, Any]:
    """One case: differences over the horizon, nats per token, and the verdict at its end by the default plan.

    Args:
        policy: Who answered before the fork.
        decisions: How many, before it.
        replicates: R.
        horizon: Optimizer steps after the fork.
        answer: The other answer; None = the layer on its own.
        curve_windows: Validation windows at the marks before the horizon.
        noise: In place of another answer: standard deviation of normal noise on every weight of the second branch.
        **settings: Further settings of the run.
    """
    # The lab agent as it was then, and its optimizer state after a re-tie.
    was = {"learner": "linear", "moments": "clone", "splits": "bytes"}
    shape = {"layers": 6, "policy": policy, "decisions": 400, "evaluate_every": 0, "sample_every": 0}
    config = RunConfig.preset("laptop", **was | shape | settings)
    start, moment = time.perf_counter(), Session(config)
    moment.run(decisions)
    proposal = moment.propose()
    other = proposal.layer if answer is None else answer
    plan = TwinPlan(
        horizon=horizon,
        after="hold",
        marks=tuple(mark for mark in MARKS if mark < horizon),
    )
    rows = []
    for replicate in range(FIRST, FIRST + replicates):
        if noise:
            rows.append(noisy(moment, plan, replicate, noise))
        else:
            pair = train_pair(moment, other, plan, replicate, curve_windows=curve_windows)
            rows.append((*pair.differences[:-1], pair.difference()))
    found = np.array(rows)  # [replicates, marks]
    curve = []
    for mark, column in zip(plan.evaluated_at, found.T, strict=True):
        if np.ptp(column) > 0:
            mean = mean_interval(column)
            ends = {"low": float(mean.low), "high": float(mean.high), "spread": float(column.std(ddof=1))}
        else:
            ends = {"low": None, "high": None, "spread": 0.0}
        curve.append({"steps": mark, "value": float(column.mean()), **ends})
    asked = Hypothesis(
        "",
        horizon=horizon,
        primary=False,
        afterwards="the tie map is held",
        plan=GroupSequential((replicates,), (0.05,)),
        steps_per_decision=config.training.steps_per_decision,
    )
    verdict = judge(found[:, -1], asked)
    return {
        "config_hash": config.hash,
        "settings": settings | {"policy": policy},
        "step": moment.step,
        "ties": list(moment.ties),
        "layer": proposal.layer,
        "proposed": proposal.choice,
        "answered": None if noise else other,
        "noise": noise,
        "after": plan.after,
        "replicates": replicates,
        "first_replicate": FIRST,
        "windows": plan.windows,
        "curve_windows": curve_windows,
        "seconds": round(time.perf_counter() - start),
        "outcome": verdict.outcome,
        "curve": curve,
        "differences": np.round(found, 8).tolist(),
    }


def noisy(moment: Session, plan: TwinPlan, replicate: int, noise: float) -> tuple[float, ...]:
    """Loss with noise on the weights minus loss without, at each mark; both answer as proposed, on the same numbers."""
    windows = moment.evaluator.windows(plan.split, plan.windows)
    curves = []
    for deviation in (0.0, noise):
        branch = Branch(moment, moment.propose().choice, plan, replicate)
        draw = torch.Generator().manual_seed(replicate)
        with torch.no_grad():
            for parameter in branch.session.model.parameters():
                parameter += deviation * torch.randn(parameter.shape, generator=draw)
        curve = [float(branch.losses(windows).mean())]
        while branch.steps < plan.horizon:
            branch.advance()
            if branch.steps in plan.evaluated_at:
                curve.append(float(branch.losses(windows).mean()))
        curves.append(curve)
    return tuple(b - a for a, b in zip(*curves, strict=True))


def main(path: Path, names: Sequence[str]) -> None:
    """Run what is missing in a file of results."""
    torch.set_num_threads(1)
    found = json.loads(path.read_text()) if path.exists() else {"cases": {}}
    for name in names or CASES:
        if name not in found["cases"]:
            found |= {"python": platform.python_version(), "torch": torch.__version__, "threads": 1}
            found["cases"][name] = measure(**CASES[name])
            path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(name, json.dumps(found["cases"][name]["curve"]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
