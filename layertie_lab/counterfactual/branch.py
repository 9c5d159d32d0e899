"""One of the two futures of a decision, trained step by step."""

from __future__ import annotations

from collections import deque

from torch import Tensor

from ..core.decisions import Decision, Proposal
from ..core.errors import LayertieError
from ..session.schedule import EmptySchedule
from ..session.session import Session
from ..training.evaluation import window_losses
from .spec import TwinPlan
from .weight_average import WeightAverage

AT_ONCE = 4_096
"""Tokens of one forward pass of an evaluation; the losses are the same whatever it is, up to the last bits."""


class Branch:
    """One future of a moment: a fork of it with one action applied, trained one optimizer step at a time.

    Args:
        moment: A session at a proposal; it is left as it is.
        action: For the proposed layer.
        plan: What is asked.
        replicate: Whose random numbers it draws; None = the moment's own.
        averaged: Keep the average of the weights along the branch, which costs a copy of them.

    Raises:
        TieError: The action is not legal.
        LayertieError: A decision is under way.
    """

    def __init__(
        self, moment: Session, action: int, plan: TwinPlan, replicate: int | None = None, *, averaged: bool = False
    ) -> None:
        check_moment(moment)
        self.plan, proposal = plan, moment.propose()
        # The question was put before the fork: another replicate's agent is not asked it again.
        self.session = moment.fork(replicate, schedule=EmptySchedule(), proposed=True)
        self.layer, self._origin = proposal.layer, self.session.step
        by = "agent" if action == proposal.choice else "human"
        self.decisions: list[Decision] = [self.session.begin(action, by)]
        self._average = WeightAverage(self.session.model, plan.decay) if averaged else None
        self._recent: deque[float] = deque(maxlen=moment.config.training.steps_per_decision)

    @property
    def steps(self) -> int:
        """Optimizer steps since the fork."""
        return self.session.step - self._origin

    def advance(self) -> None:
        """One optimizer step, and what the plan says comes before it: learning from a decision, the next action.

        Raises:
            DivergedError: The loss is not finite.
        """
        session = self.session
        if session.phase == "training" and not session.pending_steps:
            session.finish()
        if session.phase == "propose" and self.plan.after != "hold":
            self.decisions.append(session.begin(*self._action(session.propose())))
        result = session.advance() if session.phase == "training" else session.advance_held()
        self._recent.append(result.loss)
        if self._average is not None:
            self._average.update()

    @property
    def train_loss(self) -> float:
        """Mean training loss of the last steps_per_decision steps, nats per token."""
        return sum(self._recent) / len(self._recent)

    def losses(self, windows: Tensor, *, averaged: bool = False) -> Tensor:
        """The loss on each window, nats per token, [windows] float64.

        Args:
            windows: Tokens, [windows, context + 1].
            averaged: With the average of the weights along the branch in place of the last ones; only where it is
                kept.
        """
        if averaged:
            assert self._average is not None, "the average is kept"
            with self._average.applied():
                return self.losses(windows)
        components, training = self.session.components, self.session.config.training
        batch = max(training.batch_size, AT_ONCE // (windows.shape[1] - 1))
        return window_losses(components.model, windows, batch, components.device, training.precision)

    def _action(self, proposal: Proposal) -> tuple[int, str]:
        """(action, by whom) for a decision after the fork."""
        if self.plan.after == "recorded":
            return self.plan.answers[len(self.decisions) - 1], "replay"
        if self.plan.after == "continue-locked" and proposal.layer == self.layer:
            return proposal.present, "lock"
        return proposal.choice, "agent"


def check_moment(moment: Session) -> None:
    """Refuse a session that is in the middle of a decision.

    Raises:
        LayertieError: It is.
    """
    if moment.phase != "propose":
        raise LayertieError(
            f"Expected a moment at a proposal, but decision {moment.decision} is under way.",
            "Complete it first, or branch from the moment before it.",
        )
