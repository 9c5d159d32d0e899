"""Walks of a policy over a made-up reward, for the tests."""

from __future__ import annotations

import numpy as np

from layertie_lab.agent.protocol import AgentState, Policy, Transition
from layertie_lab.agent.schedule import next_layer
from layertie_lab.core.config import RunConfig
from layertie_lab.core.decisions import Proposal
from layertie_lab.core.keys import RunKey
from layertie_lab.core.patterns import GIVEN, pattern
from layertie_lab.core.ties import TieMap


def config_of(policy: str = "lab", layers: int = 5, **changes: object) -> RunConfig:
    """A config whose agent is wanted."""
    algorithm = policy if policy in ("paper", "official-code") else "lab"
    if policy == GIVEN:
        changes = {"map": pattern("repeat", layers).text} | changes
    return RunConfig.preset("tiny", algorithm=algorithm, policy=policy, layers=layers, decisions=60, **changes)


def state_at(ties: TieMap, decision: int, budget: int = 60) -> AgentState:
    """The state of a decision, in which looking ahead favours small answers, and neighbours may be tied."""
    episode, layer = next_layer(decision, len(ties))
    places = np.arange(len(ties), dtype=float)
    apart = np.abs(places[:, None] - places)
    return AgentState(
        ties,
        layer,
        decision,
        episode,
        budget,
        lookahead=lambda answer: 1.0 + 0.1 * answer,
        tie_costs=lambda: apart,
        agreement=lambda: np.exp(-apart),
    )


def reward_of(ties: TieMap, decision: int) -> float:
    """Something that depends on the map and is rough."""
    return 0.1 * len(ties.independent_layers) - 0.05 * ties[2] + 0.01 * ((decision * 7919) % 13 - 6)


class Walk:
    """A policy that answers on and on.

    Args:
        policy: Who proposes.
        layers: Depth.
        key: Of the run.
    """

    def __init__(self, policy: Policy, layers: int = 5, key: RunKey | None = None) -> None:
        self.policy = policy
        self.key = key or RunKey(3)
        self.ties = TieMap.all_tied(layers)
        self.decision = 0
        self.learning: list[dict[str, float]] = []

    def go(self, decisions: int, override: int | None = None) -> list[Proposal]:
        """Take decisions; every `override`-th is answered by a person who ties to layer 0."""
        proposals = []
        for _ in range(decisions):
            self.decision += 1
            state = state_at(self.ties, self.decision)
            proposal = self.policy.propose(state, self.key)
            proposals.append(proposal)
            human = override is not None and self.decision % override == 0
            choice = 0 if human else proposal.choice
            self.ties = self.ties.act(state.layer, choice)
            following = state_at(self.ties, self.decision + 1)
            reward = reward_of(self.ties, self.decision)
            by = "human" if human else "agent"
            self.learning.append(self.policy.learn(Transition(state, choice, reward, following, by), self.key))
        return proposals
