"""The policies that a config can name. Each is registered where it is defined, a class or a function that makes it:

MINE = PolicyDescription("mine", "My policy", about="Always ties to layer 0.")

@POLICIES.register(MINE)
class Mine(StatelessPolicy): ...

Their modules load no torch, so that help and the explorer's first page can list them; what learns with torch is loaded
when it is made.
"""

from __future__ import annotations

from collections.abc import Callable

from ...core.config import RunConfig
from ...core.descriptions import Registry
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import Policy
from ..rewards.registry import REWARDS

Maker = Callable[[RunConfig, RewardDescription], Policy]
"""Makes a policy, in its initial state, from a run's config and what the run's reward says of itself."""

POLICIES: Registry[PolicyDescription, Maker] = Registry(
    "policy",
    [
        f"layertie_lab.agent.policies.{module}"
        for module in (
            *("lab", "paper", "random", "fixed", "human", "lookahead", "share_then_unshare", "annealing"),
            *("hill_climbing", "ucb", "tie_once"),
        )
    ],
    "layertie_lab.policies",
)
"""Name -> what makes it; a package brings its own in the entry-point group `layertie_lab.policies`."""


def make_policy(config: RunConfig, told: RewardDescription | None = None) -> Policy:
    """The policy that a config names, in its initial state.

    Args:
        config: The run's settings.
        told: What its reward says of itself; None = the one that the config names.

    Raises:
        ConfigError: No such policy or reward.
    """
    return POLICIES.get(config.agent.policy)(config, told or REWARDS.describe(config.reward.kind))
