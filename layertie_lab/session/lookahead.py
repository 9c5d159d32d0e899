"""Trying an action out before it is taken: what a look-ahead policy asks a run for."""

from __future__ import annotations

from dataclasses import replace

from ..agent.protocol import AgentState
from ..training.evaluation import evaluate
from .evaluator import Evaluator
from .state import RunState


def with_trials(asked: AgentState, state: RunState, evaluator: Evaluator) -> AgentState:
    """What the agent is asked, with `lookahead` where the policy looks ahead; other policies need not pay for it.

    Args:
        asked: What the policy is to be asked.
        state: The run, whose machinery a trial copies and leaves as it is.
        evaluator: Of the run; trials are measured on `reward.windows` windows of the reward split.
    """
    components = state.components
    if not components.policy.description.looks_ahead:
        return asked
    step = state.step

    def loss(action: int) -> float:
        twin = components.fork()
        twin.optimizer.apply(twin.model.stack.retie(asked.layer, action))
        for ahead in range(step, step + components.config.training.steps_per_decision):
            # The steps that the decision itself will make: same batches, same dropout.
            twin.trainer.step(twin.training_batches(ahead), ahead)
        windows = evaluator.windows("reward", components.config.reward.windows)
        training = components.config.training
        return evaluate(twin.model, windows, training.batch_size, components.device, training.precision).loss

    return replace(asked, lookahead=loss)
