"""Greedy one-step look-ahead: try every answer, take the one with the lowest loss."""

from __future__ import annotations

from ..core.decisions import Proposal
from ..core.errors import AgentError
from ..core.keys import RunKey
from .protocol import AgentState, StatelessPolicy


class LookAhead(StatelessPolicy):
    """Answers with what gives the lowest loss on held-out windows after one decision's steps.

    The trials are the run's (`AgentState.lookahead`), one for each legal answer: expensive, and blind to all that comes
    later, which is what it is here to show.
    """

    name = "look-ahead"
    looks_ahead = True

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The best answer of one step; values are losses saved against keeping the present tie, nats per token."""
        losses = self._losses(state)
        kept = losses[state.present]
        return state.proposal(_lowest(losses, state.present), q_values=[kept - loss for loss in losses])

    def greedy(self, state: AgentState) -> int:
        """The best answer of one step."""
        return _lowest(self._losses(state), state.present)

    @staticmethod
    def _losses(state: AgentState) -> list[float]:
        if state.lookahead is None:
            raise AgentError(
                "Expected a run that can try answers out (AgentState.lookahead), but this one cannot.",
                "Choose another policy.",
            )
        return [float(state.lookahead(answer)) for answer in state.legal]


def _lowest(losses: list[float], present: int) -> int:
    """The answer of lowest loss; the present one among equals."""
    best = min(range(len(losses)), key=losses.__getitem__)
    return present if losses[present] <= losses[best] else best
