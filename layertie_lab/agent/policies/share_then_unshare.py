"""A timetable: all layers share a block at first, later each has its own."""

from __future__ import annotations

from ...core.config import RunConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ..descriptions import PolicyDescription, RewardDescription
from ..protocol import AgentState, StatelessPolicy
from .registry import POLICIES

SHARE_THEN_UNSHARE = PolicyDescription(
    "share-then-unshare",
    "Share, then unshare",
    about="Ties every layer to layer 0 until agent.unshare_at of the budget, then makes each independent.",
    reads="nothing: it has no values",
    source="Yang et al. 2021, arXiv 2110.03848",
)


class ShareThenUnshare(StatelessPolicy):
    """Everything tied to layer 0 at first, later every layer on its own (Yang et al. 2021, arXiv 2110.03848).

    Args:
        unshare_at: Share of the budget of decisions after which layers become independent, as they are asked.
    """

    description = SHARE_THEN_UNSHARE

    def __init__(self, unshare_at: float) -> None:
        self.unshare_at = unshare_at

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """Layer 0 before the time, the layer itself after it."""
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        """Layer 0 before the time, the layer itself after it; or the legal action nearest to it."""
        return state.nearest(state.layer if state.decision > self.unshare_at * state.budget else 0)


@POLICIES.register(SHARE_THEN_UNSHARE)
def share_then_unshare(config: RunConfig, told: RewardDescription) -> ShareThenUnshare:
    """With the config's time."""
    return ShareThenUnshare(config.agent.unshare_at)
