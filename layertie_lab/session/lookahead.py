"""Trying an answer out before it is given: what a look-ahead policy asks a run for."""

from __future__ import annotations

from dataclasses import replace

from ..agent.protocol import AgentState
from ..training.evaluation import evaluate
from .components import Components
from .evaluator import Evaluator


def with_trials(state: AgentState, parts: Components, readings: Evaluator, step: int) -> AgentState:
    """The state, with `lookahead` where the policy looks ahead; other policies need not pay for it.

    Args:
        state: What the policy is to be asked.
        parts: The run's machinery, which a trial copies and leaves as it is.
        readings: Of the run; trials are measured on `reward.windows` windows of the reward split.
        step: Optimizer steps done.
    """
    if not getattr(parts.policy, "looks_ahead", False):
        return state

    def loss(answer: int) -> float:
        twin = parts.fork()
        twin.optimizer.apply(twin.model.stack.retie(state.layer, answer))
        for ahead in range(step, step + parts.config.training.steps_per_decision):
            # The steps that the decision itself will make: same batches, same dropout.
            twin.trainer.step(twin.training_batches(ahead), ahead)
        windows = readings.windows("reward", parts.config.reward.windows)
        training = parts.config.training
        return evaluate(twin.model, windows, training.batch_size, parts.device, training.precision).loss

    return replace(state, lookahead=loss)
