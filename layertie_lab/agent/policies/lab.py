"""The lab agent, as `agent.learner` says, and the one of the version before.

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
    about="Begins with the map that recorded runs speak for, measures what ties cost, and moves only where that pays; "
    "agent.learner names others.",
    unit="units of reward",
    meaning="the change of reward that the action brings; 0 = keep the present tie",
    reads="what it measures of ties, the whole map, or the layer and the action, as agent.learner says",
    values="changes",
)
LAB_1 = PolicyDescription(
    "lab-1",
    "Lab agent, version 1",
    about="The lab agent before it measured ties: Thompson sampling over features of whole maps, from rewards alone.",
    unit="units of reward",
    meaning="the change of reward that the action brings; 0 = keep the present tie",
    reads="a linear model of the whole map that the present sweep is planned to end in",
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
    if agent.learner == "linear":
        from .linear import LinearThompson

        # It estimates the trend along with the rest.
        return LinearThompson(layers, agent, key, level=level)
    from .evidence import EvidenceAgent

    return EvidenceAgent(config, level=level, detrend=detrend)


@POLICIES.register(LAB_1)
def lab_1(config: RunConfig, told: RewardDescription) -> Policy:
    """The linear learner, whatever agent.learner says."""
    from .linear import LinearThompson

    key = RunKey(config.seed, config.replicate)
    return LinearThompson(config.model.layers, config.agent, key, level=told.level, description=LAB_1)
