"""What is asked of the two futures of a decision, and one such future, trained step by step."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import get_args

from torch import Tensor

from ..agent.schedule import next_layer
from ..core.decisions import Decision, Proposal
from ..core.errors import ConfigError, LayertieError
from ..core.statements import LEAST_WINDOWS, METRICS, After
from ..session.schedule import EmptySchedule
from ..session.session import Session
from ..training.evaluation import window_losses
from .weight_average import WeightAverage

CURVE_WINDOWS = 32
"""Windows at the marks that only draw the curve. Measured at 6 x 64: ten marks of 64 windows would add 9 % to 100 steps
of 16 sequences, where the 512 windows that count add 7 %."""
AT_ONCE = 4_096
"""Tokens of one forward pass of an evaluation; the losses are the same whatever it is, up to the last bits."""
MARKS = 10
"""Evaluations after the start, where a plan names none."""
TAIL = 5
"""Evaluations behind the metric last-five."""


@dataclass(frozen=True)
class TwinPlan:
    """What is asked of a pair of branches.

    Args:
        horizon: Optimizer steps after the fork, at least 1.
        after: What happens after the fork.
        answers: With after="recorded": one answer for each decision that begins within the horizon, in order.
        checkpoints: Steps after the fork at which both are evaluated; 0 (before any step, with the answer in force) and
            the horizon are always among them. Empty = ten, evenly spread.
        windows: Held-out sequences of an evaluation that counts, at least 512 (all, where the split has fewer): that at
            the horizon, and for last-five those before it too.
        curve_windows: The same of the other marks, which only draw the curve; spread evenly, as those are.
        metrics: What is asked for (keys of `core.statements.METRICS`). What costs an evaluation (last-five, averaged,
            probe) is measured only if it is among them; the others always.
        probe: With "probe" among them: its text.
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
    curve_windows: int = CURVE_WINDOWS
    metrics: tuple[str, ...] = ("last",)
    probe: str = ""
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
        if not _is_whole(self.curve_windows) or self.curve_windows < 2:
            raise ConfigError(
                f"Expected at least 2 windows for the curve, but got {self.curve_windows!r}.", f"Use {CURVE_WINDOWS}."
            )
        for metric in self.metrics:
            if metric not in METRICS:
                raise ConfigError(f"Expected a metric out of {', '.join(METRICS)}, but got {metric!r}.", "Use last.")
        if not 0 <= self.decay < 1:
            raise ConfigError(f"Expected a decay from 0 to below 1, but got {self.decay!r}.", "Use 0.95.")

    @property
    def marks(self) -> tuple[int, ...]:
        """The steps after the fork at which both branches are evaluated, ascending, from 0 to the horizon."""
        chosen = self.checkpoints or tuple(round(self.horizon * part / MARKS) for part in range(1, MARKS))
        return tuple(sorted({0, *chosen, self.horizon}))

    @property
    def full_marks(self) -> frozenset[int]:
        """The marks at which all windows are evaluated."""
        return frozenset(self.marks[1:][-TAIL:] if "last-five" in self.metrics else self.marks[-1:])

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
        # The question was put before the fork: another replicate's agent is not asked it again.
        self.session = moment.fork(replicate, schedule=EmptySchedule(), proposed=True)
        self.layer, self._origin = proposal.layer, self.session.step
        by = "agent" if answer == proposal.choice else "human"
        self.decisions: list[Decision] = [self.session.begin(answer, by)]
        self._average = WeightAverage(self.session.model, plan.decay) if "averaged" in plan.metrics else None
        self._recent: deque[float] = deque(maxlen=moment.config.training.steps_per_decision)

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
            averaged: With the average of the weights along the branch in place of the last ones; only with
                "averaged" among the plan's metrics.
        """
        if averaged:
            assert self._average is not None, "the plan asks for the average"
            with self._average.in_force():
                return self.losses(windows)
        components, training = self.session.components, self.session.config.training
        batch = max(training.batch_size, AT_ONCE // (windows.shape[1] - 1))
        return window_losses(components.model, windows, batch, components.device, training.precision)

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
