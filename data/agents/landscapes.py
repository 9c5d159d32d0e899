"""How surely agents learn landscapes whose best map is known: `python data/agents/landscapes.py RESULTS.csv`.

Each agent is trained for the given number of decisions and then walks greedily from everything tied and from every
layer on its own; its score is the worse end as a share of the best map's worth (`synthetic.trials`). Rows are
appended as they come, and those that are there already are not done again.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from layertie_lab.agent.synthetic.trials import try_agent
from layertie_lab.core.config import RunConfig

DECISIONS = {
    6: {"A": 300, "B": 800, "C": 800, "V": 800},
    12: {"A": 600, "B": 2_500, "C": 2_500, "V": 2_500},
    48: {"A": 6_000, "B": 12_000, "C": 20_000, "V": 20_000},
}
SEEDS = {6: range(20), 12: range(20), 48: range(20)}
"""0 to 9, on which the agents were made, and ten that were not used for it."""
COLUMNS = ("layers", "landscape", "decisions", "policy", "seed", "score", "from_tied", "from_independent", "cpu_ms")


def main(path: Path) -> None:
    """Run what is missing in a table of results."""
    done = set()
    if path.exists():
        with path.open(newline="") as file:
            done = {(row["layers"], row["landscape"], row["policy"], row["seed"]) for row in csv.DictReader(file)}
    with path.open("a", newline="") as file:
        write = csv.writer(file, lineterminator="\n")
        if not done:
            write.writerow(COLUMNS)
        for layers, landscapes in DECISIONS.items():
            for policy in ("lab", "random", "official-code"):
                for landscape, decisions in landscapes.items():
                    for seed in SEEDS[layers]:
                        if (str(layers), landscape, policy, str(seed)) in done:
                            continue
                        algorithm = "official-code" if policy == "official-code" else "lab"
                        config = RunConfig.preset("laptop", algorithm=algorithm, layers=layers, policy=policy)
                        trial = try_agent(config, landscape, decisions, seed)
                        worths = [f"{value:.4f}" for value in (trial.score, trial.from_tied, trial.from_independent)]
                        write.writerow(
                            [layers, landscape, decisions, policy, seed, *worths, f"{trial.milliseconds:.3f}"]
                        )
                        file.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
