"""The live charts of a run, at the top of the page."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..agent.descriptions import RewardDescription
from ..agent.policies.registry import POLICIES
from ..agent.rewards.registry import REWARDS
from ..charts.run.live import live_spec
from ..core.config import RunConfig

HEIGHT = 114
"""Of each plot at least, pixels: four of them stand on a screen of 768."""
INSTEAD_OF = {"Perplexity": "Loss", "Distinct blocks": "Trainable parameters", "Epsilon": "Reward"}
"""Title -> that of the panel in whose place it can be shown."""


def kind_of(config: RunConfig) -> tuple[Any, ...]:
    """What the live panels depend on: equal for two runs that can be drawn in the same ones."""
    told = REWARDS.find(config.reward.kind) or RewardDescription(config.reward.kind, config.reward.kind)
    agent = POLICIES.find(config.agent.policy)
    return config.training.steps_per_decision, told, agent is not None and agent.draws


def panels(config: RunConfig) -> dict[str, Any]:
    """Title -> spec of the live panels."""
    return _panels(*kind_of(config))


@cache
def _panels(steps: int, told: RewardDescription, draws: bool) -> dict[str, Any]:
    def spec(name: str, height: int, **options: Any) -> dict[str, Any]:
        return live_spec(name, steps_per_decision=steps, height=height, **options)

    return {
        "Loss": spec("loss", HEIGHT),
        "Perplexity": spec("perplexity", HEIGHT),
        "Trainable parameters": spec("parameters", HEIGHT),
        "Distinct blocks": spec("blocks", HEIGHT),
        "Reward": spec("reward", HEIGHT, title=told.axis, caption=told.about),
        **({"Epsilon": spec("epsilon", HEIGHT)} if draws else {}),
        "Memory": spec("memory", HEIGHT),
    }
