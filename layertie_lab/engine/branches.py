"""What is asked of the two futures of a decision, and one such future, trained step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from ..agent.schedule import next_layer
from ..core.decisions import Decision, Proposal
from ..core.errors import ConfigError, LayertieError
from ..training.evaluation import window_losses
from .agenda import EmptyAgenda
from .averaging import WeightAverage
from .session import Session

After = Literal["hold", "continue", "continue-locked", "recorded"]
"""What happens after the fork. hold: the map stays, there are no further decisions. continue: the agent goes on in both
branches. continue-locked: it goes on, but the layer that was answered keeps its source (it may still follow when its
source is re-tied; with ties.chain=snapshot it takes its source's block anew when its turn comes, as any answer does).
recorded: a given list of answers, the same in both branches."""

LEAST_WINDOWS = 512
"""Fewer evaluation windows let the evaluation's own error drown a tie's effect of some thousandths of a nat."""
MARKS = 10
"""Evaluations after the start, where a plan names none."""


@dataclass(frozen=True)
class TwinPlan:
    """What is asked of a pair of branches.

    Args:
        horizon: Optimizer steps after the fork, at least 1.
        after: What happens after the fork.
        answers: With after="recorded": one answer for each decision that begins within the horizon, in order.
        checkpoints: Steps after the fork at which both are evaluated; 0 (before any step, with the answer in force) and
            the horizon are always among them. Empty = ten, evenly spread.
        windows: Held-out sequences per evaluation, at least 512 (all, where the split has fewer).
        split: Which held-out text: validation, reward or test.
        decay: Of the average of the weights along the branch, 0 to below 1; it remembers about 1 / (1 - decay) steps.

    Raises:
        ConfigError: A value out of range, an unknown `after`, or answers without after="recorded" (or the reverse).
    """

    horizon: int
    after: After = "continue-locked"
    answers: tuple[int, ...] | None = None
    checkpoints: tuple[int, ...] = ()
    windows: int = LEAST_WINDOWS
    split: str = "validation"
    decay: float = 0.95

    def __post_init__(self) -> None:
        if not _is_whole(self.horizon) or self.horizon < 1:
            raise ConfigError(
                f"Expected a horizon of 1 optimizer step or more, but got {self.horizon!r}.",
                "At 0 steps there is nothing to compare but the answer itself; try 100.",
            )
        if self.after not in get_args(After):
            raise ConfigError(
                f"Expected what happens after the fork to be one of {', '.join(get_args(After))}, but got "
                f"{self.after!r}.",
                "Use continue-locked.",
            )
        if (self.after == "recorded") != (self.answers is not None):
            raise ConfigError(
                f"Expected a list of answers with after=recorded and none otherwise, but got after={self.after} with "
                f"{'no list' if self.answers is None else list(self.answers)}.",
                "Set both, or neither.",
            )
        for step in self.checkpoints:
            if not _is_whole(step) or not 0 <= step <= self.horizon:
                raise ConfigError(
                    f"Expected checkpoints from 0 to the horizon of {self.horizon} steps, but got {step!r}.",
                    "They count optimizer steps after the fork.",
                )
        if not _is_whole(self.windows) or self.windows < LEAST_WINDOWS:
            raise ConfigError(
                f"Expected at least {LEAST_WINDOWS} evaluation windows, but got {self.windows!r}.",
                "With fewer the evaluation's own error hides what a single tie does.",
            )
        if not 0 <= self.decay < 1:
            raise ConfigError(f"Expected a decay from 0 to below 1, but got {self.decay!r}.", "Use 0.95.")

    @property
    def marks(self) -> tuple[int, ...]:
        """The steps after the fork at which both branches are evaluated, ascending, from 0 to the horizon."""
        chosen = self.checkpoints or tuple(round(self.horizon * part / MARKS) for part in range(1, MARKS))
        return tuple(sorted({0, *chosen, self.horizon}))

    def decisions(self, steps_per_decision: int) -> int:
        """How many decisions begin within the horizon after the one that was answered, unless the map is held."""
        return (self.horizon - 1) // steps_per_decision

    def check_answers(self, moment: Session) -> None:
        """Refuse recorded answers that are too few or not legal after this moment.

        Raises:
            ConfigError: They are.
        """
        if self.answers is None:
            return
        wanted, layers = self.decisions(moment.config.training.steps_per_decision), moment.config.model.layers
        if len(self.answers) < wanted:
            raise ConfigError(
                f"Expected {wanted} recorded answers for the decisions that begin within {self.horizon} steps, but got "
                f"{len(self.answers)}.",
                "Give more of them, or a shorter horizon.",
            )
        for number, answer in enumerate(self.answers[:wanted], moment.decision + 2):
            _, layer = next_layer(number, layers)
            if not _is_whole(answer) or not 0 <= answer <= layer:
                raise ConfigError(
                    f"Expected a recorded answer from 0 to {layer} for decision {number} (layer {layer}), but got "
                    f"{answer!r}.",
                    "The record may come from a run of another depth.",
                )


class Branch:
    """One future of a moment: a fork of it with one answer in force, trained one optimizer step at a time.

    Args:
        moment: A session at a proposal; it is left as it is.
        answer: For the proposed layer.
        plan: What is asked.
        replicate: Whose random numbers it draws; None = the moment's own.

    Raises:
        TieError: The answer is not legal.
        LayertieError: A decision is under way.
    """

    def __init__(self, moment: Session, answer: int, plan: TwinPlan, replicate: int | None = None) -> None:
        check_moment(moment)
        self.plan, proposal = plan, moment.propose()
        self.session = moment.fork(replicate)
        self.session.agenda = EmptyAgenda(moment.best)
        # The question was put before the fork: another replicate's agent is not asked it again.
        self.session._proposal = proposal
        self.layer, self._origin = proposal.layer, self.session.step
        by = "agent" if answer == proposal.choice else "human"
        self.decisions: list[Decision] = [self.session.begin(answer, by)]
        self._average = WeightAverage(self.session.model, plan.decay)

    @property
    def steps(self) -> int:
        """Optimizer steps since the fork."""
        return self.session.step - self._origin

    def advance(self) -> None:
        """One optimizer step, and what the plan says comes before it: learning from a decision, the next answer.

        Raises:
            DivergedError: The loss is not finite.
        """
        session = self.session
        if session.phase == "training" and not session.pending_steps:
            session.finish()
        if session.phase == "propose" and self.plan.after != "hold":
            self.decisions.append(session.begin(*self._answer(session.propose())))
        if session.phase == "training":
            session.advance()
        else:
            with session.meter.training():
                session.parts.trainer.step(session.parts.training_batches(session.step), session.step)
            session.step += 1
        self._average.update()

    def losses(self, windows: Tensor, *, averaged: bool = False) -> Tensor:
        """The loss on each window, nats per token, [windows] float64.

        Args:
            windows: Tokens, [windows, context + 1].
            averaged: With the average of the weights along the branch in place of the last ones.
        """
        if averaged:
            with self._average.in_force():
                return self.losses(windows)
        parts, training = self.session.parts, self.session.config.training
        return window_losses(parts.model, windows, training.batch_size, parts.device, training.precision)

    def _answer(self, proposal: Proposal) -> tuple[int, str]:
        """(answer, by whom) for a decision after the fork."""
        if self.plan.answers is not None:
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


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
