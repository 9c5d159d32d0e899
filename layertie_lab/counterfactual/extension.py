"""A plan that was used up without a verdict, made longer under the error it has: whether it can be, and how far.

How many replicates are added is never a person's choice, for that would be made with the differences in sight: the
next end is twice the last one. So a study that was extended is one whose plan had these analyses from the start and
was perhaps given up before them, which errs less often, not more. How often plans err that are extended whenever they
can be was simulated (data/verdicts).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .interim import FAMILY_ERROR, SHAPE_FROM, GroupSequential, OpenEnded, Plan

LONGEST_OPEN = 256
"""Replicates up to which an open-ended plan of the rule t-or-sign has been simulated."""
LONGEST_PLANNED = 24
"""Replicates up to which a plan of stated analyses may reach by an extension: one that waits for 16 or more before it
spends most of its error has none to spare in all the distributions that were simulated."""
EARLY, MOST = GroupSequential.alphas[0], GroupSequential.alphas[-1]
"""The alphas of an analysis before `SHAPE_FROM` replicates, and the most of any."""


@dataclass(frozen=True)
class Extended:
    """What an extension would make of a plan.

    Args:
        plan: The longer plan; None if it cannot be extended.
        why: Whether it can, and why, in a sentence or two.
    """

    plan: Plan | None
    why: str


def extended(plan: Plan) -> Extended:
    """A plan, once it has been used up without a verdict, with further analyses under the error that it has."""
    return _open_ended(plan) if isinstance(plan, OpenEnded) else _planned(plan)


def _open_ended(plan: OpenEnded) -> Extended:
    kept = f"the chance of a false verdict stays at most {plan.total:.2g}, however long it goes on"
    last = 2 * plan.last
    if plan.rule != "t" and last > LONGEST_OPEN:
        return Extended(
            None,
            f"This plan cannot be extended: how often a confidence sequence of its kind errs has been simulated up to "
            f"{LONGEST_OPEN} replicates only.",
        )
    if plan.rule != "t":
        kept = f"the chance of a false verdict is at most {plan.total:.2g} up to {LONGEST_OPEN} replicates (simulated)"
    return Extended(
        replace(plan, at_most=last),
        f"This plan can be extended, to {last} replicates: a confidence sequence may be looked at after each one, and "
        f"{kept}.",
    )


def _planned(plan: GroupSequential) -> Extended:
    per_alpha, last = plan.total / sum(plan.alphas), 2 * plan.last
    left = round((FAMILY_ERROR - plan.total) / per_alpha, 12)
    spent = f"its analyses have spent {plan.total:.2g} of the {FAMILY_ERROR:.2g} that a study may err"
    if left < EARLY:
        return Extended(
            None,
            f"This plan cannot be extended: {spent}, all of it, and each further analysis would add to the chance of a "
            "false verdict.",
        )
    if last > LONGEST_PLANNED:
        return Extended(
            None,
            f"This plan cannot be extended: {spent}, and for analyses that begin so late more than that was found in "
            "simulations with skewed differences, so that none is left to spend.",
        )
    alpha = min(EARLY if last < SHAPE_FROM else MOST, left)
    longer = replace(plan, replicates=(*plan.replicates, last), alphas=(*plan.alphas, alpha))
    return Extended(
        longer,
        f"This plan can be extended, by one analysis at {last} replicates: {spent}, and that one spends {alpha:.2g} of "
        f"what is left, so that the whole errs in at most {longer.total:.2g} of cases.",
    )
