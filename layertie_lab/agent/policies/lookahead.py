"""Greedy one-step look-ahead: try every action, take the one with the lowest loss."""

from __future__ import annotations

from ...core.decisions import Proposal
from ...core.errors import AgentError
from ...core.keys import RunKey
from ..descriptions import PolicyDescription
from ..protocol import AgentState, StatelessPolicy
from .registry import POLICIES

LOOK_AHEAD = PolicyDescription(
    "look-ahead",
    "Look-ahead",
    about="Trains every legal action ahead for one decision's steps and takes the one of lowest held-out loss.",
    unit="nats/token",
    meaning="the held-out loss that the action saves after one decision's steps; 0 = keep the present tie",
    reads="a trial of each action in the run itself, as long as one decision",
    values="changes",
    looks_ahead=True,
)


@POLICIES.register(LOOK_AHEAD)
class LookAhead(StatelessPolicy):
    """Takes what gives the lowest loss on held-out windows after one decision's steps.

    The trials are the run's (`AgentState.lookahead`), one for each legal action: expensive, and blind to all that comes
    later, which is what it is here to show.
    """

    description = LOOK_AHEAD

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The best action of one step; values are losses saved against keeping the present tie, nats per token."""
        gains = self._gains(state)
        return state.proposal(state.best(gains, keep=True), q_values=gains)

    def greedy(self, state: AgentState) -> int:
        """The best action of one step."""
        return state.best(self._gains(state), keep=True)

    @staticmethod
    def _gains(state: AgentState) -> list[float]:
        if state.lookahead is None:
            raise AgentError(
                "Expected a run that can try actions out (AgentState.lookahead), but this one cannot.",
                "Choose another policy.",
            )
        wanted = {*state.legal, state.present}
        losses = {action: float(state.lookahead(action)) for action in wanted}
        # What is not legal is not tried; nobody looks at its place.
        return [losses[state.present] - losses.get(action, losses[state.present]) for action in range(state.layer + 1)]
