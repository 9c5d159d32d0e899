"""A person acts: the present tie is proposed."""

from __future__ import annotations

from ...core.decisions import Proposal
from ...core.keys import RunKey
from ..descriptions import PolicyDescription
from ..protocol import AgentState, StatelessPolicy
from .registry import POLICIES

HUMAN = PolicyDescription(
    "human",
    "A person",
    about="Proposes to keep the present tie; a person is expected to act.",
    reads="nothing: it has no values",
    by_hand=True,
)


@POLICIES.register(HUMAN)
class HumanPolicy(StatelessPolicy):
    """Proposes to keep the present tie; a person is expected to act."""

    description = HUMAN

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The present source."""
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        """The present source, or the legal one nearest to it."""
        return state.nearest(state.present)
