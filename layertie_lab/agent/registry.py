"""The policy that a config names."""

from __future__ import annotations

from ..core.config import RunConfig
from ..core.keys import RunKey
from ..core.patterns import PATTERNS, pattern
from .chance import RandomPolicy
from .fixed import FixedPolicy, HumanPolicy
from .linear import LinearThompson
from .protocol import Policy
from .qlearning import QLearner


def make_policy(config: RunConfig) -> Policy:
    """The policy of a run, in its initial state."""
    name, layers = config.agent.policy, config.model.layers
    key = RunKey(config.seed, config.replicate)
    if name in PATTERNS:
        return FixedPolicy(pattern(name, layers, config.agent.blocks or None), name)
    if name == "human":
        return HumanPolicy()
    if name == "random":
        return RandomPolicy()
    if name == "lab":
        level = config.reward.kind == "negative-perplexity"
        return LinearThompson(layers, config.agent, key, level=level, name=name)
    return QLearner(layers, config.agent, key, name)
