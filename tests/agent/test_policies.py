"""What every policy owes: legal answers, plain numbers, the same answers again, a state that travels."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from walks import Walk, config_of, state_at

from layertie_lab.agent.policies.registry import POLICIES, make_policy
from layertie_lab.agent.policies.thompson import GaussianThompson
from layertie_lab.agent.protocol import AgentState, Transition
from layertie_lab.core.errors import AgentError
from layertie_lab.core.keys import RunKey
from layertie_lab.core.patterns import PATTERNS, pattern
from layertie_lab.core.ties import TieMap

NAMES = [*POLICIES.names, "lab:gaussian", "lab:advantage"]
LEARN = ["lab", "paper", "official-code", "lab:gaussian", "lab:advantage", "annealing", "hill-climbing", "ucb"]


def make(name: str, layers: int = 5, **changes: object):
    policy, _, learner = name.partition(":")
    return make_policy(config_of(policy, layers, **({"learner": learner} if learner else {}), **changes))


@pytest.mark.parametrize("name", NAMES)
def test_proposals_are_legal_and_plain(name: str) -> None:
    walk = Walk(make(name))
    for proposal in walk.go(40, override=7):
        assert proposal.legal == tuple(range(proposal.layer + 1))
        assert type(proposal.choice) is int
        assert proposal.choice in proposal.legal
        assert type(proposal.explored) is bool
        if proposal.q_values is not None:
            assert len(proposal.q_values) == len(proposal.legal)
            assert all(type(value) is float and math.isfinite(value) for value in proposal.q_values)
        assert proposal.epsilon is None or type(proposal.epsilon) is float
    for learning in walk.learning:
        assert all(type(value) is float and math.isfinite(value) for value in learning.values())
    assert 0 <= walk.policy.greedy(state_at(walk.ties, 41)) <= state_at(walk.ties, 41).layer


@pytest.mark.parametrize("name", NAMES)
def test_same_key_same_proposals_and_another_key_others(name: str) -> None:
    first, again = Walk(make(name)), Walk(make(name))
    proposals = first.go(30)
    assert again.go(30) == proposals
    if name in ("lab", "random", "random-matched", "lab:gaussian", "lab:advantage", "annealing", "hill-climbing"):
        assert Walk(make(name), key=RunKey(4)).go(30) != proposals


@pytest.mark.parametrize("name", NAMES)
def test_proposing_changes_nothing(name: str) -> None:
    asked, left_alone = Walk(make(name)), Walk(make(name))
    asked.go(9)
    left_alone.go(9)
    state = state_at(asked.ties, 10)
    assert asked.policy.propose(state, asked.key) == asked.policy.propose(state, asked.key)
    asked.policy.greedy(state)
    assert asked.go(20) == left_alone.go(20)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("after", [0, 1, 18])
def test_state_round_trip_is_exact(name: str, after: int) -> None:
    walk = Walk(make(name))
    walk.go(after, override=5)
    tensors, values = walk.policy.state()
    kept = {key: tensor.clone() for key, tensor in tensors.items()}
    twin = Walk(make(name, seed=99))
    twin.policy.load(tensors, json.loads(json.dumps(values, allow_nan=False)))
    twin.ties, twin.decision = walk.ties, walk.decision
    assert twin.go(25) == walk.go(25)
    # What was handed out is a copy, not a view of what goes on learning.
    assert all(torch.equal(tensors[key], kept[key]) for key in kept)
    ended, mine = twin.policy.state(), walk.policy.state()
    assert ended[1] == mine[1]
    assert all(torch.equal(ended[0][key], mine[0][key]) for key in mine[0])


@pytest.mark.parametrize("name", ["lab", "paper", "lab:advantage", "lab:gaussian"])
def test_a_deep_copy_goes_on_alone(name: str) -> None:
    walk = Walk(make(name))
    walk.go(13)
    twin = copy.deepcopy(walk)
    assert twin.go(20) == walk.go(20)


@pytest.mark.parametrize("name", LEARN)
def test_another_depths_state_is_refused(name: str) -> None:
    walk = Walk(make(name, 6), 6)
    walk.go(12)
    with pytest.raises(AgentError, match="another depth"):
        make(name).load(*walk.policy.state())


@pytest.mark.parametrize("name", [name for name in LEARN if name != "official-code"])
def test_another_depths_map_is_refused(name: str) -> None:
    with pytest.raises(AgentError, match="6"):
        make(name).propose(state_at(TieMap.all_tied(6), 1), RunKey(0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reward", [math.nan, math.inf])
def test_a_reward_that_is_no_number_is_refused(name: str, reward: float) -> None:
    state = state_at(TieMap.all_tied(5), 1)
    policy = make(name)
    with pytest.raises(AgentError, match="finite reward for decision 1"):
        policy.learn(Transition(state, 0, reward, state_at(TieMap.all_tied(5), 2)), RunKey(0))


@pytest.mark.parametrize("name", ["lab", "paper", "lab:gaussian", "lab:advantage", "hill-climbing", "ucb"])
def test_a_persons_answer_is_learned_from_like_any_other(name: str) -> None:
    said, done = Walk(make(name)), Walk(make(name))
    state = state_at(TieMap.all_tied(5), 1)
    following = state_at(TieMap.all_tied(5).act(1, 1), 2)
    for walk, by in ((said, "human"), (done, "agent")):
        walk.policy.learn(Transition(state, 1, 0.5, following, by), walk.key)
        walk.ties, walk.decision = following.ties, 1
    assert said.go(20) == done.go(20)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_fixed_policy_reaches_its_pattern_in_one_pass(name: str) -> None:
    walk = Walk(make(name, 8), 8)
    walk.go(7)
    assert walk.ties == pattern(name, 8)


@given(st.lists(st.floats(0, 0.999), min_size=3, max_size=10))
def test_the_given_map_is_reached_in_one_pass(shares: list[float]) -> None:
    ties = TieMap(tuple(int(share * (layer + 1)) for layer, share in enumerate(shares)))
    policy = make("map", len(ties), map=ties.text)
    assert policy.description is POLICIES.describe("map")
    walk = Walk(policy, len(ties))
    walk.go(len(ties) - 1)
    assert walk.ties == ties


def test_the_human_policy_proposes_to_keep_the_present_tie() -> None:
    ties = TieMap((0, 1, 1, 0, 4))
    for decision in range(1, 5):
        proposal = make("human").propose(state_at(ties, decision), RunKey(0))
        assert proposal.choice == proposal.present == ties[decision]


def test_share_then_unshare_unties_after_its_time() -> None:
    walk = Walk(make("share-then-unshare", unshare_at=0.5))
    assert {proposal.choice for proposal in walk.go(30)} == {0}
    walk.go(4)
    assert walk.ties == TieMap.independent(5)


def test_uniform_answers_give_the_expected_number_of_owners() -> None:
    layers, counts = 48, []
    walk = Walk(make("random", layers), layers)
    for _ in range(200):
        walk.go(layers - 1)
        counts.append(len(walk.ties.independent_layers))
    assert sum(counts) / len(counts) == pytest.approx(sum(1 / (layer + 1) for layer in range(layers)), abs=0.4)


def test_matched_random_answers_give_the_number_asked_for() -> None:
    layers, counts = 12, []
    walk = Walk(make("random-matched", layers, blocks=7), layers)
    for _ in range(200):
        walk.go(layers - 1)
        counts.append(len(walk.ties.independent_layers))
    assert sum(counts) / len(counts) == pytest.approx(7, abs=0.4)


def test_look_ahead_takes_the_lowest_loss() -> None:
    losses = {0: 2.0, 1: 1.5, 2: 1.9}
    state = AgentState(TieMap((0, 0, 0, 0)), 2, 2, 1, 10, lookahead=losses.__getitem__)
    proposal = make("look-ahead", 4).propose(state, RunKey(0))
    assert proposal.choice == 1
    assert proposal.q_values == pytest.approx((0.0, 0.5, 0.1))
    blind = AgentState(TieMap((0, 0, 0, 0)), 2, 2, 1, 10)
    with pytest.raises(AgentError, match="try actions out"):
        make("look-ahead", 4).propose(blind, RunKey(0))


def test_the_deviations_of_gaussian_values_are_those_of_draws_from_its_posterior() -> None:
    policy = GaussianThompson(4, config_of(layers=4).agent)
    ties = TieMap((0, 0, 0, 1))
    for decision in range(1, 40):
        state = state_at(ties, decision)
        choice = state.legal[decision % len(state.legal)]
        following = state_at(ties.act(state.layer, choice), decision + 1)
        policy.learn(Transition(state, choice, 0.01 * choice, following), RunKey(0))
    state = state_at(ties, 42)
    assert state.layer == 3
    mean, root, _ = policy._posterior(state)
    draws = mean + np.random.default_rng(1).standard_normal((40_000, 4)) @ root.T
    found = (draws - draws[:, [state.present]]).std(axis=0)
    assert policy.propose(state, RunKey(0)).q_deviations == pytest.approx(found.tolist(), rel=0.03)
