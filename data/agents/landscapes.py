"""How surely agents learn landscapes whose best map is known: `python data/agents/landscapes.py RESULTS.csv`.

Each agent is trained for the given number of decisions and then walks greedily from everything tied and from every
layer on its own; its score is the worse end as a share of the best map's worth (`synthetic.trials`). Rows are
appended as they come, and those that are there already are not done again.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from layertie_lab.agent.synthetic.landscapes import LANDSCAPES
from layertie_lab.agent.synthetic.trials import try_agent
from layertie_lab.core.config import RunConfig

LONG = {
    6: {"A": 300, "B": 800, "C": 800, "V": 800},
    12: {"A": 600, "B": 2_500, "C": 2_500, "V": 2_500},
    48: {"A": 6_000, "B": 12_000, "C": 20_000, "V": 20_000},
}
"""Decisions that are enough for the first lab agent, by depth and landscape."""
SHORT = 200
"""Decisions of a run by default."""
SHORT_LAYERS = (12, 6)
LEARNERS = ("lab", "lab-1", "random", "official-code")
SEARCHES = ("annealing", "hill-climbing", "ucb")
SEEDS = range(20)
"""0 to 9, on which the first lab agent was made, and ten that were not used for it; the present one was made on seeds
from 100 on."""
FEW = 3
"""Seeds of the present lab agent at 48 layers, where a trial takes minutes."""
COLUMNS = ("layers", "landscape", "decisions", "policy", "seed", "score", "from_tied", "from_independent", "cpu_ms")

Case = tuple[int, str, int, str]


def cases() -> Iterator[Case]:
    """Layers, landscape, decisions and policy of what is tried with every seed, in the order in which it is done."""
    for layers, landscapes in LONG.items():
        for policy in LEARNERS:
            for landscape, decisions in landscapes.items():
                yield layers, landscape, decisions, policy
    for layers in SHORT_LAYERS:
        for policy in (*LEARNERS, *SEARCHES):
            for landscape in LANDSCAPES:
                yield layers, landscape, SHORT, policy
    for layers in SHORT_LAYERS:
        for policy in SEARCHES:
            for landscape, decisions in LONG[layers].items():
                yield layers, landscape, decisions, policy


def main(path: Path) -> None:
    """Run what is missing in a table of results."""
    done = set()
    if path.exists():
        with path.open(newline="") as file:
            done = {tuple(row[column] for column in COLUMNS[:5]) for row in csv.DictReader(file)}
    with path.open("a", newline="") as file:
        write = csv.writer(file, lineterminator="\n")
        if not done:
            write.writerow(COLUMNS)
        for layers, landscape, decisions, policy in cases():
            algorithm = "official-code" if policy == "official-code" else "lab"
            config = RunConfig.preset("laptop", algorithm=algorithm, layers=layers, policy=policy)
            for seed in SEEDS[:FEW] if (layers, policy) == (48, "lab") else SEEDS:
                case = (layers, landscape, decisions, policy, seed)
                if tuple(map(str, case)) in done:
                    continue
                trial = try_agent(config, landscape, decisions, seed)
                worths = [f"{value:.4f}" for value in (trial.score, trial.from_tied, trial.from_independent)]
                write.writerow([*case, *worths, f"{trial.milliseconds:.3f}"])
                file.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
