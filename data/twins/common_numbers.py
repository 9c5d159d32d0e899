"""What common random numbers are worth, and two known answers: `python data/twins/common_numbers.py RESULTS.json`.

For each fork case, R pairs of branches; the variance of an unpaired comparison with as many replicates (the sum of both
branches' variances over replicates) over that of the paired one (the variance of the differences). Cases that are in
the file already are not done again.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

from layertie_lab import RunConfig, Session
from layertie_lab.counterfactual.pair import train_pair
from layertie_lab.counterfactual.spec import LEAST_WINDOWS, TwinPlan

REPLICATES = 8
MARKS = (4, 12, 20)
HORIZON = 50
CASES: dict[str, dict[str, Any]] = {
    "all-tied, step 108: untie layer 3": {"policy": "all-tied", "decisions": 27, "answer": 3},
    "all-tied, step 116: untie layer 5": {"policy": "all-tied", "decisions": 29, "answer": 5},
    "all-tied, step 408: untie layer 3": {"policy": "all-tied", "decisions": 102, "answer": 3},
    "independent, step 408: tie layer 3 to 2": {"policy": "independent", "decisions": 102, "answer": 2},
    "independent, step 1508: tie layer 3 to 2": {"policy": "independent", "decisions": 377, "answer": 2},
    "random map, step 408: layer 3 on its own or to 0": {"policy": "random", "decisions": 102, "answer": None},
    "lab, step 408, dropout .1, agent goes on, layer locked": {
        "policy": "lab", "decisions": 102, "answer": None, "dropout": 0.1, "after": "continue-locked",
    },
}  # fmt: skip


ALL: dict[str, Any] = {"also": ("averaged",), "curve_windows": LEAST_WINDOWS}


def measure(case: dict[str, Any]) -> dict[str, Any]:
    """One case's pairs."""
    config = RunConfig.preset(
        "laptop",
        learner="linear",  # the lab agent as it was then, and its optimizer state after a re-tie
        moments="clone",
        splits="bytes",
        layers=6,
        policy=case["policy"],
        decisions=400,
        dropout=case.get("dropout", 0.0),
        evaluate_every=0,
        sample_every=0,
    )
    moment = Session(config)
    moment.run(case["decisions"])
    proposal = moment.propose()
    answer = case["answer"]
    if answer is None:
        answer = proposal.layer if proposal.choice != proposal.layer else 0
    plan = TwinPlan(horizon=HORIZON, after=case.get("after", "hold"), marks=MARKS)
    start = time.perf_counter()
    pairs = [train_pair(moment, answer, plan, replicate, **ALL) for replicate in range(1, REPLICATES + 1)]
    spent = time.perf_counter() - start
    marks = []
    for number, mark in enumerate(plan.evaluated_at):
        differences = [pair.differences[number] for pair in pairs]
        apart = sum(
            statistics.variance([getattr(pair, side).losses[number] for pair in pairs])
            for side in ("proposed", "answered")
        )
        paired = statistics.variance(differences)
        marks.append(
            {
                "horizon": mark,
                "mean_difference": statistics.mean(differences),
                "paired_sd": paired**0.5,
                "unpaired_sd": apart**0.5,
                "variance_ratio": apart / paired if paired else None,
                "evaluation_error": statistics.mean(pair.errors[number] for pair in pairs),
                "differences": differences,
            }
        )
    averaged = [pair.difference("averaged") for pair in pairs]
    return {
        "config_hash": config.hash,
        "layer": proposal.layer,
        "proposed": proposal.choice,
        "answered": answer,
        "ties": list(moment.ties),
        "step": moment.step,
        "after": plan.after,
        "replicates": REPLICATES,
        "windows": pairs[0].windows,
        "threads": pairs[0].threads,
        "seconds": round(spent, 1),
        "marks": marks,
        "averaged": {
            "decay": plan.decay,
            "mean_difference": statistics.mean(averaged),
            "paired_sd": statistics.stdev(averaged),
        },
    }


def main(path: Path) -> None:
    """Run what is missing in a file of results."""
    torch.set_num_threads(1)
    found = json.loads(path.read_text()) if path.exists() else {"cases": {}}
    for name, case in CASES.items():
        if name not in found["cases"]:
            found["cases"][name] = measure(case)
            ratios = [entry["marks"][-1]["variance_ratio"] for entry in found["cases"].values()]
            found["median_variance_ratio_at_the_horizon"] = statistics.median(ratios)
            path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
