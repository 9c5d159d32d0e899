from typing import get_args

import pytest

from layertie_lab.agent.protocol import AgentState, Transition
from layertie_lab.agent.registry import make_policy
from layertie_lab.agent.rewards import Measurement, make_reward
from layertie_lab.agent.schedule import next_layer
from layertie_lab.core.config import Policy as Names
from layertie_lab.core.config import RunConfig
from layertie_lab.core.keys import RunKey
from layertie_lab.core.ties import TieMap


@pytest.mark.parametrize("name", get_args(Names))
def test_runs(name):
    config = RunConfig.preset("tiny", policy=name)
    policy, key = make_policy(config), RunKey(0)
    ties = TieMap.all_tied(4)

    def state(d):
        episode, layer = next_layer(d, 4)
        return AgentState(ties, layer, d, episode, 30)

    for d in range(1, 31):
        s = state(d)
        p = policy.propose(s, key)
        assert p.choice in s.legal
        ties = ties.answer(s.layer, p.choice)
        out = policy.learn(Transition(s, p.choice, -0.1 * d, state(d + 1)), key)
        assert all(isinstance(v, float) for v in out.values())
    tensors, values = policy.state()
    other = make_policy(config)
    other.load(tensors, values)
    assert other.propose(state(31), key) == policy.propose(state(31), key)


@pytest.mark.parametrize("kind", ["negative-perplexity", "improvement", "improvement-over-trend"])
def test_rewards(kind):
    reward = make_reward(RunConfig.preset("tiny", kind=kind, price=0.1))
    reward.start(Measurement(4.0, 0, 0, 10, 100))
    for d in range(1, 60):
        reward.value(Measurement(2 + 2 / (1 + d), 4 * d, d, 10, 100))
