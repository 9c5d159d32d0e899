"""The policy that a config names."""

from __future__ import annotations

from ...core.config import RunConfig
from ...core.keys import RunKey
from ...core.patterns import PATTERNS, pattern
from ..protocol import Policy
from .advantage import AdvantageLearner
from .annealing import Annealing
from .fixed import FixedPolicy, HumanPolicy, ShareThenUnshare
from .linear import LinearThompson
from .lookahead import LookAhead
from .qlearning import QLearner
from .random import RandomPolicy
from .thompson import GaussianThompson


def make_policy(config: RunConfig) -> Policy:
    """The policy of a run, in its initial state."""
    agent, layers = config.agent, config.model.layers
    name, key = agent.policy, RunKey(config.seed, config.replicate)
    if name in PATTERNS:
        return FixedPolicy(pattern(name, layers, agent.blocks or None), name)
    if name == "human":
        return HumanPolicy()
    if name == "random":
        return RandomPolicy()
    if name == "random-matched":
        return RandomPolicy(agent.blocks or max(1, layers // 3), name)
    if name == "share-then-unshare":
        return ShareThenUnshare(agent.unshare_at)
    if name == "look-ahead":
        return LookAhead()
    if name in ("paper", "official-code"):
        return QLearner(layers, agent, key, name)
    level = config.reward.kind == "negative-perplexity"
    detrend = config.reward.kind != "improvement-over-trend"
    if name == "annealing":
        return Annealing(layers, agent, level=level, detrend=detrend)
    if agent.learner == "gaussian":
        return GaussianThompson(layers, agent, level=level, detrend=detrend, name=name)
    if agent.learner == "advantage":
        return AdvantageLearner(layers, agent, key, level=level, detrend=detrend, name=name)
    # The linear learner estimates the trend along with the rest.
    return LinearThompson(layers, agent, key, level=level, name=name)
