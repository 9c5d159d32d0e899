"""Which layer is asked about at which decision, and how much is explored there."""

from __future__ import annotations

from ..core.config import AgentConfig


def next_layer(decision: int, layers: int) -> tuple[int, int]:
    """The episode and the layer of a decision: layers 1 .. L-1 in order, over and over (Hay & Wolf, section 3).

    Args:
        decision: Counted from 1.
        layers: Depth of the model, at least 2. Layer 0 is always independent and is never asked about.

    Returns:
        (episode, layer): the sweep over the layers, counted from 1, and the layer.
    """
    sweeps, offset = divmod(decision - 1, layers - 1)
    return sweeps + 1, offset + 1


def exploration(decision: int, budget: int, config: AgentConfig) -> float:
    """How much to explore: linear from `epsilon_start` to `epsilon_floor` over `explore_share` of the budget."""
    done = min(1.0, (decision - 1) / (config.explore_share * budget))
    return config.epsilon_start + (config.epsilon_floor - config.epsilon_start) * done
