"""Recorded actions again."""

from __future__ import annotations

from collections.abc import Mapping

from ...core.decisions import Proposal
from ...core.errors import AgentError
from ...core.keys import RunKey
from ..descriptions import PolicyDescription
from ..protocol import AgentState, StatelessPolicy
from .fixed import FixedPolicy
from .human import HumanPolicy


class ReplayPolicy(StatelessPolicy):
    """Gives recorded actions again.

    Args:
        actions: Decision (counted from 1) -> action, for example the `choice` column of a run's decisions.
        then: Acts where nothing is recorded; by default the present tie is kept.
    """

    description = PolicyDescription(
        "replay", "Replay", about="Gives recorded actions again.", reads="nothing: it has no values"
    )

    def __init__(self, actions: Mapping[int, int], then: HumanPolicy | FixedPolicy | None = None) -> None:
        self.actions = dict(actions)
        self._then = then or HumanPolicy()

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The recorded action."""
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        """The recorded action.

        Raises:
            AgentError: It is not legal here: the record belongs to another depth.
        """
        if state.decision not in self.actions:
            return self._then.greedy(state)
        action = self.actions[state.decision]
        if not 0 <= action <= state.layer:
            raise AgentError(
                f"Expected a recorded action from 0 to {state.layer} for decision {state.decision} (layer "
                f"{state.layer}), but the record says {action}.",
                "The record comes from a run of another depth.",
            )
        return action
