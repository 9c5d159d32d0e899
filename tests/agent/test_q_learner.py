"""The Q-learner against the algorithm worked out by hand, and the settings in which the two versions differ."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from plain_q_learner import PlainQLearner
from walks import Walk, config_of, state_at

from layertie_lab.agent.policies.paper import OFFICIAL_CODE
from layertie_lab.agent.policies.qlearning import QLearner
from layertie_lab.agent.policies.registry import make_policy
from layertie_lab.agent.protocol import AgentState, Transition
from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import AgentError
from layertie_lab.core.keys import RunKey
from layertie_lab.core.ties import TieMap

LAYERS = 5


def network(tensors: dict[str, torch.Tensor]) -> torch.nn.Sequential:
    """The same network from stock parts."""
    first, second = torch.nn.Linear(LAYERS, 128), torch.nn.Linear(128, LAYERS * (LAYERS + 1) // 2)
    made = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    with torch.no_grad():
        first.weight.copy_(tensors["first.weight"])
        first.bias.copy_(tensors["first.bias"])
        second.weight.copy_(tensors["second.weight"])
        second.bias.copy_(tensors["second.bias"])
    return made


def slice_of(output: torch.Tensor, layer: int) -> torch.Tensor:
    return output[layer * (layer + 1) // 2 :][: layer + 1]


@pytest.mark.parametrize("name", ["paper", "official-code"])
def test_it_is_the_stock_network_stepped_by_stock_adamw(name: str) -> None:
    config = config_of(name)
    policy = make_policy(config)
    stock = network(policy.state()[0])
    optimizer = torch.optim.AdamW(stock.parameters(), lr=1e-3, weight_decay=0.01)
    ties = TieMap.all_tied(LAYERS)
    for decision in range(1, 14):
        state = state_at(ties, decision)
        values = policy.propose(state, RunKey(0)).q_values
        now = stock(torch.tensor([float(source) for source in ties]))
        assert values == pytest.approx(slice_of(now, state.layer).tolist(), abs=1e-6)
        choice = decision % (state.layer + 1)
        ties = ties.act(state.layer, choice)
        following, reward = state_at(ties, decision + 1), -3.0 - decision
        learning = policy.learn(Transition(state, choice, reward, following), RunKey(0))
        with torch.no_grad():
            later = stock(torch.tensor([float(source) for source in ties]))
            layer = state.layer if name == "official-code" else following.layer
            target = reward + 0.99 * slice_of(later, layer).max()
        loss = torch.nn.functional.mse_loss(slice_of(now, state.layer)[choice], target)
        assert learning["q_loss"] == pytest.approx(loss.item(), rel=1e-5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_the_bootstrap_changes_the_target_by_the_slice_it_looks_at() -> None:
    base = config_of("official-code")
    same = QLearner(LAYERS, base.agent, RunKey(0), OFFICIAL_CODE)
    other = QLearner(LAYERS, replace(base.agent, bootstrap="next-layer"), RunKey(0), OFFICIAL_CODE)
    state, following = state_at(TieMap.all_tied(LAYERS), 2), state_at(TieMap((0, 0, 1, 0, 0)), 3)
    best_same = max(same.values(replace(following, layer=2)))
    best_next = max(same.values(following))
    errors = [policy.learn(Transition(state, 1, -1.0, following), RunKey(0))["td_error"] for policy in (same, other)]
    assert errors[0] - errors[1] == pytest.approx(0.99 * (best_same - best_next), abs=1e-5)
    assert abs(best_same - best_next) > 1e-3


def test_epsilon_falls_per_episode_to_its_floor() -> None:
    policy = make_policy(config_of("paper"))
    assert isinstance(policy, QLearner)
    assert [policy.epsilon(episode) for episode in (1, 2, 3)] == pytest.approx([1.0, 0.95, 0.9025])
    assert policy.epsilon(400) == 0.01


def test_random_answers_are_uniform_over_all_answers() -> None:
    walk = Walk(make_policy(config_of("paper", epsilon_decay=1.0)), LAYERS)
    proposals = [proposal for proposal in walk.go(1600) if proposal.layer == 3]
    assert all(proposal.explored for proposal in proposals)
    counts = [sum(proposal.choice == answer for proposal in proposals) for answer in range(4)]
    assert all(70 <= count <= 130 for count in counts)


def test_initial_weights_come_from_the_key_alone() -> None:
    torch.random.default_generator.manual_seed(5)
    before = torch.random.default_generator.get_state()
    first = make_policy(config_of("paper")).state()[0]
    assert torch.equal(torch.random.default_generator.get_state(), before)
    again, other = make_policy(config_of("paper")).state()[0], make_policy(config_of("paper", seed=1)).state()[0]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["first.weight"], other["first.weight"])
    bound = 1 / math.sqrt(LAYERS)
    assert first["first.weight"].abs().max() <= bound
    assert first["first.weight"].std() == pytest.approx(bound / math.sqrt(3), rel=0.1)


def test_a_network_of_another_width_is_refused() -> None:
    saved = make_policy(config_of("paper", hidden=64)).state()
    with pytest.raises(AgentError, match=r"shape \(128, 5\), but found \(64, 5\)"):
        make_policy(config_of("paper")).load(*saved)


def test_values_that_are_no_numbers_are_refused() -> None:
    policy = make_policy(config_of("paper"))
    tensors, values = policy.state()
    tensors["first.weight"][:] = math.nan
    policy.load(tensors, values)
    with pytest.raises(AgentError, match="finite values"):
        policy.propose(state_at(TieMap.independent(LAYERS), 1), RunKey(0))


@pytest.fixture
def in_doubles() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("layers", [6, 12])
@pytest.mark.usefixtures("in_doubles")
def test_200_decisions_agree_with_a_plain_learner_made_from_the_description(layers: int) -> None:
    config, key = RunConfig.preset("laptop", algorithm="official-code", layers=layers, seed=5), RunKey(5)
    learner = make_policy(config)
    names = ("first.weight", "first.bias", "second.weight", "second.bias")
    plain = PlainQLearner(layers, [learner.state()[0][name].numpy() for name in names])
    rewards, sources, drawn = random.Random(7), [0] * layers, 0
    for decision in range(1, 201):
        episode, layer = 1 + (decision - 1) // (layers - 1), 1 + (decision - 1) % (layers - 1)
        state = AgentState(TieMap(tuple(sources)), layer, decision, episode, 200)
        proposal = learner.propose(state, key)
        values = plain.slice(sources, layer)
        assert proposal.q_values == pytest.approx(values.tolist(), abs=1e-6)
        action = plain.act(sources, layer, episode, key.random(decision, "agent"))
        assert proposal.choice == action
        drawn += proposal.explored
        # As of a model that learns: clipped at -10 at first, then better with some noise.
        reward = max(-10.0, -14 + decision / 25 + rewards.gauss(0, 0.3))
        after = [action if place == layer else source for place, source in enumerate(sources)]
        following = AgentState(TieMap(tuple(after)), 1 + decision % (layers - 1), decision + 1, episode, 200)
        told = learner.learn(Transition(state, action, reward, following), key)
        value, target = plain.learn(sources, layer, action, reward, after)
        assert told["td_error"] == pytest.approx(target - value, abs=1e-6)
        sources = after
    assert 20 < drawn < 180  # both kinds of action were taken
    tensors = learner.state()[0]
    for name, weight in zip(names, plain.weights, strict=True):
        assert np.abs(tensors[name].numpy() - weight).max() < 1e-6
