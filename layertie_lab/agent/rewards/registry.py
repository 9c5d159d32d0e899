"""The rewards that a config can name. Each is registered where it is defined, with how it is made:

MINE = RewardDescription("mine", "My reward", about="Minus the loss.", unit="nats/token", level=True)

@REWARDS.register(MINE)
class Mine: ...
"""

from __future__ import annotations

from collections.abc import Callable

from ...core.config import RunConfig
from ...core.descriptions import Registry
from ..descriptions import RewardDescription
from .charges import Clipped, Priced, Targeted
from .measurement import Reward

REWARDS: Registry[RewardDescription, Callable[[], Reward]] = Registry(
    "reward",
    [
        f"layertie_lab.agent.rewards.{module}"
        for module in ("negative_perplexity", "improvement", "improvement_over_trend")
    ],
    "layertie_lab.rewards",
)
"""Name -> what makes it; a package brings its own in the entry-point group `layertie_lab.rewards`."""


def make_reward(config: RunConfig) -> Reward:
    """The reward that a config names: its kind, then the clip, then what parameters cost.

    Raises:
        ConfigError: No such reward.
    """
    return charged(REWARDS.get(config.reward.kind)(), config)


def charged(reward: Reward, config: RunConfig) -> Reward:
    """A reward with the config's clip, then what parameters cost."""
    settings, change = config.reward, not reward.description.level
    if settings.clip > 0:
        reward = Clipped(reward, settings.clip)
    if settings.price > 0:
        reward = Priced(reward, settings.price, change=change, stored=settings.price_of == "stored")
    if settings.target_share > 0:
        reward = Targeted(reward, settings.target_share, change=change)
    return reward
