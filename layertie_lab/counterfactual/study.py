"""From a study's statement and replicates to a verdict, and to frames for charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from ..analysis.statistics.intervals import LEVEL, mean_interval
from ..core.errors import AnalysisError, RecordError
from ..core.statements import METRICS, Statement
from ..records.studies import StudyFolder, in_order, missing_studies
from .interim import plan_from
from .verdict import Hypothesis, Verdict, correct, judge

AFTERWARDS = {
    "hold": "the tie map is held",
    "continue": "the agent goes on",
    "continue-locked": "the agent goes on but may not answer otherwise for this layer",
    "recorded": "a recorded list of answers follows",
}
Replicates = Sequence[Mapping[str, Any]]
"""As `records.studies` keeps them."""


def hypothesis_of(statement: Statement) -> Hypothesis:
    """The statement as `verdicts.judge` takes it.

    Raises:
        AnalysisError: Its plan of looks is none.
    """
    metric = METRICS[statement.metric]
    return Hypothesis(
        statement=statement.statement,
        horizon=statement.horizon,
        expected=statement.expected,
        metric=metric.label,
        unit=metric.unit,
        lower_is_better=metric.lower_is_better,
        smallest_difference=statement.smallest_difference,
        primary=statement.primary,
        plan=plan_from(statement.looks),
        steps_per_decision=statement.steps_per_decision,
        common=(
            "weights, moments and agent at the fork",
            "batches",
            "dropout masks",
            "the agent's draws",
            f"{statement.split} windows",
        ),
        afterwards=AFTERWARDS[statement.after],
        compared=f"layer {statement.layer} {_act(statement, statement.answered)} minus "
        f"{_act(statement, statement.proposed)} at decision {statement.decision}",
    )


def _act(statement: Statement, source: int) -> str:
    return "on its own" if source == statement.layer else f"tied to {source}"


def differences(statement: Statement, replicates: Replicates, metric: str | None = None) -> np.ndarray:
    """(R,) the metric as answered minus as proposed, in the order of the replicates without a gap.

    Args:
        statement: What was stated.
        replicates: What has come.
        metric: Another metric that was measured; None for the stated one.

    Raises:
        AnalysisError: A branch diverged, or the metric was not measured.
    """
    name = metric or statement.metric
    found = []
    for values in in_order([dict(values) for values in replicates], statement):
        if "error" in values:
            raise AnalysisError(
                f"Expected finite losses, but replicate {values['replicate']} ended: {values['error']}",
                "Choose a shorter horizon; a verdict without that replicate would be a biased one.",
            )
        try:
            found.append(values["answered"]["metrics"][name] - values["proposed"]["metrics"][name])
        except KeyError:
            raise AnalysisError(
                f"Expected the metric {name}, but the replicates have {', '.join(values['answered']['metrics'])}.",
                "State another comparison with it.",
            ) from None
    return np.array(found, dtype=np.float64)


def verdict_of(statement: Statement, replicates: Replicates) -> Verdict | None:
    """The verdict by the stated plan; None before its first look.

    Raises:
        AnalysisError: A branch diverged.
    """
    hypothesis, found = hypothesis_of(statement), differences(statement, replicates)
    if len(found) < hypothesis.plan.first:
        return None
    verdict = judge(found, hypothesis)
    extra = _evaluation_warning(statement, replicates, verdict)
    return replace(verdict, warnings=(*verdict.warnings, *extra))


def refusal_of(statement: Statement, replicates: Replicates) -> str:
    """Why there can be no verdict, as a sentence; "" where there is nothing against one."""
    try:
        differences(statement, replicates)
    except AnalysisError as error:
        return str(error)
    return ""


def is_decided(statement: Statement, replicates: Replicates) -> bool:
    """Whether the plan of looks has come to its end: the `should_stop` of `counterfactual.runner.StudyRunner`."""
    verdict = verdict_of(statement, replicates)
    return verdict is not None and verdict.decided


def evaluation_error(statement: Statement, replicates: Replicates) -> float | None:
    """Median over replicates of the standard error over windows of the stated metric's difference; None if none."""
    errors = [
        v["metric_errors"][statement.metric] for v in replicates if statement.metric in v.get("metric_errors", ())
    ]
    return float(np.median(errors)) if errors else None


def _evaluation_warning(statement: Statement, replicates: Replicates, verdict: Verdict) -> list[str]:
    """The windows are the same in all replicates, so that their error does not shrink with more of these."""
    error, spread = evaluation_error(statement, replicates), verdict.difference.spread
    if error is None or spread == 0 or error <= spread / 2:
        return []
    windows = next(values["windows"] for values in replicates if "windows" in values)
    wanted = int(np.ceil(windows * (2 * error / spread) ** 2))
    remedy = f"state the next one with {wanted:,} windows"
    if windows < statement.windows:
        remedy = f"the {statement.split} split has no more than these {windows}, {wanted:,} would be needed"
    return [
        f"The evaluation's own error ({error:.2g}, over {windows} windows) exceeds half of the replicates' spread "
        f"({spread:.2g}), so the interval holds for this text rather than for any: {remedy}."
    ]


def verdicts_of_run(studies: Sequence[StudyFolder]) -> dict[str, Verdict | None]:
    """Name of a study -> its verdict, all stated ones corrected together (Holm); None before its first look.

    A stated hypothesis counts from the moment it is stated, not only once it has a verdict: those that have none yet
    are taken as the ones that reject nothing, and so are those whose folders were removed or changed.

    Args:
        studies: All of one run (`records.studies.list_studies`).
    """
    found: dict[str, Verdict | None] = {}
    open_ones = len(missing_studies(studies[0].run, studies)) if studies else 0
    for study in studies:
        try:
            found[study.name] = verdict_of(study.statement, study.replicates())
        except (AnalysisError, RecordError):
            found[study.name] = None
        open_ones += found[study.name] is None and study.statement.primary
    known = {name: verdict for name, verdict in found.items() if verdict is not None}
    corrected = correct(list(known.values()), still_open=open_ones)
    return found | dict(zip(known, corrected, strict=True))


CURVES = {"replicate": pl.Int64, "steps": pl.Int64, "branch": pl.String, "loss": pl.Float64}
DIFFERENCES = {"replicate": pl.Int64, "steps": pl.Int64, "difference": pl.Float64}
CURVE = {"steps": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "count": pl.Int64}
LOOKS = {"order": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
VALUES = {"replicate": pl.Int64, "order": pl.Int64, "difference": pl.Float64, "mean": pl.Float64}


def curves_frame(replicates: Replicates) -> pl.DataFrame:
    """Held-out loss (nats per token) of both branches of every replicate, by steps after the fork.

    Columns: replicate, steps, branch ("as proposed" or "as answered"), loss.
    """
    rows = [
        {"replicate": values["replicate"], "steps": steps, "branch": f"as {side}", "loss": loss}
        for values in _whole(replicates)
        for side in ("proposed", "answered")
        for steps, loss in zip(values["marks"], values[side]["losses"], strict=True)
    ]
    return pl.DataFrame(rows, schema=CURVES)


def differences_frame(replicates: Replicates) -> pl.DataFrame:
    """Held-out loss as answered minus as proposed (nats per token). Columns: replicate, steps, difference."""
    rows = [
        {"replicate": values["replicate"], "steps": steps, "difference": answered - proposed}
        for values in _whole(replicates)
        for steps, proposed, answered in zip(
            values["marks"], values["proposed"]["losses"], values["answered"]["losses"], strict=True
        )
    ]
    return pl.DataFrame(rows, schema=DIFFERENCES)


def difference_curve(replicates: Replicates, level: float = LEVEL) -> pl.DataFrame:
    """Mean difference at each mark with its Student t interval, pointwise: exploratory but at the stated horizon.

    Columns: steps, value, low, high (null with fewer than two replicates, or without spread), count.
    """
    frame, rows = differences_frame(replicates), []
    for (steps,), group in frame.group_by("steps", maintain_order=True):
        found = group["difference"].to_numpy()
        low = high = None
        if len(found) > 1 and np.ptp(found) > 0:
            interval = mean_interval(found, level)
            low, high = float(interval.low), float(interval.high)
        rows.append({"steps": steps, "value": float(found.mean()), "low": low, "high": high, "count": len(found)})
    return pl.DataFrame(rows, schema=CURVE)


def values_frame(statement: Statement, replicates: Replicates) -> pl.DataFrame:
    """The stated metric's difference of each replicate, and the running mean.

    Columns: replicate, order (1 .. R), difference, mean (of those so far).
    """
    found = differences(statement, replicates)
    means = np.cumsum(found) / np.arange(1, len(found) + 1) if len(found) else found
    rows = [
        {"replicate": statement.numbers[place], "order": place + 1, "difference": float(value), "mean": float(mean)}
        for place, (value, mean) in enumerate(zip(found, means, strict=True))
    ]
    return pl.DataFrame(rows, schema=VALUES)


def looks_frame(statement: Statement, replicates: Replicates) -> pl.DataFrame:
    """The planned looks that have been reached: columns order (R), value, low, high (at each look's own level)."""
    plan, found, rows = plan_from(statement.looks), differences(statement, replicates), []
    for look in plan.reached(len(found)):
        if np.ptp(found[:look]) > 0:
            value, half = float(found[:look].mean()), float(plan.margin(found[:look].std(ddof=1), look))
            if np.isfinite(half):
                rows.append({"order": look, "value": value, "low": value - half, "high": value + half})
    return pl.DataFrame(rows, schema=LOOKS)


def tables_of(statement: Statement, replicates: Replicates) -> dict[str, pl.DataFrame]:
    """All of a study's frames by their names in `core.statements.TWIN_TABLES`.

    Raises:
        AnalysisError: A branch diverged.
    """
    return {
        "twin_curves": curves_frame(replicates),
        "twin_differences": differences_frame(replicates),
        "twin_curve": difference_curve(replicates),
        "twin_values": values_frame(statement, replicates),
        "twin_looks": looks_frame(statement, replicates),
    }


def _whole(replicates: Replicates) -> list[Mapping[str, Any]]:
    return [values for values in replicates if "marks" in values]
