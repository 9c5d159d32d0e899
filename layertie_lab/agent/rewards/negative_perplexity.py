"""The paper's reward: how good the model is."""

from __future__ import annotations

from ...core.measures import perplexity
from ..descriptions import RewardDescription
from .measurement import Measurement, StatelessReward, finite
from .registry import REWARDS

# exp beyond this overflows; a perplexity of e^80 and one of e^800 say the same.
_LARGEST_LOSS = 80.0

NEGATIVE_PERPLEXITY = RewardDescription(
    "negative-perplexity",
    "Negative perplexity",
    about="Minus the exponential of the loss after the decision's steps.",
    unit="minus perplexity",
    meaning="how good the model is, at most -1; not what the action did",
    reads="the loss on the text that the reward may see",
    source="Hay & Wolf (ICLR 2024), section 3",
    level=True,
)


@REWARDS.register(NEGATIVE_PERPLEXITY)
class NegativePerplexity(StatelessReward):
    """-exp(loss), the paper's reward (a level: it says how good the model is, not what the action did)."""

    description = NEGATIVE_PERPLEXITY

    def value(self, measurement: Measurement) -> float:
        """-perplexity."""
        return -perplexity(finite(measurement))
