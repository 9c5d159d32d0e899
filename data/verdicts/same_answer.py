"""Verdicts where nothing is to be found, with real training: `python data/verdicts/same_answer.py RESULTS.json`.

RESULTS.svg beside it has the histograms.

Both branches of a pair start at one moment with one and the same answer but draw different random numbers (batches,
dropout masks), so that their difference is noise with a mean of exactly 0. 16 such pairs make one verdict by
`verdict.judge`. No branch is used twice; only moment and evaluation windows are common to a moment's pairs.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy import stats

from layertie_lab import RunConfig, Session
from layertie_lab.counterfactual.branch import Branch
from layertie_lab.counterfactual.interim import GroupSequential
from layertie_lab.counterfactual.spec import TwinPlan
from layertie_lab.counterfactual.verdict import Hypothesis, judge

PLAN = GroupSequential(alphas=(0.01, 0.015, 0.03), rule="t")
"""That of the studies of then; `t-or-sign` has what today's says of the same differences."""
VERDICTS = 42
"""For each moment."""
HORIZON = 3
WINDOWS = 512
BANDS = (0.0, 0.003, 0.006)
"""Halves of the equivalence band, nats; 0 for none."""
SHAPE: dict[str, Any] = {
    "layers": 3, "width": 16, "heads": 2, "context": 16, "batch_size": 4, "dropout": 0.1, "policy": "random",
    "decisions": 200, "evaluate_every": 0, "sample_every": 0, "threads": 1,
}  # fmt: skip
MOMENTS = [(seed, decisions) for seed in (1, 2) for decisions in (5, 12, 30, 61, 120)]
"""(seed, decisions before the moment): early and late, with different maps, for layer 1 or 2."""


def differences(seed: int, decisions: int, verdicts: int) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Held-out loss of one branch minus that of another with the same answer, nats, [verdicts, 16], and the moment."""
    # With the optimizer state after a re-tie that was the lab preset's then.
    moment = Session(RunConfig.preset("tiny", seed=seed, moments="clone", splits="bytes", **SHAPE))
    moment.run(decisions)
    proposal = moment.propose()
    plan = TwinPlan(horizon=HORIZON, after="hold", windows=WINDOWS)
    windows = moment.evaluator.windows(plan.split, plan.windows)
    # From moment to moment the answer changes from tying to training alone, so that both kinds of branches are met.
    answer = proposal.layer if decisions % 2 else 0

    def loss(replicate: int) -> float:
        branch = Branch(moment, answer, plan, replicate)
        for _ in range(plan.horizon):
            branch.advance()
        return float(branch.losses(windows).mean())

    count = 2 * PLAN.last * verdicts
    losses = np.array([loss(replicate) for replicate in range(1, count + 1)]).reshape(verdicts, PLAN.last, 2)
    about = {
        "seed": seed,
        "step": moment.step,
        "layer": proposal.layer,
        "ties": list(moment.ties),
        "answer": answer,
        "windows": len(windows),
    }
    return losses[..., 0] - losses[..., 1], about


def by_band_of(found: NDArray[np.float64], plan: GroupSequential) -> dict[str, Any]:
    """What a plan says of each row, by band."""
    total, by_band = len(found), {}
    for band in BANDS:
        stated = Hypothesis("Equal answers differ.", horizon=HORIZON, smallest_difference=band, plan=plan)
        outcomes = [judge(row, stated).outcome for row in found]
        named = {name: outcomes.count(name) for name in sorted(set(outcomes))}
        wrong = named.get("better", 0) + named.get("worse", 0)
        low, high = stats.binomtest(wrong, total).proportion_ci(method="exact")
        by_band[f"{band:g}"] = {"outcomes": named, "false": wrong, "share": wrong / total, "interval_95": [low, high]}
    return by_band


def verdicts_of(found: NDArray[np.float64]) -> dict[str, Any]:
    """What the plans say, and what a reader would who peeks after every replicate."""
    total, counts = len(found), np.arange(4, PLAN.last + 1)
    t = np.stack([stats.ttest_1samp(found[:, :count], 0.0, axis=1).statistic for count in counts], axis=1)
    last = 2 * stats.t.sf(np.abs(t[:, -1]), PLAN.last - 1)
    peeking = int((np.abs(t) > stats.t.ppf(0.975, counts - 1)).any(axis=1).sum())
    allowed = stats.binom.ppf([0.025, 0.975], total, 0.0486)
    return {
        "verdicts": total,
        "bands": by_band_of(found, PLAN),
        "t-or-sign": by_band_of(found, GroupSequential()),
        "simulated_level": 0.0486,
        "false_expected_95": allowed.tolist(),
        "peeking_after_every_replicate": {"false": peeking, "share": peeking / total},
        "p_values_at_16": {
            "counts": np.histogram(last, bins=10, range=(0, 1))[0].tolist(),
            "edges": np.linspace(0, 1, 11).tolist(),
            "uniform_ks_p": float(stats.kstest(last, "uniform").pvalue),
        },
        "t_at_16": {
            "counts": np.histogram(t[:, -1], bins=20, range=(-5, 5))[0].tolist(),
            "edges": np.linspace(-5, 5, 21).tolist(),
        },
        "spread_nats": {
            "median": float(np.median(found.std(axis=1, ddof=1))),
            "skewness": float(stats.skew(found, axis=None)),
            "excess_kurtosis": float(np.mean(stats.kurtosis(found, axis=1, bias=False))),
        },
    }


def draw(results: dict[str, Any], path: Path) -> None:
    """p values and t statistics of all verdicts' 16 pairs, with what would be right as a line."""
    charts = []
    for key, title, expected in (
        ("p_values_at_16", "two-sided p value at R = 16", stats.uniform.cdf),
        ("t_at_16", "t statistic at R = 16", stats.t(PLAN.last - 1).cdf),
    ):
        edges, counts = np.array(results[key]["edges"]), results[key]["counts"]
        frame = pl.DataFrame(
            {
                "from": edges[:-1],
                "to": edges[1:],
                "verdicts": counts,
                "expected": results["verdicts"] * np.diff(expected(edges)),
            }
        )
        base = alt.Chart(frame).encode(x=alt.X("from:Q", title=title, bin="binned"), x2="to:Q")
        bars = base.mark_bar(color="#9ecae1", stroke="white").encode(y=alt.Y("verdicts:Q", title="verdicts"))
        line = base.mark_rule(color="#d94801", strokeWidth=2).encode(y="expected:Q")
        charts.append((bars + line).properties(width=300, height=180))
    alt.hconcat(*charts).save(path)


def main(path: Path) -> None:
    """Run what a file of results lacks."""
    torch.set_num_threads(1)
    start, old = time.perf_counter(), json.loads(path.read_text()) if path.exists() else {"moments": []}
    moments: list[dict[str, Any]] = old["moments"]
    for seed, decisions in MOMENTS[len(moments) :]:
        found, about = differences(seed, decisions, VERDICTS)
        moments.append(about | {"differences": np.round(found, 7).tolist()})
        every = np.concatenate([np.array(moment["differences"]) for moment in moments])
        results = {
            "shape": SHAPE,
            "horizon": HORIZON,
            "threads": torch.get_num_threads(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            **verdicts_of(every),
            "moments": moments,
        }
        path.write_text(json.dumps(results) + "\n", encoding="utf-8")
        print(f"{time.perf_counter() - start:5.0f} s  {len(every)} verdicts, {results['bands']['0']}", flush=True)
    results = json.loads(path.read_text())
    every = np.concatenate([np.array(moment["differences"]) for moment in moments])
    results |= {**verdicts_of(every), "moments": results["moments"]}
    path.write_text(json.dumps(results) + "\n", encoding="utf-8")
    draw(results, path.with_suffix(".svg"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
