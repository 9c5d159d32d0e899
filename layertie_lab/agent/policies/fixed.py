"""Policies that know their answer beforehand: fixed maps, a timetable, a person, a replayed list."""

from __future__ import annotations

from collections.abc import Mapping

from ...core.decisions import Proposal
from ...core.errors import AgentError
from ...core.keys import RunKey
from ...core.ties import TieMap
from ..protocol import AgentState, StatelessPolicy, check_layers


class FixedPolicy(StatelessPolicy):
    """Always the same map: each layer is answered with the map's source.

    Args:
        ties: The map.
        name: Under which name it goes.
    """

    def __init__(self, ties: TieMap, name: str = "fixed") -> None:
        self.ties = ties
        self.name = name

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The map's source for the layer."""
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        """The map's source for the layer, or the legal one nearest to it."""
        check_layers(len(self.ties), state)
        return state.nearest(self.ties[state.layer])


class ShareThenUnshare(StatelessPolicy):
    """Everything tied to layer 0 at first, later every layer on its own (Yang et al. 2021, arXiv 2110.03848).

    Args:
        unshare_at: Share of the budget of decisions after which layers become independent, as they are asked.
    """

    name = "share-then-unshare"

    def __init__(self, unshare_at: float) -> None:
        self.unshare_at = unshare_at

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """Layer 0 before the time, the layer itself after it."""
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        """Layer 0 before the time, the layer itself after it; or the legal answer nearest to it."""
        return state.nearest(state.layer if state.decision > self.unshare_at * state.budget else 0)


class HumanPolicy(StatelessPolicy):
    """Proposes to keep the present tie; a person is expected to answer."""

    name = "human"

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The present source."""
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        """The present source, or the legal one nearest to it."""
        return state.nearest(state.present)


class ReplayPolicy(StatelessPolicy):
    """Gives recorded answers again.

    Args:
        answers: Decision (counted from 1) -> answer, for example the `choice` column of a run's decisions.
        then: Answers what is not recorded; by default the present tie is kept.
    """

    name = "replay"

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
