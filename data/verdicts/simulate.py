"""How often the lab's verdicts would be wrong: `python data/verdicts/simulate.py data/verdicts/simulations.json`.

Draws paired differences whose truth is known and puts them through the package's own rules. Seeded; takes under a
minute on one core. Differences are in units of their standard deviation unless a unit is named.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from layertie_lab.counterfactual.interim import GroupSequential, OpenEnded
from layertie_lab.counterfactual.power import chances, spread_interval
from layertie_lab.counterfactual.verdict import Hypothesis, classify, judge, outcome_of

PATHS = 20_000
SEED = 20_401
BAND = 0.003
"""Smallest difference that matters, nats."""
SHAPES: dict[str, Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]] = {
    "normal": lambda draw, size: draw.standard_normal(size),
    "skewed": lambda draw, size: (draw.gamma(2.0, size=size) - 2.0) / 2.0**0.5,
    "heavy-tailed": lambda draw, size: draw.standard_t(4, size=size) / 2.0**0.5,
}
"""Name -> draws of mean 0 and standard deviation 1: normal; gamma of shape 2 (skewness 1.4); t with 4 degrees."""


def at(draws: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means and standard deviations of the first `counts` draws of each path, (paths, counts) each."""
    means = np.stack([draws[:, :count].mean(axis=1) for count in counts], axis=1)
    spreads = np.stack([draws[:, :count].std(axis=1, ddof=1) for count in counts], axis=1)
    return means, spreads


def first_verdicts(draws: NDArray[np.float64], plan: GroupSequential | OpenEnded, band: float) -> NDArray[np.int8]:
    """(paths,) code of the first look that decides, or 0."""
    counts = np.array(plan.reached(draws.shape[1]))
    means, spreads = at(draws, counts)
    codes = classify(means, plan.margin(spreads, counts), band)
    return codes[np.arange(len(codes)), (codes != 0).argmax(axis=1)]


def ever_outside(draws: NDArray[np.float64], alpha: float, first: int) -> float:
    """Share of paths whose t interval at 1 - alpha excludes 0 after any replicate from `first` on."""
    counts = np.arange(first, draws.shape[1] + 1)
    means, spreads = at(draws, counts)
    peeking = GroupSequential((2,), (alpha,))
    return float((np.abs(means) > peeking.margin(spreads, counts)).any(axis=1).mean())


def null_paths(draw: np.random.Generator) -> dict[str, Any]:
    """Share of paths without a true difference that are ever called better or worse."""
    plan, found = GroupSequential(), {}
    for name, shape in SHAPES.items():
        draws = shape(draw, (PATHS, plan.last))
        codes = first_verdicts(draws, plan, 0.0)
        found[name] = {
            "ever_false": float((codes != 0).mean()),
            "higher": float((codes == 1).mean()),
            "lower": float((codes == -1).mean()),
            "control_peeks_from_4": ever_outside(draws, 0.05, 4),
            "control_peeks_from_2": ever_outside(draws, 0.05, 2),
            "ever_false_with_band": {
                f"{spread:g}": float(np.isin(first_verdicts(spread * draws, plan, BAND), (-1, 1)).mean())
                for spread in (0.0005, 0.002, 0.005)
            },
        }
    # What 20,000 paths leave open by +-.003.
    batches = [first_verdicts(draw.standard_normal((50_000, plan.last)), plan, 0.0) for _ in range(20)]
    found["normal"]["ever_false_of_1_000_000"] = float(np.mean([(codes != 0).mean() for codes in batches]))
    return found


def interval_coverage(draw: np.random.Generator) -> dict[str, Any]:
    """Share of 95 % t intervals that hold the truth, by R."""
    found: dict[str, Any] = {}
    for name, shape in SHAPES.items():
        draws, counts = shape(draw, (PATHS, 10)), np.arange(4, 11)
        means, spreads = at(draws, counts)
        inside = np.abs(means) <= GroupSequential((2,), (0.05,)).margin(spreads, counts)
        found[name] = {str(count): float(share) for count, share in zip(counts, inside.mean(axis=0), strict=True)}
    return found


def sequence_coverage(draw: np.random.Generator, longest: int = 256) -> dict[str, Any]:
    """Share of paths whose 95 % confidence sequence has held the truth at every replicate so far."""
    plan, found = OpenEnded(at_most=longest), {}
    counts = np.arange(2, longest + 1)
    for name, shape in SHAPES.items():
        draws = shape(draw, (PATHS, longest))
        totals, squares = draws.cumsum(axis=1)[:, 1:], np.square(draws).cumsum(axis=1)[:, 1:]
        means = totals / counts
        spreads = np.sqrt((squares - counts * means**2) / (counts - 1))
        held = np.logical_and.accumulate(np.abs(means) <= plan.margin(spreads, counts), axis=1).mean(axis=0)
        found[name] = {str(count): float(held[count - 2]) for count in (4, 8, 16, 64, longest)}
    return found


def power(draw: np.random.Generator) -> list[dict[str, Any]]:
    """The form's chances against paths it has not seen, at the true spread and from pilots of 8 replicates."""
    rows = []
    for label, plan in (("looks 4, 8, 16", GroupSequential()), ("open-ended to 64", OpenEnded())):
        for spread in (0.002, 0.005):
            for difference in (0.0, 0.001, 0.002, 0.003, 0.005, 0.008):
                row: dict[str, Any] = {"plan": label, "spread": spread, "difference": difference}
                form = chances(difference, spread, plan, BAND)
                row["form_right"], row["form_decided"] = form.right, form.decided
                for name, shape in SHAPES.items():
                    codes = first_verdicts(difference + spread * shape(draw, (PATHS, plan.last)), plan, BAND)
                    row[f"{name}_right"] = float((codes == 1).mean())
                    row[f"{name}_decided"] = float((codes != 0).mean())
                if isinstance(plan, GroupSequential):
                    pilots = spread * SHAPES["normal"](draw, (100, 8)).std(axis=1, ddof=1)
                    guesses = np.array([_guesses(difference, float(pilot), plan) for pilot in pilots])
                    truth = row["normal_decided"]
                    row["pilots_of_8_within_10_points"] = float((np.abs(guesses[:, 0] - truth) <= 0.1).mean())
                    inside = (guesses.min(axis=1) - 0.01 <= truth) & (truth <= guesses.max(axis=1) + 0.01)
                    row["pilots_of_8_range_holds_it"] = float(inside.mean())
                rows.append(row)
    return rows


def _guesses(difference: float, pilot: float, plan: GroupSequential) -> list[float]:
    """Chance of a verdict at a pilot's spread and at the ends of its interval, 8 replicates."""
    ends = spread_interval(pilot, 8)
    return [chances(difference, float(end), plan, BAND).decided for end in (ends.value, ends.low, ends.high)]


def spread_coverage(draw: np.random.Generator) -> dict[str, dict[str, float]]:
    """Share of 95 % intervals of the spread that hold the truth, by the pilot's size."""
    found: dict[str, dict[str, float]] = {}
    for name, shape in SHAPES.items():
        found[name] = {}
        for count in (4, 8):
            spreads = shape(draw, (PATHS, count)).std(axis=1, ddof=1)
            unit = spread_interval(1.0, count)
            found[name][str(count)] = float(((spreads * unit.low <= 1) & (spreads * unit.high >= 1)).mean())
    return found


def one_by_one(draw: np.random.Generator, paths: int = 1_000) -> dict[str, Any]:
    """Share of paths where `judge`, called as the lab calls it, says what the vectorised rule says."""
    draws = draw.choice([0.0, 0.002, 0.004], size=(paths, 1)) + 0.003 * draw.standard_normal((paths, 16))
    stated = Hypothesis("simulated", horizon=100)
    codes = first_verdicts(draws, GroupSequential(), BAND)
    agree = [judge(row, stated).outcome == outcome_of(int(code), True) for row, code in zip(draws, codes, strict=True)]
    return {"paths": paths, "agree": float(np.mean(agree))}


def main(path: Path) -> None:
    """Run all and write the figures."""
    start = time.perf_counter()
    parts: dict[str, Callable[[np.random.Generator], Any]] = {
        "null_paths": null_paths,
        "interval_coverage": interval_coverage,
        "sequence_coverage": sequence_coverage,
        "power": power,
        "spread_coverage": spread_coverage,
        "judge_against_vectorised": one_by_one,
    }
    found: dict[str, Any] = {
        "paths": PATHS,
        "seed": SEED,
        "band_nats": BAND,
        "looks": GroupSequential().replicates,
        "alphas": GroupSequential().alphas,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
    for part, (name, run) in enumerate(parts.items()):
        print(f"{time.perf_counter() - start:5.1f} s  {name}", flush=True)
        found[name] = run(np.random.default_rng([SEED, part]))
    normal = found["null_paths"]["normal"]
    rows = found["power"]
    found["targets"] = {
        "ever false at most .055": normal["ever_false"] <= 0.055,
        "control that peeks exceeds .12": normal["control_peeks_from_4"] > 0.12,
        "interval covers .94 to .96 at R = 4 to 10": all(
            0.94 <= share <= 0.96 for share in found["interval_coverage"]["normal"].values()
        ),
        "sequence covers at least .95": min(found["sequence_coverage"]["normal"].values()) >= 0.95,
        "form within 10 points": all(abs(row["form_decided"] - row["normal_decided"]) <= 0.1 for row in rows)
        and all(abs(row["form_right"] - row["normal_right"]) <= 0.1 for row in rows if row["difference"]),
        "judge agrees with the vectorised rule": found["judge_against_vectorised"]["agree"] == 1.0,
    }
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{time.perf_counter() - start:5.1f} s  {path}: {json.dumps(found['targets'], indent=1)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
