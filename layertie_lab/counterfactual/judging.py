"""From a study's replicates, as they are kept, to its verdict, corrected for all hypotheses of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.errors import AnalysisError, RecordError
from ..records.studies import in_order, missing_studies
from .spec import AFTERWARDS, METRICS, StudySpec
from .study import Study
from .verdict import Hypothesis, Verdict, correct, judge

Replicates = Sequence[Mapping[str, Any]]
"""As `records.studies` keeps them."""


def hypothesis_of(spec: StudySpec) -> Hypothesis:
    """A study as `verdict.judge` takes it."""
    metric = METRICS[spec.metric]
    return Hypothesis(
        statement=spec.statement,
        horizon=spec.horizon,
        expected=spec.expected,
        metric=metric.label,
        unit=metric.unit,
        lower_is_better=metric.lower_is_better,
        smallest_difference=spec.smallest_difference,
        primary=spec.primary,
        plan=spec.plan,
        steps_per_decision=spec.steps_per_decision,
        common=(
            "weights, optimizer state and agent at the fork",
            "batches",
            "dropout masks",
            "the agent's draws",
            f"{spec.split} windows",
        ),
        afterwards=AFTERWARDS[spec.after],
        compared=spec.compared,
        sides=spec.sides,
        extended_at=tuple(added.before.last for added in spec.extensions),
    )


def differences(spec: StudySpec, replicates: Replicates, metric: str | None = None) -> np.ndarray:
    """(R,) the metric as chosen minus as proposed, in the order of the replicates without a gap.

    Args:
        spec: What was stated.
        replicates: What has come.
        metric: Another metric that was measured; None for the stated one.

    Raises:
        AnalysisError: A branch diverged, or the metric was not measured.
    """
    name = metric or spec.metric
    found = []
    for values in in_order([dict(values) for values in replicates], spec.numbers):
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


def verdict_of(spec: StudySpec, replicates: Replicates) -> Verdict | None:
    """The verdict by the stated plan; None before its first interim analysis.

    Raises:
        AnalysisError: A branch diverged.
    """
    verdict = _judged(spec, replicates)
    return None if verdict is None else _warned(verdict, spec, replicates)


def _judged(spec: StudySpec, replicates: Replicates) -> Verdict | None:
    hypothesis, found = hypothesis_of(spec), differences(spec, replicates)
    return None if len(found) < hypothesis.plan.first else judge(found, hypothesis)


def _warned(verdict: Verdict, spec: StudySpec, replicates: Replicates) -> Verdict:
    return replace(verdict, warnings=(*verdict.warnings, *_evaluation_warning(spec, replicates, verdict)))


def refusal_of(spec: StudySpec, replicates: Replicates) -> str:
    """Why there can be no verdict, as a sentence; "" where there is nothing against one."""
    try:
        differences(spec, replicates)
    except AnalysisError as error:
        return str(error)
    return ""


def is_decided(study: Study, replicates: Replicates) -> bool:
    """Whether the plan of interim analyses has come to its end: the `should_stop` of `runner.StudyRunner`.

    A verdict that Holm's correction for the run's other hypotheses takes back is no end: later analyses are left.

    Args:
        study: Of which these are the replicates.
        replicates: Those that have come.
    """
    verdict = verdict_of(study.spec, replicates)
    if verdict is None or not verdict.decided:
        return False
    if not study.spec.primary:
        return True
    corrected = verdicts_of_run(Study.all_of(study.run)[0], {study.name: replicates}).get(study.name)
    return corrected is None or corrected.decided


def ends_on_other_windows(replicates: Replicates) -> bool:
    """Whether a curve's last point was evaluated on more of the text than those before, as older versions did."""
    return any(
        not values.get("curve_to_end") and values.get("curve_windows", 0) < values.get("windows", 0)
        for values in replicates
    )


def evaluation_error(spec: StudySpec, replicates: Replicates) -> float | None:
    """Median over replicates of the standard error over windows of the stated metric's difference; None if none."""
    errors = [v["metric_errors"][spec.metric] for v in replicates if spec.metric in v.get("metric_errors", ())]
    return float(np.median(errors)) if errors else None


def _evaluation_warning(spec: StudySpec, replicates: Replicates, verdict: Verdict) -> list[str]:
    """The windows are the same in all replicates, so that their error does not shrink with more of these."""
    error, spread = evaluation_error(spec, replicates), verdict.difference.spread
    if error is None or spread == 0 or error <= spread / 2:
        return []
    windows = next(values["windows"] for values in replicates if "windows" in values)
    wanted = int(np.ceil(windows * (2 * error / spread) ** 2))
    remedy = f"state the next one with {wanted:,} windows"
    if windows < spec.windows:
        remedy = f"the {spec.split} split has no more than these {windows}, {wanted:,} would be needed"
    return [
        f"The evaluation's own error ({error:.2g}, over {windows} windows) exceeds half of the replicates' spread "
        f"({spread:.2g}), so the interval holds for this text rather than for any: {remedy}."
    ]


def verdicts_of_run(
    studies: Sequence[Study], came: Mapping[str, Replicates] | None = None
) -> dict[str, Verdict | None]:
    """Name of a study -> its verdict, all stated ones corrected together (Holm); None before its first analysis.

    A stated hypothesis counts from the moment it is stated, not only once it has a verdict: those that have none yet
    are taken as the ones that reject nothing, and so are those whose folders were removed or changed.

    Args:
        studies: All of one run (`Study.all_of`).
        came: Name of a study -> its replicates, in place of those on disk.
    """
    found: dict[str, Verdict | None] = {}
    replicates: dict[str, Replicates] = {}
    open_ones = len(missing_studies(studies[0].run, studies)) if studies else 0
    for study in studies:
        found[study.name] = None
        try:
            replicates[study.name] = (came or {}).get(study.name) or study.replicates()
            found[study.name] = _judged(study.spec, replicates[study.name])
        except (AnalysisError, RecordError):
            pass
        open_ones += found[study.name] is None and study.spec.primary
    known = {name: verdict for name, verdict in found.items() if verdict is not None}
    corrected = correct(list(known.values()), still_open=open_ones)
    specs = {study.name: study.spec for study in studies}
    return found | {
        name: _warned(verdict, specs[name], replicates[name]) for name, verdict in zip(known, corrected, strict=True)
    }
