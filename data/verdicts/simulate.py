"""How often the lab's verdicts would be wrong: `python data/verdicts/simulate.py data/verdicts/simulations.json`.

Draws paired differences whose truth is known and puts them through the package's own rules. Seeded; takes two
minutes of one core, most of them for extensions. Differences are in units of their standard deviation unless a unit is
named.

A verdict is about the median. It is false where an interval, at any analysis that is reached, leaves the median out:
that is what calls better or worse where nothing is, and nothing where a difference is. So coverage, of all intervals
of a path together, is 1 minus the share of false ones.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from layertie_lab.counterfactual.extension import EARLY, LONGEST_OPEN, LONGEST_PLANNED, MOST, extended
from layertie_lab.counterfactual.interim import GroupSequential, OpenEnded, Plan, plan_at
from layertie_lab.counterfactual.looking import look
from layertie_lab.counterfactual.power import chances, spread_interval
from layertie_lab.counterfactual.verdict import Hypothesis, correct, judge, outcome_of

PATHS = 50_000
OPEN_PATHS = 10_000
LATE = (16, 24, 32, 64)
"""Replicates of plans that begin too late to be extended."""
LATE_PATHS = 20_000
SEED = 20_401
BAND = 0.003
"""Smallest difference that matters, nats."""
PLANS: dict[str, tuple[Plan, Plan]] = {
    "4, 8, 16": (GroupSequential(), GroupSequential(alphas=(0.01, 0.015, 0.03), rule="t")),
    "open-ended to 64": (OpenEnded(), OpenEnded(0.05, rule="t")),
}
"""Name -> the plan of today, and the one before: Student's t alone."""
EFFECTS = {
    "4, 8, 16": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0),
    "open-ended to 64": (0.2, 0.3, 0.4, 0.5, 0.7),
}
BANDS = {"4, 8, 16": (0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0), "open-ended to 64": (0.4, 0.5, 0.6, 0.8, 1.2)}
"""Half of the equivalence band, in standard deviations."""
Draws = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Draws]


class Shape(NamedTuple):
    """A distribution of mean 0 and standard deviation 1.

    Args:
        draw: Draws from it.
        median: Its median.
    """

    draw: Draw
    median: float = 0.0


def lognormal(sigma: float) -> Shape:
    """exp(sigma z), standardised."""
    mean = np.exp(sigma**2 / 2)
    spread = mean * np.sqrt(np.exp(sigma**2) - 1)
    return Shape(
        lambda draw, size: (np.exp(sigma * draw.standard_normal(size)) - mean) / spread, float((1 - mean) / spread)
    )


def mixture(share: float, away: float, width: float = 1.0) -> Shape:
    """A normal distribution, and with probability `share` another one, `away` from it and `width` times as wide."""
    mean = share * away
    spread = np.sqrt((1 - share) + share * (width**2 + away**2) - mean**2)

    def standardised(draw: np.random.Generator, size: tuple[int, int]) -> Draws:
        other = draw.random(size) < share
        return (draw.standard_normal(size) * np.where(other, width, 1.0) + np.where(other, away, 0.0) - mean) / spread

    inside = np.linspace(-3, 3, 60_001)
    below = (1 - share) * scipy.stats.norm.cdf(inside) + share * scipy.stats.norm.cdf((inside - away) / width)
    return Shape(standardised, float((np.interp(0.5, below, inside) - mean) / spread))


SHAPES: dict[str, Shape] = {
    "normal": Shape(lambda draw, size: draw.standard_normal(size)),
    "t3": Shape(lambda draw, size: draw.standard_t(3, size=size) / 3**0.5),
    "lognormal, sigma 1/2": lognormal(0.5),
    "lognormal, sigma 1": lognormal(1.0),
    "gamma, shape 2": Shape(lambda draw, size: (draw.gamma(2.0, size=size) - 2) / 2**0.5, (1.678347 - 2) / 2**0.5),
    "exponential": Shape(lambda draw, size: draw.exponential(size=size) - 1, float(np.log(2) - 1)),
    "mixture, 10 % 5 times as wide": mixture(0.1, 0.0, 5.0),
    "mixture, halves 4 apart": mixture(0.5, 4.0),
    "mixture, 20 % 3 away": mixture(0.2, 3.0),
    "mixture, 10 % 5 away": mixture(0.1, 5.0),
    "mixture, 5 % 10 away": mixture(0.05, 10.0),
}
SYMMETRIC = ("normal", "t3", "mixture, 10 % 5 times as wide")
"""Where Student's t was valid, for the mean is the median there (and halves 4 apart are too few at R = 4)."""


class Followed(NamedTuple):
    """Ends of the intervals at all analyses of many paths, (paths, analyses) each, and which rule each went by."""

    low: Draws
    high: Draws
    by_t: NDArray[np.bool_]
    counts: NDArray[np.int64]

    def missed(self, truth: float, where: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """(paths,) whether an interval ever leaves the truth out."""
        out = (self.low > truth) | (self.high < truth)
        return (out if where is None else out & where).any(axis=1)

    def ends(self, shift: float, band: float) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """(paths,) code of the first analysis that decides, or 0, and replicates at the end."""
        low, high = self.low + shift, self.high + shift
        codes = np.where((low > -band) & (high < band), 2, (low > 0).astype(int) - (high < 0))
        first = np.where((codes != 0).any(axis=1), (codes != 0).argmax(axis=1), len(self.counts) - 1)
        return codes[np.arange(len(codes)), first].astype(np.int8), self.counts[first]


def followed(draws: Draws, plan: Plan) -> Followed:
    """All analyses of all paths."""
    counts = plan.reached(draws.shape[1])
    seen = [look(draws[:, :count], plan, 0.0) for count in counts]
    low, high, by_t = (np.stack([getattr(found, name) for found in seen], axis=1) for name in ("low", "high", "by_t"))
    return Followed(low, high, by_t, np.array(counts))


def _paths_of(name: str) -> int:
    return PATHS if name == "4, 8, 16" else OPEN_PATHS


def levels(draw: np.random.Generator) -> dict[str, Any]:
    """False verdicts and coverage by plan and shape."""
    found: dict[str, Any] = {}
    for name, (new, old) in PLANS.items():
        found[name] = {}
        for label, shape in SHAPES.items():
            draws = shape.draw(draw, (_paths_of(name), new.last))
            path, before = followed(draws, new), followed(draws, old)
            wrong = path.missed(shape.median)
            found[name][label] = {
                "false": float(wrong.mean()),
                "coverage": float(1 - wrong.mean()),
                "by_t": float(path.missed(shape.median, path.by_t).mean()),
                "by_sign": float(path.missed(shape.median, ~path.by_t).mean()),
                "looks_normal": [float(share) for share in path.by_t.mean(axis=0)[-1:]],
                "t_alone_about_the_mean": float(before.missed(0.0).mean()),
                "median": shape.median,
                "read_as_of_the_mean_where_by_t": float(path.missed(0.0, path.by_t).mean()),
                "read_as_of_the_mean_everywhere": float(path.missed(0.0).mean()),
                # At the band's edge a claim of equivalence is false: a median of +-band, spreads in units of the band.
                "false_equivalence": {
                    f"{spread:g}": max(
                        float((path.ends(edge / spread - shape.median, 1 / spread)[0] == 2).mean()) for edge in (-1, 1)
                    )
                    for spread in (0.1, 0.3, 1.0)
                },
            }
    return found


def power(draw: np.random.Generator) -> dict[str, Any]:
    """Chances of a right verdict, of today's rule and of Student's t alone, on the same paths."""
    found: dict[str, Any] = {}
    for name, (new, old) in PLANS.items():
        found[name] = {}
        for label in SYMMETRIC:
            draws = SHAPES[label].draw(draw, (_paths_of(name), new.last))
            path, before = followed(draws, new), followed(draws, old)
            rows = []
            for effect in EFFECTS[name]:
                now, then = path.ends(effect, 0.0), before.ends(effect, 0.0)
                rows.append(_row({"difference": effect, "band": 0.0}, now, then, 1))
            for band in BANDS[name]:
                now, then = path.ends(0.0, band), before.ends(0.0, band)
                rows.append(_row({"difference": 0.0, "band": band}, now, then, 2))
            found[name][label] = rows
    return found


def _row(about: dict[str, float], now: Any, then: Any, right: int) -> dict[str, float]:
    power_now, power_then = float((now[0] == right).mean()), float((then[0] == right).mean())
    return about | {
        "power": power_now,
        "t_alone": power_then,
        "lost": power_then - power_now,
        "replicates": float(now[1].mean()),
        "t_alone_replicates": float(then[1].mean()),
    }


def of_the_mean(draw: np.random.Generator) -> dict[str, Any]:
    """Why no rule can be about the mean: what is normal but for a rare large difference, while that has not come.

    On those paths the differences are normal, around a value that is not their mean, and any rule that calls as many
    of them as Student's t does, less 5 points, is false at least so often.
    """
    found = {}
    for label, share, away in (("mixture, 10 % 5 away", 0.1, 5.0), ("mixture, 5 % 10 away", 0.05, 10.0)):
        old = PLANS["4, 8, 16"][1]
        path = followed(draw.standard_normal((PATHS, 16)), old)
        called = float((path.ends(-share * away, 0.0)[0] != 0).mean())
        found[label] = {
            "without_a_rare_one": (1 - share) ** 16,
            "called_by_t": called,
            "false_at_least": (1 - share) ** 16 * (called - 0.05),
        }
    return found


def families(draw: np.random.Generator, runs: int = 600) -> dict[str, Any]:
    """Share of runs with three hypotheses, all null, where any is called, by `judge` and `correct`."""
    found: dict[str, Any] = {}
    stated = Hypothesis("simulated", horizon=100, smallest_difference=0.0)
    for label in ("normal", "lognormal, sigma 1"):
        shape = SHAPES[label]
        draws = shape.draw(draw, (3 * runs, 16)).reshape(runs, 3, 16) - shape.median
        verdicts = [[judge(row, stated) for row in three] for three in draws]
        alone = np.mean([any(verdict.decided for verdict in three) for three in verdicts])
        together = np.mean([any(verdict.decided for verdict in correct(three)) for three in verdicts])
        found[label] = {"runs": runs, "any_uncorrected": float(alone), "any_corrected": float(together)}
    return found


def peeking(draw: np.random.Generator) -> dict[str, float]:
    """Share of null paths called by whoever looks at a 95 % t interval after every replicate from 4 to 16."""
    plan = GroupSequential(tuple(range(4, 17)), (0.0384,) * 13, rule="t")
    alone = GroupSequential((16,), (0.05,), rule="t")
    found = {}
    for label in ("normal", "lognormal, sigma 1", "t3"):
        draws = SHAPES[label].draw(draw, (PATHS, 16))
        missed = np.zeros(PATHS, dtype=bool)
        for count in plan.replicates:
            part = draws[:, :count]
            half = alone.margin(part.std(axis=1, ddof=1), count)
            missed |= np.abs(part.mean(axis=1)) > half
        found[label] = float(missed.mean())
    return found


def forecasts(draw: np.random.Generator) -> list[dict[str, Any]]:
    """The form's chances against paths it has not seen, at the true spread and from pilots of 8 replicates."""
    rows = []
    for name, (plan, _) in PLANS.items():
        paths = {
            label: followed(SHAPES[label].draw(draw, (OPEN_PATHS, plan.last)), plan)
            for label in ("normal", "lognormal, sigma 1/2", "t3")
        }
        for spread in (0.002, 0.005):
            for difference in (0.0, 0.001, 0.002, 0.003, 0.005, 0.008):
                row: dict[str, Any] = {"plan": name, "spread": spread, "difference": difference}
                form = chances(difference, spread, plan, BAND)
                row["form_right"], row["form_decided"] = form.right, form.decided
                for label, path in paths.items():
                    # Intervals move and stretch with the differences.
                    codes = path.ends(difference / spread - SHAPES[label].median, BAND / spread)[0]
                    row[f"{label}_right"] = float((codes == 1).mean())
                    row[f"{label}_decided"] = float((codes != 0).mean())
                if isinstance(plan, GroupSequential):
                    pilots = spread * draw.standard_normal((100, 8)).std(axis=1, ddof=1)
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
    for label in ("normal", "lognormal, sigma 1/2", "t3"):
        found[label] = {}
        for count in (4, 8):
            spreads = SHAPES[label].draw(draw, (PATHS, count)).std(axis=1, ddof=1)
            unit = spread_interval(1.0, count)
            found[label][str(count)] = float(((spreads * unit.low <= 1) & (spreads * unit.high >= 1)).mean())
    return found


def extensions(draw: np.random.Generator) -> dict[str, Any]:
    """False verdicts of plans that are extended whenever they can be, and of extensions that are refused.

    A plan is refused one more analysis if it begins late (`LONGEST_PLANNED`): what that analysis would add is simulated
    for plans of one analysis, which spend .036 at it, and at twice as many replicates .0085 or .0005 more.
    """
    granted: dict[str, Any] = {}
    for plan in (plan_at((4,)), plan_at((8,)), plan_at((4, 8)), plan_at((12,)), OpenEnded()):
        longest, paths = _to_its_end(plan), OPEN_PATHS if isinstance(plan, OpenEnded) else PATHS
        granted[f"{_named(plan)} to {longest.last}"] = {
            label: float(followed(shape.draw(draw, (paths, longest.last)), longest).missed(shape.median).mean())
            for label, shape in SHAPES.items()
        }
    refused: dict[str, Any] = {}
    for count in LATE:
        refused[f"{count}, then {2 * count}"] = found = {}
        for label, shape in SHAPES.items():
            draws = shape.draw(draw, (LATE_PATHS, 2 * count))
            found[label] = {
                "alone": float(
                    followed(draws[:, :count], GroupSequential((count,), (MOST,))).missed(shape.median).mean()
                )
            }
            for more in (0.0085, EARLY):
                plan = GroupSequential((count, 2 * count), (MOST, more))
                found[label][f"{more:g} more"] = float(followed(draws, plan).missed(shape.median).mean())
    return {
        "longest_planned": LONGEST_PLANNED,
        "longest_open_ended": LONGEST_OPEN,
        "late_paths": LATE_PATHS,
        "granted": granted,
        "refused": refused,
    }


def _to_its_end(plan: Plan) -> Plan:
    """A plan extended for as long as it can be."""
    while (longer := extended(plan).plan) is not None:
        plan = longer
    return plan


def _named(plan: Plan) -> str:
    return "open-ended" if isinstance(plan, OpenEnded) else ", ".join(map(str, plan.replicates))


def one_by_one(draw: np.random.Generator, paths: int = 1_000) -> dict[str, Any]:
    """Share of paths where `judge`, called as the lab calls it, says what the vectorised rule says."""
    found = {}
    for label in ("normal", "lognormal, sigma 1"):
        moved = draw.choice([0.0, 0.002, 0.004], size=(paths, 1))
        draws = moved + 0.003 * SHAPES[label].draw(draw, (paths, 16))
        stated = Hypothesis("simulated", horizon=100)
        codes = followed(draws, GroupSequential()).ends(0.0, BAND)[0]
        said = [judge(row, stated).outcome for row in draws]
        found[label] = float(np.mean([a == outcome_of(int(code), True) for a, code in zip(said, codes, strict=True)]))
    return found


def main(path: Path) -> None:
    """Run all and write the figures."""
    start = time.perf_counter()
    parts: dict[str, Callable[[np.random.Generator], Any]] = {
        "levels": levels,
        "power": power,
        "of_the_mean": of_the_mean,
        "families_of_three": families,
        "peeking": peeking,
        "forecasts": forecasts,
        "spread_coverage": spread_coverage,
        "judge_against_vectorised": one_by_one,
        "extensions": extensions,
    }
    found: dict[str, Any] = {
        "paths": PATHS,
        "open_ended_paths": OPEN_PATHS,
        "seed": SEED,
        "band_nats": BAND,
        "analyses": GroupSequential().replicates,
        "alphas": GroupSequential().alphas,
        "open_ended_alpha": OpenEnded().alpha,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
    for part, (name, run) in enumerate(parts.items()):
        print(f"{time.perf_counter() - start:5.1f} s  {name}", flush=True)
        found[name] = run(np.random.default_rng([SEED, part]))
    every = [shape for plan in found["levels"].values() for shape in plan.values()]
    lost = [row["lost"] for plan in found["power"].values() for rows in plan.values() for row in rows]
    rows = found["forecasts"]
    found["targets"] = {
        "false verdicts at most .055": all(shape["false"] <= 0.055 for shape in every),
        "false equivalence at most .055": all(max(shape["false_equivalence"].values()) <= 0.055 for shape in every),
        "coverage .93 to .97": all(0.93 <= shape["coverage"] <= 0.97 for shape in every),
        "at most 5 points of power lost against t": max(lost) <= 0.05,
        "any of three false at most .055": all(
            family["any_corrected"] <= 0.055 for family in found["families_of_three"].values()
        ),
        "control that peeks exceeds .12": found["peeking"]["normal"] > 0.12,
        "form within 10 points": all(abs(row["form_decided"] - row["normal_decided"]) <= 0.1 for row in rows)
        and all(abs(row["form_right"] - row["normal_right"]) <= 0.1 for row in rows if row["difference"]),
        "plans extended whenever they can be false at most .055": all(
            false <= 0.055 for shapes in found["extensions"]["granted"].values() for false in shapes.values()
        ),
        "judge agrees with the vectorised rule": min(found["judge_against_vectorised"].values()) == 1.0,
    }
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{time.perf_counter() - start:5.1f} s  {path}: {json.dumps(found['targets'], indent=1)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
