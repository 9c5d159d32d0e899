"""Paired runs (twins): two futures of one moment that differ in one action, trained on common random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..agent.schedule import next_layer
from ..core.decisions import Decision
from ..core.errors import ConfigError, CorpusError, DivergedError
from ..core.measures import perplexity
from ..core.ties import TieMap
from ..models.counts import trainable_parameters
from ..session.session import Session
from ..text.batches import windows
from ..training.evaluation import standard_error
from .branch import Branch, check_moment
from .spec import METRICS, StudySpec, TwinPlan

CURVE_WINDOWS = 32
"""Windows that draw the curve, some of those that count, the same at each mark and at the horizon: so no line has a
step at its end that comes from the text. Measured at 6 x 64: ten marks of 64 windows would add 9 % to 100 steps of 16
sequences, where the 512 windows that count add 7 %; at 12 x 64 all of 329 at ten marks add 42 %."""
TAIL = 5
"""Evaluations behind the metric last-five."""
Tick = Callable[[int], object]
"""Called with the optimizer steps of both branches so far."""


@dataclass(frozen=True)
class Twin:
    """What came of one branch.

    Args:
        action: The one it began with.
        losses: Held-out loss at each of `TwinPlan.evaluated_at`, nats per token, on `Pair.curve_windows` windows.
        metrics: Name -> value at the horizon (`spec.METRICS`): what is asked for, and what is free. Held-out losses are
            on `TwinPlan.windows` windows.
        ties: The tie map at the horizon.
        decisions: All of them, the first one included.
    """

    action: int
    losses: tuple[float, ...]
    metrics: dict[str, float]
    ties: TieMap
    decisions: tuple[Decision, ...]

    def metric(self, name: str) -> float:
        """One of the metrics.

        Raises:
            ConfigError: It was not asked for.
        """
        if name not in self.metrics:
            raise ConfigError(
                f"Expected a metric that was measured ({', '.join(self.metrics)}), but got {name!r}.",
                "Make it the plan's metric, or name it in `also`.",
            )
        return self.metrics[name]


@dataclass(frozen=True)
class Pair:
    """One replicate: both branches, and how they differ: as chosen minus as proposed, so below 0 favours the
    other action.

    Args:
        plan: What was asked.
        seed: The run's seed.
        replicate: Whose random numbers both branches drew.
        decision: The decision in question, counted from 1.
        layer: The layer it was about.
        step: Optimizer steps done at the fork.
        proposed: The branch with the agent's action.
        answered: The branch with the other one.
        windows: Held-out sequences of an evaluation that counts, the same for both.
        curve_windows: Those of them that draw the curve.
        errors: Standard error over these of the difference at each evaluation, nats per token.
        metric_errors: The same of the metrics that are losses on windows, over all that count: the evaluation's own
            error, to be held against the spread over replicates.
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
    curve_windows: int
    errors: tuple[float, ...]
    metric_errors: dict[str, float]
    threads: int

    @property
    def differences(self) -> tuple[float, ...]:
        """Held-out loss as chosen minus as proposed at each of the plan's evaluations, nats per token: the curve."""
        return tuple(a - p for a, p in zip(self.answered.losses, self.proposed.losses, strict=True))

    def difference(self, name: str = "last") -> float:
        """A metric as chosen minus as proposed."""
        return self.answered.metric(name) - self.proposed.metric(name)


def train_pair(
    moment: Session,
    action: int,
    plan: TwinPlan,
    replicate: int,
    *,
    proposed: int | None = None,
    also: Sequence[str] = (),
    curve_windows: int = CURVE_WINDOWS,
    interleaved: bool = False,
    tick: Tick | None = None,
) -> Pair:
    """Both futures of a moment in one replicate: as proposed, and as chosen.

    The two are equal in all but the action for the layer at hand: weights, optimizer state, agent, batches, dropout,
    the agent's draws, evaluation windows. Once their maps or weights differ, what an agent that goes on sees differs
    too, and that is part of what is compared (`TwinPlan.after`).

    Args:
        moment: A session at a proposal, which is left as it is (only asked for its proposal).
        action: The other one than proposed; the proposed one again gives equal twins, bit for bit.
        plan: Horizon, what happens after the fork, evaluations; a `StudySpec` is one.
        replicate: Names the random numbers from the fork on; the moment's own gives what the run itself will draw.
        proposed: The action to compare with, in place of the agent's proposal.
        also: Further metrics that cost an evaluation (last-five, averaged, probe) beside the plan's own; those that
            cost none are always measured.
        curve_windows: Of the held-out sequences that count, so many draw the curve, spread evenly; 2 or more.
        interleaved: Train both step by step in turn, rather than one after the other; the result is the same.
        tick: Told after every step; what it raises ends the call.

    Raises:
        TieError: An action that is not legal.
        ConfigError: A bad replicate, no such metric, recorded actions that do not fit, or batches that were handed in.
        LayertieError: A decision is under way.
        DivergedError: The loss of a branch is no longer finite; the message says of which.
    """
    check_moment(moment)
    proposal = moment.propose()
    first = proposal.choice if proposed is None else proposed
    metrics = (plan.metric, *also)
    for metric in metrics:
        if metric not in METRICS:
            raise ConfigError(f"Expected a metric out of {', '.join(METRICS)}, but got {metric!r}.", "Use last.")
    if curve_windows < 2:
        raise ConfigError(
            f"Expected at least 2 windows for the curve, but got {curve_windows!r}.", f"Use {CURVE_WINDOWS}."
        )
    check_twins(moment, (first, action), plan)
    windows = _Windows.of(moment, plan, metrics, curve_windows)
    names = ("as proposed", "as chosen")
    futures = [
        _Future(moment, choice, plan, replicate, metrics, windows, f"{name} ({choice})")
        for choice, name in zip((first, action), names, strict=True)
    ]
    for turn in range(2 * plan.horizon):
        futures[turn % 2 if interleaved else turn // plan.horizon].step()
        if tick is not None:
            tick(turn + 1)
    one, other = futures
    gaps = [b - a for a, b in zip(one.curve, other.curve, strict=True)]
    counted = [b - a for a, b in zip(one.counted, other.counted, strict=True)]
    errors = {"last": standard_error(counted[-1])}
    if "last-five" in metrics:
        errors["last-five"] = standard_error(torch.stack(counted).mean(0))
    if "averaged" in metrics:
        errors["averaged"] = standard_error(other.averaged() - one.averaged())
    if "probe" in metrics:
        errors["probe"] = standard_error(other.probed() - one.probed())
    return Pair(
        plan=plan,
        seed=moment.key.seed,
        replicate=replicate,
        decision=proposal.decision,
        layer=proposal.layer,
        step=moment.step,
        proposed=one.twin(first),
        answered=other.twin(action),
        windows=len(windows.full),
        curve_windows=len(windows.curve),
        errors=tuple(map(standard_error, gaps)),
        metric_errors=errors,
        threads=torch.get_num_threads(),
    )


def check_twins(moment: Session, actions: Iterable[int], plan: TwinPlan) -> None:
    """Refuse what `train_pair` could not do, before the effort.

    Raises:
        LayertieError: As `train_pair`, but for a loss that is no longer finite.
    """
    check_moment(moment)
    layer = moment.propose().layer
    for action in actions:
        ties = moment.ties.act(layer, action)
        if plan.after == "recorded":
            _check_recorded(moment, ties, plan)
    _Windows.of(moment, plan, (plan.metric,), CURVE_WINDOWS)


def check_study(moment: Session, spec: StudySpec) -> None:
    """Refuse a study that is not about this moment, or asks for what cannot be.

    Raises:
        LayertieError: It does.
    """
    proposal = moment.propose()
    stated = (spec.decision, spec.layer, spec.step)
    found = (proposal.decision, proposal.layer, moment.step)
    if stated != found:
        raise ConfigError(
            f"Expected a moment at decision {stated[0]}, layer {stated[1]}, step {stated[2]}, but it is at decision "
            f"{found[0]}, layer {found[1]}, step {found[2]}.",
            "State it about the moment that is stored.",
        )
    check_twins(moment, (spec.proposed, spec.answered), spec)


def _check_recorded(moment: Session, ties: TieMap, plan: TwinPlan) -> None:
    """Refuse recorded actions that are too few, or not legal one after the other from a branch's first map on."""
    wanted, layers = plan.decisions(moment.config.training.steps_per_decision), moment.config.model.layers
    if len(plan.answers) < wanted:
        raise ConfigError(
            f"Expected {wanted} recorded actions for the decisions that begin within {plan.horizon} steps, but got "
            f"{len(plan.answers)}.",
            "Give more of them, or a shorter horizon.",
        )
    for number, action in enumerate(plan.answers[:wanted], moment.decision + 2):
        _, layer = next_layer(number, layers)
        legal = moment.rules.legal(ties, layer)
        if type(action) is not int or action not in legal:
            raise ConfigError(
                f"Expected a recorded action out of {list(legal)} for decision {number} (layer {layer}), but got "
                f"{action!r}.",
                "The record may come from a run of another depth or under other rules.",
            )
        ties = ties.act(layer, action)


@dataclass(frozen=True)
class _Windows:
    """What both branches are evaluated on, [count, context + 1] each.

    Args:
        full: Where it counts.
        places: Which of them draw the curve, [curve windows].
        probe: The probe's text; None without one.
    """

    full: Tensor
    places: Tensor
    probe: Tensor | None

    @property
    def curve(self) -> Tensor:
        """Those that draw the curve."""
        return self.full[self.places]

    @classmethod
    def of(cls, moment: Session, plan: TwinPlan, metrics: Sequence[str], curve_windows: int) -> _Windows:
        full = moment.evaluator.windows(plan.split, plan.windows)
        count = min(curve_windows, len(full))
        places = torch.arange(count, device=full.device) * (len(full) - 1) // max(count - 1, 1)
        probe = probe_windows(moment, plan.probe) if "probe" in metrics else None
        return cls(full, places, probe)


def probe_windows(moment: Session, text: str) -> Tensor:
    """A text as sequences of the run's tokens, [count, context + 1]; what does not fill a sequence at its end is cut.

    Raises:
        CorpusError: Characters that the tokenizer does not know, or fewer tokens than a sequence has.
    """
    context = moment.config.model.context
    tokens = np.asarray(moment.data.tokenizer.encode(text))
    if len(tokens) <= context:
        raise CorpusError(
            f"Expected a probe of at least {context + 1} tokens, but got {len(tokens)}.", "Give a longer text."
        )
    return windows(tokens, context, (len(tokens) - 1) // context)


class _Future:
    """A branch and its losses so far, evaluated where the plan says."""

    def __init__(
        self,
        moment: Session,
        action: int,
        plan: TwinPlan,
        replicate: int,
        metrics: Sequence[str],
        windows: _Windows,
        name: str,
    ) -> None:
        self.branch = Branch(moment, action, plan, replicate, averaged="averaged" in metrics)
        self._metrics, self._windows, self._name = metrics, windows, name
        self._due = set(plan.evaluated_at)
        self._counting = set(plan.evaluated_at[1:][-TAIL:] if "last-five" in metrics else plan.evaluated_at[-1:])
        self.curve: list[Tensor] = [self.branch.losses(windows.curve)]
        self.counted: list[Tensor] = []
        self._averaged: Tensor | None = None
        self._probed: Tensor | None = None

    def step(self) -> None:
        """One optimizer step, and an evaluation where one is due."""
        try:
            self.branch.advance()
        except DivergedError as error:
            raise DivergedError(f"In the branch {self._name}: {error.message}", error.remedy) from None
        if self.branch.steps in self._counting:
            self.counted.append(self.branch.losses(self._windows.full))
            self.curve.append(self.counted[-1][self._windows.places.to(self.counted[-1].device)])
        elif self.branch.steps in self._due:
            self.curve.append(self.branch.losses(self._windows.curve))

    def averaged(self) -> Tensor:
        """Losses of the averaged weights, [windows]."""
        if self._averaged is None:
            self._averaged = self.branch.losses(self._windows.full, averaged=True)
        return self._averaged

    def probed(self) -> Tensor:
        """Losses on the probe's text, [sequences]."""
        assert self._windows.probe is not None, "the probe is asked for"
        if self._probed is None:
            self._probed = self.branch.losses(self._windows.probe)
        return self._probed

    def twin(self, action: int) -> Twin:
        """What came of it."""
        session, asked = self.branch.session, self._metrics
        losses = tuple(float(losses.mean()) for losses in self.curve)
        counted = [float(losses.mean()) for losses in self.counted]
        metrics = {
            "last": counted[-1],
            "perplexity": perplexity(counted[-1]),
            "train-loss": self.branch.train_loss,
            "trainable_parameters": float(trainable_parameters(session.model)),
            "memory": float(sum(session.evaluator.memory().values())),
        }
        if "last-five" in asked:
            metrics["last-five"] = sum(counted) / len(counted)
        if "averaged" in asked:
            metrics["averaged"] = float(self.averaged().mean())
        if "probe" in asked:
            metrics["probe"] = float(self.probed().mean())
        return Twin(action, losses, metrics, session.ties, tuple(self.branch.decisions))
