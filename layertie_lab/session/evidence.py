"""What a run can tell its agent of ties without training for it: measured when the agent asks, on the run as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from ..agent.protocol import AgentState
from ..training.evidence import forward_passes, gradient_agreement, tie_costs
from .evaluator import Evaluator
from .state import RunState

COST_WINDOWS = 16
"""Windows of the reward split behind tie costs, at most."""
GRADIENT_WINDOWS = 32
"""Windows of the training split behind the agreement of gradients."""
MOST_PASSES = 512
"""Windows x forward passes behind tie costs, at most: as much as some ten optimizer steps of 16 sequences. Where many
ties are possible, each is tried on fewer windows."""


def with_evidence(asked: AgentState, state: RunState, evaluator: Evaluator) -> AgentState:
    """What the agent is asked or told, with `tie_costs` and `agreement` where its policy reads evidence.

    Args:
        asked: The agent's state.
        state: The run, which is looked at and left as it is.
        evaluator: Of the run.
    """
    components = state.components
    if not components.policy.description.reads_evidence:
        return asked
    training, model, device = components.config.training, components.model, components.device

    def measured(measure: Callable[..., Tensor], split: str, count: int) -> Callable[[], NDArray[Any]]:
        def found() -> NDArray[Any]:
            windows = evaluator.windows(split, count)
            with evaluator.meter.evaluating():
                return measure(model, windows, training.batch_size, device, training.precision).numpy()

        return found

    def costs() -> NDArray[Any]:
        count = int(MOST_PASSES / forward_passes(model))
        return measured(tie_costs, "reward", min(COST_WINDOWS, max(2, count)))()

    return replace(asked, tie_costs=costs, agreement=measured(gradient_agreement, "train", GRADIENT_WINDOWS))
