"""Whatever rules stand, no policy proposes what they forbid, and without rules nothing is as it was not before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from layertie_lab import RunConfig
from layertie_lab.agent.policies.registry import make_policy
from layertie_lab.agent.protocol import AgentState, Transition
from layertie_lab.agent.schedule import next_layer
from layertie_lab.core.errors import LayertieError
from layertie_lab.core.keys import RunKey
from layertie_lab.core.rules import Rules
from layertie_lab.core.ties import TieMap

LAYERS = 6
POLICIES: list[dict[str, Any]] = [
    {"algorithm": "lab"}, {"algorithm": "lab", "learner": "gaussian"}, {"algorithm": "lab", "learner": "advantage"},
    {"algorithm": "paper"}, {"algorithm": "official-code"}, {"policy": "random"}, {"policy": "random-matched"},
    {"policy": "all-tied"}, {"policy": "independent"}, {"policy": "cycle"}, {"policy": "sandwich"},
    {"policy": "annealing"}, {"policy": "share-then-unshare"}, {"policy": "human"}, {"policy": "look-ahead"},
    {"policy": "hill-climbing"}, {"policy": "ucb"},
]  # fmt: skip
numbers = st.lists(st.integers(-LAYERS, LAYERS - 1), max_size=2).map(tuple)


@pytest.mark.parametrize("changes", POLICIES, ids=lambda changes: "-".join(changes.values()))
@hypothesis_settings(max_examples=15, deadline=None)
@given(
    st.builds(Rules, independent=numbers, most_owners=st.integers(0, 4), neighbours=st.booleans(), locked=numbers),
    st.integers(0, 1000),
)
def test_no_policy_proposes_what_they_forbid(changes: dict[str, Any], rules: Rules, seed: int) -> None:
    ties = TieMap.all_tied(LAYERS)
    try:
        rules.check(ties)
    except LayertieError:
        return
    config = RunConfig.preset(
        "tiny", **({"algorithm": "lab", "layers": LAYERS, "decisions": 40, "seed": seed} | changes)
    )
    policy, key = make_policy(config), RunKey(seed)
    draw = np.random.default_rng(seed)

    def asked(decision: int) -> AgentState:
        episode, layer = next_layer(decision, LAYERS)
        return AgentState(ties, layer, decision, episode, 40, rules=rules, lookahead=lambda answer: float(answer % 3))

    for decision in range(1, 26):
        state = asked(decision)
        proposal = policy.propose(state, key)
        assert proposal.choice in proposal.legal == rules.legal(ties, state.layer)
        assert proposal.q_values is None or len(proposal.q_values) == len(proposal.legal)
        assert policy.greedy(state) in proposal.legal
        ties = ties.act(state.layer, proposal.choice)
        policy.learn(Transition(state, proposal.choice, float(draw.normal()), asked(decision + 1)), key)
