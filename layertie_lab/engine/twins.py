"""Twins: two futures of one moment that differ in one answer, trained on common random numbers and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..core.decisions import Decision
from ..core.ties import TieMap
from ..models.counts import trainable_parameters
from ..training.evaluation import standard_error
from .branches import Branch, TwinPlan, check_moment
from .readings import Readings
from .session import Session

Metric = Literal["last", "last-five", "averaged", "trainable_parameters"]
"""last: held-out loss of the last weights. last-five: its mean over the last five checkpoints after the fork (all,
where there are fewer). averaged: held-out loss of the weights averaged along the branch, which answers another
question: what the branch's path is worth, not its end. Losses in nats per token."""
TAIL = 5


@dataclass(frozen=True)
class Twin:
    """What came of one branch.

    Args:
        answer: The answer it began with.
        losses: Held-out loss at each of the plan's marks, nats per token.
        averaged_loss: Held-out loss of the averaged weights at the horizon, nats per token.
        trainable_parameters: At the horizon, each storage once.
        ties: The tie map at the horizon.
        decisions: All that was answered, the first one included.
    """

    answer: int
    losses: tuple[float, ...]
    averaged_loss: float
    trainable_parameters: int
    ties: TieMap
    decisions: tuple[Decision, ...]

    def metric(self, name: Metric) -> float:
        """One of the `Metric`s."""
        if name == "last-five":
            tail = self.losses[1:][-TAIL:]
            return sum(tail) / len(tail)
        if name == "averaged":
            return self.averaged_loss
        return float(self.trainable_parameters) if name == "trainable_parameters" else self.losses[-1]


@dataclass(frozen=True)
class Pair:
    """One replicate: both branches, and how they differ: as answered minus as proposed, so below 0 favours the answer.

    Args:
        plan: What was asked.
        seed: The run's seed.
        replicate: Whose random numbers both branches drew.
        decision: The decision that was answered, counted from 1.
        layer: The layer it was about.
        step: Optimizer steps done at the fork.
        proposed: The branch with the agent's answer.
        answered: The branch with the other one.
        windows: Held-out sequences per evaluation, the same for both.
        errors: Standard error over windows of the difference at each mark, nats per token: the evaluation's own error,
            to be held against the spread over replicates.
        metric_errors: The same of "last", "last-five" and "averaged".
        threads: CPU threads; results are equal bit for bit at equal threads.
    """

    plan: TwinPlan
    seed: int
    replicate: int
    decision: int
    layer: int
    step: int
    proposed: Twin
    answered: Twin
    windows: int
    errors: tuple[float, ...]
    metric_errors: dict[str, float]
    threads: int

    @property
    def differences(self) -> tuple[float, ...]:
        """Held-out loss as answered minus as proposed at each of the plan's marks, nats per token."""
        return tuple(a - p for a, p in zip(self.answered.losses, self.proposed.losses, strict=True))

    def difference(self, name: Metric = "last") -> float:
        """A metric as answered minus as proposed."""
        return self.answered.metric(name) - self.proposed.metric(name)

    @property
    def held_common(self) -> str:
        """What both branches have in common, as a sentence's object."""
        return (
            f"weights, moments and agent at the fork, batches, dropout masks and the agent's draws of replicate "
            f"{self.replicate}, and {self.windows} {self.plan.split} windows"
        )


def train_pair(
    moment: Session,
    answer: int,
    plan: TwinPlan,
    replicate: int,
    *,
    proposed: int | None = None,
    interleaved: bool = False,
) -> Pair:  # fmt: skip
    """Both futures of a moment in one replicate: as proposed, and as answered.

    The two are equal in all but the answer for the layer at hand: weights, moments, agent, batches, dropout, the
    agent's draws, evaluation windows. Once their maps or weights differ, what an agent that goes on sees differs too,
    and that is part of what is compared (`TwinPlan.after`).

    Args:
        moment: A session at a proposal, which is left as it is (only asked for its proposal).
        answer: The other answer; the proposed one again gives equal twins, bit for bit.
        plan: Horizon, what happens after the fork, evaluations.
        replicate: Names the random numbers from the fork on; the moment's own gives what the run itself will draw.
        proposed: The answer to compare with, in place of the agent's proposal.
        interleaved: Train both step by step in turn, rather than one after the other; the result is the same.

    Raises:
        TieError: An answer that is not legal.
        ConfigError: A bad replicate, no such split, recorded answers that do not fit, or batches that were handed in.
        LayertieError: A decision is under way.
        DivergedError: The loss of a branch is no longer finite.
    """
    check_moment(moment)
    proposal = moment.propose()
    first = proposal.choice if proposed is None else proposed
    for choice in (first, answer):
        moment.ties.answer(proposal.layer, choice)
    plan.check_answers(moment)
    windows = Readings(moment.parts, moment.meter).windows(plan.split, plan.windows)
    futures = [_Future(Branch(moment, choice, plan, replicate), windows) for choice in (first, answer)]
    if interleaved:
        for _ in range(plan.horizon):
            for future in futures:
                future.step()
    else:
        for future in futures:
            for _ in range(plan.horizon):
                future.step()
    one, other = futures
    gaps = [b - a for a, b in zip(one.curve, other.curve, strict=True)]
    tail = torch.stack(gaps[1:][-TAIL:]).mean(0)
    averaged = other.averaged() - one.averaged()
    return Pair(
        plan=plan, seed=moment.key.seed, replicate=replicate, decision=proposal.decision, layer=proposal.layer,
        step=moment.step, proposed=one.twin(first), answered=other.twin(answer), windows=len(windows),
        errors=tuple(map(standard_error, gaps)),
        metric_errors={
            "last": standard_error(gaps[-1]), "last-five": standard_error(tail), "averaged": standard_error(averaged),
        },
        threads=torch.get_num_threads(),
    )  # fmt: skip


class _Future:
    """A branch and its losses so far, evaluated at the plan's marks."""

    def __init__(self, branch: Branch, windows: Tensor) -> None:
        self.branch, self._windows = branch, windows
        self._marks = set(branch.plan.marks)
        self.curve: list[Tensor] = [branch.losses(windows)]
        self._averaged: Tensor | None = None

    def step(self) -> None:
        """One optimizer step, and an evaluation where one is due."""
        self.branch.advance()
        if self.branch.steps in self._marks:
            self.curve.append(self.branch.losses(self._windows))

    def averaged(self) -> Tensor:
        """Losses of the averaged weights, [windows]."""
        if self._averaged is None:
            self._averaged = self.branch.losses(self._windows, averaged=True)
        return self._averaged

    def twin(self, answer: int) -> Twin:
        """What came of it."""
        session = self.branch.session
        return Twin(
            answer=answer,
            losses=tuple(float(losses.mean()) for losses in self.curve),
            averaged_loss=float(self.averaged().mean()),
            trainable_parameters=trainable_parameters(session.model),
            ties=session.ties,
            decisions=tuple(self.branch.decisions),
        )
