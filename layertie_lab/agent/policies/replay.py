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
    """Gives recorded answers again.

    Args:
        answers: Decision (counted from 1) -> answer, for example the `choice` column of a run's decisions.
        then: Answers what is not recorded; by default the present tie is kept.
    """

    description = PolicyDescription(
        "replay", "Replay", about="Gives recorded actions again.", reads="nothing: it has no values"
    )

    def __init__(self, answers: Mapping[int, int], then: HumanPolicy | FixedPolicy | None = None) -> None:
        self.answers = dict(answers)
        self._then = then or HumanPolicy()

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The recorded answer."""
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        """The recorded answer.

        Raises:
            AgentError: It is not legal here: the record belongs to another depth.
        """
        if state.decision not in self.answers:
            return self._then.greedy(state)
        answer = self.answers[state.decision]
        if not 0 <= answer <= state.layer:
            raise AgentError(
                f"Expected a recorded answer from 0 to {state.layer} for decision {state.decision} (layer "
                f"{state.layer}), but the record says {answer}.",
                "The record comes from a run of another depth.",
            )
        return answer
