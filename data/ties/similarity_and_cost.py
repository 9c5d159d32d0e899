"""Would similarity have told us what to tie? Rank correlations with what each tie costs, of runs that tied nothing.

Usage: python data/ties/similarity_and_cost.py OUTPUT.json RUN...
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import torch

import layertie_lab
from layertie_lab.inspection.answer import answer
from layertie_lab.inspection.moment import Inspection
from layertie_lab.inspection.question import Question

SEQUENCES = 16


def main(output: str, *runs: str) -> None:
    """Look at the latest state of each run and write what is found."""
    found = []
    for run in runs:
        inspection = Inspection.of(run)
        looked = answer(Question(run, "costs", inspection.decision, sequences=SEQUENCES), inspection)
        config = inspection.config
        found.append(
            {
                "run": Path(run).name,
                "config_hash": config.hash,
                "policy": config.agent.policy,
                "seed": config.seed,
                "corpus": config.text.corpus,
                "steps": inspection.step,
                "probe": looked["facts"]["probe"],
                "correlations": looked["frames"]["correlations"],
            }
        )
        for row in looked["frames"]["correlations"]:
            if row["measure"] == "spearman":
                print(Path(run).name, row["method"], f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]")
    versions = {
        "layertie_lab": layertie_lab.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    Path(output).write_text(json.dumps({"versions": versions, "runs": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
