"""The lab agent: one of three learners, as `agent.learner` says.

They are imported when one is made: they load torch, and this file is read for every `--help`.
"""

from __future__ import annotations

from ...core.config import RunConfig
from ...core.keys import RunKey
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import Policy
from .registry import POLICIES

LAB = PolicyDescription(
    "lab",
    "Lab agent",
    about="Learns what maps are worth from the changes of reward that its actions bring; how, agent.learner says.",
    unit="units of reward",
    meaning="the change of reward that the action brings; 0 = keep the present tie",
    reads="the whole map, or the layer and the action, as agent.learner says",
    values="changes",
)


@POLICIES.register(LAB)
def lab(config: RunConfig, told: RewardDescription) -> Policy:
    """The learner that the config names."""
    agent, layers, key = config.agent, config.model.layers, RunKey(config.seed, config.replicate)
    level, detrend = told.level, not told.detrended
    if agent.learner == "gaussian":
        from .thompson import GaussianThompson

        return GaussianThompson(layers, agent, level=level, detrend=detrend)
    if agent.learner == "advantage":
        from .advantage import AdvantageLearner

        return AdvantageLearner(layers, agent, key, level=level, detrend=detrend)
    from .linear import LinearThompson

    # It estimates the trend along with the rest.
    return LinearThompson(layers, agent, key, level=level)
