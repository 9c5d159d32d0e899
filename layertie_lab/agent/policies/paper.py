"""The Q-learner, as the paper describes it and as the official code runs it.

`qlearning` is imported when one is made: it loads torch, and this file is read for every `--help`.
"""

from __future__ import annotations

from dataclasses import replace

from ...core.config import RunConfig
from ...core.keys import RunKey
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import Policy
from .registry import POLICIES

PAPER = PolicyDescription(
    "paper",
    "Q-learner (paper)",
    about="Q-learning with one network for all layers, epsilon-greedy, as the paper's text says.",
    unit="units of reward",
    meaning="the discounted sum of the rewards that follow the action",
    reads="a network of the whole tie map",
    source="Hay & Wolf (ICLR 2024), section 3",
    values="returns",
    draws=True,
    learning={"td_error": "temporal-difference error"},
)
OFFICIAL_CODE = replace(
    PAPER,
    name="official-code",
    title="Q-learner (official code)",
    about="Q-learning with one network for all layers, epsilon-greedy, as the official code runs it.",
    source="the official code of Hay & Wolf (ICLR 2024)",
)


@POLICIES.register(PAPER, OFFICIAL_CODE)
def q_learner(config: RunConfig, told: RewardDescription) -> Policy:
    """The Q-learner of the paper or of the official code."""
    from .qlearning import QLearner

    description = OFFICIAL_CODE if config.agent.policy == OFFICIAL_CODE.name else PAPER
    return QLearner(config.model.layers, config.agent, RunKey(config.seed, config.replicate), description)
