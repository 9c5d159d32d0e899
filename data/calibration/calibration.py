"""Do the lab agent's forecasts come true? `python data/calibration/calibration.py TEXT SEED ... >> FILE.csv` tries it.

In runs of the lab agent (12 x 64, four owners), right after it measured and some decisions later, actions are drawn
at random and tried on forks: one takes the action, one keeps the tie, both go on for 50 steps on the same batches. A
row per action: the forecast and its standard deviation, and by how much the loss on all validation windows fell by the
action (the mean of the differences after 46 and 50 steps). `python data/calibration/calibration.py FILE.csv` sums up.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

from layertie_lab import RunConfig, Session
from layertie_lab.agent.bandit.evidence import kind_of
from layertie_lab.agent.bandit.forecast import HORIZON
from layertie_lab.agent.policies.evidence import EvidenceAgent
from layertie_lab.core.ties import TieMap

MOMENTS = (10, 14, 20, 40, 60, 80, 120)
TRIED = 4
MARKS = (HORIZON - 4, HORIZON)
COLUMNS = ("text", "seed", "decision", "layer", "action", "kind", "forecast", "deviation", "gain")
LEVEL = 0.8


def trained(session: Session, action: int | None, layer: int) -> list[float]:
    """Losses at the marks of a fork that takes an action for a layer; None keeps the tie."""
    fork = session.fork()
    parts = fork.components
    if action is not None:
        parts.optimizer.apply(parts.model.stack.retie(layer, action))
    losses = []
    for step in range(HORIZON):
        parts.trainer.step(parts.training_batches(fork.step + step), fork.step + step)
        if step + 1 in MARKS:
            losses.append(fork.evaluate("validation", 512).loss)
    return losses


def changes(ties: TieMap, layer: int) -> list[int]:
    """The actions for a layer after which it uses another block, one of each block."""
    found = {ties.owners[action]: action for action in range(layer) if ties.owners[action] != ties.owners[layer]}
    return [*found.values(), *([layer] if ties[layer] != layer else [])]


def tried(text: str, seed: int) -> None:
    """Print the rows of one run."""
    write = csv.writer(sys.stdout, lineterminator="\n")
    config = RunConfig.preset("laptop", corpus=text, seed=seed, owners=4, threads=1, evaluate_every=0, sample_every=0)
    session, draws = Session(config), np.random.default_rng(seed)
    for moment in MOMENTS:
        session.run(moment - session.decision)
        policy = session.components.policy
        assert isinstance(policy, EvidenceAgent)
        for _ in range(TRIED):
            state = session.evaluator.agent_state()
            layer = int(draws.integers(1, config.model.layers))
            asked = replace(state, layer=layer)
            found = policy.forecasts(asked)
            assert found is not None
            action = int(draws.choice(changes(session.ties, layer)))
            kept, moved = trained(session, None, layer), trained(session, action, layer)
            gain = float(np.mean(kept) - np.mean(moved))
            kind = kind_of(asked.present, layer, action)
            numbers = (f"{number:.6f}" for number in (found[0][action], found[1][action], gain))
            write.writerow((text, seed, moment, layer, action, kind, *numbers))
            sys.stdout.flush()


def summed_up(path: Path) -> None:
    """Slope of what came on what was forecast, and how often it came within the interval."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file, COLUMNS) if row["text"] != "text"]
    columns = ("forecast", "deviation", "gain")
    forecast, deviation, gain = (np.array([float(row[name]) for row in rows]) for name in columns)
    runs = np.array([f"{row['text']}/{row['seed']}" for row in rows])
    inside = np.abs(gain - forecast) <= stats.norm.ppf((1 + LEVEL) / 2) * deviation
    names = np.unique(runs)
    draws = np.random.default_rng(0)
    slopes, shares = [], []
    for _ in range(4000):
        picked = np.concatenate([np.flatnonzero(runs == name) for name in draws.choice(names, len(names))])
        slopes.append(np.polyfit(forecast[picked], gain[picked], 1)[0])
        shares.append(inside[picked].mean())
    slope = np.polyfit(forecast, gain, 1)[0]
    print(f"{len(rows)} actions in {len(names)} runs")
    print(f"slope {slope:.2f} [{np.quantile(slopes, 0.025):.2f}, {np.quantile(slopes, 0.975):.2f}]")
    low, high = np.quantile(shares, [0.025, 0.975])
    print(f"within the {LEVEL:.0%} interval: {inside.mean():.2f} [{low:.2f}, {high:.2f}]")
    for kind in ("tie", "re-tie", "untie"):
        mine = np.array([row["kind"] == kind for row in rows])
        if mine.any():
            means = f"forecast {forecast[mine].mean():+.4f}, came {gain[mine].mean():+.4f}"
            print(f"{kind}: {mine.sum()} actions, {means}, within {inside[mine].mean():.2f}")


if __name__ == "__main__":
    if sys.argv[1].endswith(".csv"):
        summed_up(Path(sys.argv[1]))
    else:
        for seed in sys.argv[2:]:
            tried(sys.argv[1], int(seed))
