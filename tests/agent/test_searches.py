"""Hill climbing and the upper confidence bound, against what each promises."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from walks import config_of, state_at

from layertie_lab.agent.policies.hill_climbing import HillClimbing
from layertie_lab.agent.policies.registry import make_policy
from layertie_lab.agent.policies.ucb import UpperConfidenceBound
from layertie_lab.agent.protocol import AgentState, Policy, Transition
from layertie_lab.agent.synthetic.trials import try_agent
from layertie_lab.core.config import AgentConfig, RunConfig
from layertie_lab.core.keys import RunKey
from layertie_lab.core.ties import TieMap

LAYERS = 5
KEY = RunKey(3)
rewards = st.floats(-1, 1, allow_nan=False)
steps = st.lists(st.tuples(rewards, st.integers(-1, LAYERS - 1)), min_size=1, max_size=40)
"""Rewards, and what a person chose instead of the proposal (an action that is not legal: nothing)."""


def told(policy: Policy, ties: TieMap, decision: int, choice: int, reward: float) -> TieMap:
    """The map after a choice that the policy is told of."""
    state = state_at(ties, decision)
    after = ties.act(state.layer, choice)
    policy.learn(Transition(state, choice, reward, state_at(after, decision + 1)), KEY)
    return after


def go(policy: Policy, given: list[tuple[float, int]], ties: TieMap, first: int = 1) -> tuple[TieMap, list[int]]:
    """Walk on with the given rewards and overrides; the map it ends at and the choices."""
    choices = []
    for decision, (reward, override) in enumerate(given, first):
        state = state_at(ties, decision)
        choice = override if override in state.legal else policy.propose(state, KEY).choice
        choices.append(choice)
        ties = told(policy, ties, decision, choice, reward)
    return ties, choices


@pytest.mark.parametrize("name", ["hill-climbing", "ucb"])
@hypothesis_settings(max_examples=40, deadline=None)
@given(given=steps, after=steps)
def test_what_is_saved_goes_on_exactly(
    name: str, given: list[tuple[float, int]], after: list[tuple[float, int]]
) -> None:
    policy, twin = (make_policy(config_of(name, LAYERS)) for _ in range(2))
    ties, _ = go(policy, given, TieMap.all_tied(LAYERS))
    tensors, values = policy.state()
    twin.load(tensors, json.loads(json.dumps(values, allow_nan=False)))
    first = len(given) + 1
    assert go(twin, after, ties, first) == go(policy, after, ties, first)
    assert twin.state() == policy.state()


@hypothesis_settings(max_examples=40, deadline=None)
@given(given=steps)
def test_the_hill_climber_never_leaves_a_map_for_one_that_it_did_not_see_gain(given: list[tuple[float, int]]) -> None:
    policy = HillClimbing(LAYERS, AgentConfig(), detrend=False)
    ties = TieMap.all_tied(LAYERS)
    for decision, (reward, override) in enumerate(given, 1):
        state = state_at(ties, decision)
        kept = policy.greedy(state)
        choice = override if override in state.legal else policy.propose(state, KEY).choice
        after = ties.act(state.layer, choice)
        came = policy.learn(Transition(state, choice, reward, state_at(after, decision + 1)), KEY)
        now = policy.greedy(AgentState(after, state.layer, decision + 1, 1, 60))
        assert now == (choice if came["accepted"] else kept)
        if kept == state.present and reward <= 0:
            assert now == kept
        ties = after


def test_the_hill_climber_tries_every_source_before_any_again_and_undoes_what_failed() -> None:
    config = AgentConfig(epsilon_start=1.0, epsilon_floor=1.0)
    policy = HillClimbing(LAYERS, config, detrend=False)
    ties = TieMap.all_tied(LAYERS)
    tried: list[int] = []
    for decision in range(1, 8 * (LAYERS - 1) + 1):
        state = state_at(ties, decision)
        proposal = policy.propose(state, KEY)
        if state.layer == 4:
            if state.present != 0:
                assert (proposal.choice, proposal.explored) == (0, False)
            else:
                assert proposal.explored
                tried.append(proposal.choice)
        ties = told(policy, ties, decision, proposal.choice, -0.1)
    assert len(tried) == 4
    assert sorted(tried) == [1, 2, 3, 4]


def test_a_gain_no_larger_than_what_keeping_brings_is_not_believed() -> None:
    policy = HillClimbing(LAYERS, AgentConfig(), detrend=False)
    ties = TieMap.all_tied(LAYERS)
    for decision, reward in ((1, 0.2), (2, -0.2)):
        ties = told(policy, ties, decision, 0, reward)
    ties = told(policy, ties, 3, 2, 0.19)
    ties = told(policy, ties, 4, 2, 0.21)
    asked = [policy.greedy(AgentState(ties, layer, 5, 2, 60)) for layer in (3, 4)]
    assert asked == [0, 2]


def test_a_second_trial_is_compared_with_what_is_kept_not_with_the_first() -> None:
    policy = HillClimbing(LAYERS, AgentConfig(), detrend=False)
    ties = told(policy, TieMap.all_tied(LAYERS), 4, 1, -0.5)
    # A person moves the layer on before the first trial is undone: better than that one, worse than what is kept.
    ties = told(policy, ties, 8, 2, 0.3)
    assert policy.greedy(state_at(ties, 12)) == 0
    ties = told(policy, ties, 12, 3, 0.3)
    assert policy.greedy(state_at(ties, 16)) == 3


def test_the_bound_is_worked_out_by_hand() -> None:
    policy = UpperConfidenceBound(LAYERS, detrend=False)
    ties = TieMap.all_tied(LAYERS)
    # Layer 2 alone is told of: from 0 to 1 (+0.3), to 2 (-0.1), back to 1 (+0.3).
    for decision, choice, reward in ((2, 1, 0.3), (6, 2, -0.1), (10, 1, 0.3)):
        ties = told(policy, ties, decision, choice, reward)
    proposal = policy.propose(state_at(ties, 14), KEY)
    # Worths: 0 for the first; 2: .3 - .1; 1: the mean of .3 and .2 + .3.
    assert proposal.q_values == pytest.approx((-0.4, 0.0, -0.2))
    # Predictions were 0; the mean of 0 and .3, less .3; .3 less .2. Sources 0 and 2 were measured once.
    bonus = math.sqrt((0.3**2 + 0.05**2 + 0.2**2) / 3) * math.sqrt(2 * math.log(3))
    assert -0.2 + bonus > 0 > -0.4 + bonus
    assert (proposal.choice, proposal.explored) == (2, True)
    assert policy.greedy(state_at(ties, 14)) == 1


def test_the_bandit_measures_each_source_once_and_then_the_likely_ones() -> None:
    policy = UpperConfidenceBound(LAYERS, detrend=False)
    ties, chosen = TieMap.all_tied(LAYERS), []
    for sweep in range(60):
        state = state_at(ties, sweep * (LAYERS - 1) + 4)
        choice = policy.propose(state, KEY).choice
        chosen.append(choice)
        # Source 3 is the best one by far.
        ties = told(policy, ties, state.decision, choice, 1.0 * (choice == 3) - 1.0 * (state.present == 3))
    assert chosen[:4] == [1, 2, 3, 4]
    assert chosen[-20:].count(3) >= 18
    assert policy.greedy(state_at(ties, 244)) == 3


@hypothesis_settings(max_examples=40, deadline=None)
@given(given=steps)
def test_the_bandits_values_stay_within_what_was_seen(given: list[tuple[float, int]]) -> None:
    policy = UpperConfidenceBound(LAYERS, detrend=False)
    ties, _ = go(policy, given, TieMap.all_tied(LAYERS))
    seen = sum(abs(reward) for reward, _ in given)
    for layer in range(1, LAYERS):
        state = AgentState(ties, layer, len(given) + 1, 1, 60)
        values = policy.propose(state, KEY).q_values
        assert values is not None
        assert values[state.present] == 0
        assert max(map(abs, values)) <= 2 * seen + 1e-12
        # Without the bonus the highest value is what it would do.
        assert values[policy.greedy(state)] == pytest.approx(max(values))


@pytest.mark.parametrize("name", ["hill-climbing", "ucb"])
def test_each_finds_the_best_source_of_every_layer(name: str) -> None:
    config = RunConfig.preset("laptop", layers=6, policy=name)
    assert sum(try_agent(config, "A", 300, seed).score >= 0.95 for seed in range(5)) >= 4


@pytest.mark.parametrize("name", ["hill-climbing", "ucb"])
@pytest.mark.parametrize("kind", ["improvement", "improvement-over-trend", "negative-perplexity"])
def test_each_learns_from_every_kind_of_reward(name: str, kind: str) -> None:
    config = RunConfig.preset("laptop", layers=6, policy=name, kind=kind)
    assert sum(try_agent(config, "A", 400, seed).score >= 0.95 for seed in range(3)) >= 2
