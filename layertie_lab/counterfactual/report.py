"""What a study has come to, as plain values, and what is not in its verdict."""

from __future__ import annotations

from math import isfinite
from typing import Any

from ..records.studies import in_order, missing_studies
from .interim import Plan, plan_values
from .judging import differences, ends_on_other_windows, refusal_of
from .spec import StudySpec
from .study import Study
from .verdict import Verdict
from .wording import counted, headline_of, sentence_of


def values_of(study: Study, verdict: Verdict | None) -> dict[str, Any]:
    """What a study says, as plain values; without a verdict what is there without one."""
    spec, replicates = study.spec, study.replicates()
    values: dict[str, Any] = {
        "study": study.name,
        "directory": str(study.path),
        "stated_at": study.stated_at,
        "statement": spec.to_dict(),
        "hash": spec.hash,
        "extensions": [
            {"time": added.time, "used_up_at": added.before.last, "replicates": plan.last, "looks": plan_values(plan)}
            for added, plan in zip(spec.extensions, plans_after(spec), strict=True)
        ],
        "replicates": len(replicates),
    }
    if verdict is None:
        return values | {"outcome": None, "refused": refusal_of(spec, replicates)}
    ends = () if verdict.interval is None else (float(verdict.interval.low), float(verdict.interval.high))
    low, high = ends if ends and isfinite(ends[0]) and isfinite(ends[1]) else (None, None)
    return values | {
        "outcome": verdict.outcome,
        "as_expected": verdict.as_expected,
        "headline": headline_of(verdict),
        "sentence": sentence_of(verdict),
        "estimate": verdict.estimate,
        "about": "median" if verdict.by_sign else "mean",
        "unit": verdict.hypothesis.unit,
        "looked_at": verdict.replicates,
        "low": low,
        "high": high,
        "level": None if verdict.interval is None else float(verdict.interval.level),
        "spread": verdict.difference.spread,
        "differences": [float(value) for value in differences(spec, replicates)],
        "further": verdict.further,
        "family": verdict.family,
        "taken_back": verdict.taken_back,
        "warnings": list(verdict.warnings),
    }


def left_out(study: Study, verdict: Verdict | None) -> list[str]:
    """What has come, or was stated beside it, and is not in the verdict; a sentence each."""
    spec, replicates = study.spec, study.replicates()
    said = []
    if refused := refusal_of(spec, replicates):
        said.append(f"There is no verdict. {refused}")
    used = 0 if verdict is None else verdict.replicates
    came = len(in_order(list(replicates), spec.numbers))
    if verdict is not None and came > used:
        why = "they came after the analysis that decided" if verdict.decided else "the next analysis is still to come"
        said.append(f"{counted(came - used, 'replicate')} of {came}: {why}.")
    if gap := len(replicates) - came:
        said.append(
            f"{counted(gap, 'replicate')} that finished before an earlier one did: a verdict takes them in their order."
        )
    if came < spec.replicates and (verdict is None or not verdict.decided):
        said.append(f"{counted(spec.replicates - came, 'replicate')} of the plan that have not been run.")
    if ends_on_other_windows(replicates):
        said.append(
            "Before the horizon the curves were evaluated on fewer windows than there: they are no part of the verdict."
        )
    others, _ = Study.all_of(study.run)
    stated = [other.name for other in others if other.spec.primary and other.name != study.name]
    stated += [name for name in missing_studies(study.run, others) if name != study.name]
    if spec.primary and stated:
        said.append(
            f"The other hypotheses of this run, which the correction (Holm) counts all the same: {', '.join(stated)}."
        )
    unstated = [other.name for other in others if not other.spec.primary and other.name != study.name]
    if unstated:
        said.append(f"Comparisons of this run without a hypothesis, which do not count: {', '.join(unstated)}.")
    return said


def plans_after(spec: StudySpec) -> list[Plan]:
    """The plan after each extension."""
    plans = [*(added.before for added in spec.extensions), spec.plan]
    return plans[1:]
