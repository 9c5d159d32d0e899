"""After a plan was used up without a verdict: extend it, or state a hypothesis anew with what it would take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..core.errors import AnalysisError
from .extension import extended
from .forecast import likely_to_decide
from .interim import Plan, plan_values
from .judging import refusal_of, verdicts_of_run
from .power import POWER
from .study import Study
from .verdict import Verdict
from .wording import counted


def is_used_up(study: Study, verdict: Verdict | None) -> bool:
    """Whether all replicates of a study's plan have come, and there is no verdict all the same.

    Args:
        study: The study.
        verdict: Its verdict, corrected for the run's other hypotheses.
    """
    return (
        verdict is not None
        and not verdict.decided
        and not study.spec.is_pilot
        and len(verdict.difference.differences) + len(verdict.later) >= study.spec.replicates
    )


def extend(study: Study) -> Study:
    """Make the plan of a study longer that has been used up without a verdict; its replicates are still to be run.

    Returns:
        The study as it is now.

    Raises:
        AnalysisError: It has a verdict or can have none, its plan is not used up, or cannot be extended.
        RecordError: Somebody is adding replicates to it.
        StorageError: It cannot be written.
    """
    if refused := refusal_of(study.spec, study.replicates()):
        raise AnalysisError(f"Expected a study that can have a verdict. {refused}", "State a new hypothesis.")
    verdict = verdicts_of_run(Study.all_of(study.run)[0]).get(study.name)
    if not is_used_up(study, verdict):
        found = "it has come to no end yet" if verdict is None or not verdict.decided else f"it says {verdict.outcome}"
        found = "it is a pilot, which has no verdict" if study.spec.is_pilot else found
        raise AnalysisError(
            f"Expected a study whose plan has been used up without a verdict, but of {study.name} {found}.",
            "Go on with one that is not at its end; after a verdict state a new hypothesis.",
        )
    longer = extended(study.spec.plan)
    if longer.plan is None:
        raise AnalysisError(longer.why, "State a new hypothesis, on fresh replicates.")
    return study.extend(plan_values(longer.plan), longer.plan.last)


@dataclass(frozen=True)
class Fresh:
    """What a new study of the same question would take.

    Args:
        name: Of the plan that would do; "" if none of those that were offered would.
        words: The forecast, in a sentence or two.
    """

    name: str
    words: str


def fresh(verdict: Verdict, plans: Mapping[str, Plan]) -> Fresh:
    """The smallest of some plans that would probably decide, on replicates of its own, what a study left undecided.

    Args:
        verdict: That study's.
        plans: Name -> plan, those that can be chosen.
    """
    found, stated = verdict.difference, verdict.hypothesis
    unit = f" {stated.unit}" if stated.unit else ""
    opening = (
        f"If the true difference is the {verdict.estimate:+.2g}{unit} that was seen, and replicates scatter as these "
        f"did ({found.spread:.2g})"
    )
    for name, plan in sorted(plans.items(), key=lambda named: named[1].last):
        seen = likely_to_decide(verdict, plan)
        if seen.decided >= POWER:
            return Fresh(
                name,
                f"{opening}, up to {counted(plan.last, 'fresh replicate')} lead to a verdict with probability "
                f"{seen.decided:.2f}, after {seen.replicates:.0f} on average.",
            )
    most = max(plan.last for plan in plans.values())
    return Fresh(
        "",
        f"{opening}, not even {most} fresh replicates lead to a verdict with probability {POWER:g}: the difference "
        "lies where what matters ends.",
    )
