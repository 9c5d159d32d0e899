"""The bandit over whole maps: pure, saved exactly, within the rules, and it learns what the linear learner does not."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from walks import Walk, state_at

from layertie_lab.agent.bandit.regression import FadingRegression
from layertie_lab.agent.policies.map_bandit import MapBandit
from layertie_lab.agent.protocol import AgentState, Policy, Transition
from layertie_lab.agent.rewards.registry import make_reward
from layertie_lab.agent.schedule import next_layer
from layertie_lab.agent.synthetic.landscapes import make_landscape
from layertie_lab.agent.synthetic.run import SyntheticRun
from layertie_lab.agent.synthetic.trials import try_agent
from layertie_lab.core.config import AgentConfig, RunConfig
from layertie_lab.core.errors import AgentError, LayertieError
from layertie_lab.core.keys import RunKey
from layertie_lab.core.rules import Rules
from layertie_lab.core.ties import TieMap

LAYERS = 5
KEY = RunKey(3)
rewards = st.lists(st.floats(-1, 1, allow_nan=False), min_size=1, max_size=30)
numbers = st.lists(st.integers(-LAYERS, LAYERS - 1), max_size=2).map(tuple)


def bandit(layers: int = LAYERS, *, level: bool = False, detrend: bool = True) -> MapBandit:
    return MapBandit(layers, AgentConfig(), KEY, level=level, detrend=detrend)


def trained(landscape: str, layers: int, decisions: int, seed: int) -> tuple[MapBandit, SyntheticRun]:
    """After a synthetic run of that length."""
    config = replace(RunConfig.preset("laptop", layers=layers), seed=seed, decisions=decisions)
    policy = MapBandit(layers, config.agent, RunKey(seed))
    made = make_landscape(landscape, layers, seed)
    run = SyntheticRun(made, policy, make_reward(config), key=RunKey(seed), budget=decisions)
    run.run()
    return policy, run


def score(landscape: str, layers: int, decisions: int, seed: int) -> float:
    """As `try_agent` has it: the worse of two greedy walks after training."""
    policy, run = trained(landscape, layers, decisions, seed)
    ends = []
    for start in (TieMap.all_tied(layers), TieMap.independent(layers)):
        ties = start
        for ahead in range(2 * (layers - 1)):
            episode, layer = next_layer(ahead + 1, layers)
            ties = ties.act(layer, policy.greedy(AgentState(ties, layer, decisions + ahead + 1, episode, decisions)))
        ends.append(run.landscape.at(decisions, decisions).worth(ties))
    return min(ends)


def told(policy: Policy, given: list[float], first: int = 1, ties: TieMap | None = None) -> TieMap:
    """The map after decisions that brought the given rewards."""
    ties = ties or TieMap.all_tied(LAYERS)
    for decision, reward in enumerate(given, first):
        state = state_at(ties, decision)
        choice = policy.propose(state, KEY).choice
        ties = ties.act(state.layer, choice)
        policy.learn(Transition(state, choice, reward, state_at(ties, decision + 1)), KEY)
    return ties


@pytest.mark.parametrize("seed", range(1000, 1003))
def test_finds_the_best_sources_of_six_layers(seed: int) -> None:
    assert score("A", 6, 300, seed) == 1.0


@pytest.mark.parametrize("landscape", ["K", "S", "D"])
def test_beats_the_linear_learner_where_effects_cost_at_first_change_or_come_late(landscape: str) -> None:
    config = RunConfig.preset("laptop", policy="lab-1", layers=12)
    seeds = range(1000, 1004)
    gained = [score(landscape, 12, 200, seed) - try_agent(config, landscape, 200, seed).score for seed in seeds]
    assert np.mean(gained) > 0.2, gained


def test_says_when_effects_come_and_that_worths_have_changed() -> None:
    late, _ = trained("D", 6, 120, 1000)
    at_once, _ = trained("A", 6, 120, 1000)
    assert late.response > 0 == at_once.response
    config = replace(RunConfig.preset("laptop", layers=6), decisions=200)
    policy = MapBandit(6, config.agent, KEY)
    run = SyntheticRun(make_landscape("S", 6, 1000), policy, make_reward(config), key=KEY, budget=200)
    changed = [outcome.decision.proposal.decision for outcome in run.run() if outcome.learning["changed"]]
    assert changed
    assert 100 <= changed[0] <= 110


def test_an_outlier_in_one_measurement_moves_the_beliefs_little() -> None:
    ends = []
    for size in (0.0, 30.0):
        policy, draw = bandit(), np.random.default_rng(5)
        ties = TieMap.all_tied(LAYERS)
        before = 0.0
        for decision in range(1, 121):
            state = state_at(ties, decision, budget=120)
            choice = int(draw.integers(state.layer + 1))
            ties = ties.act(state.layer, choice)
            level = (ties[4] == 2) + (ties[3] == 1) + 0.1 * draw.standard_normal() + size * (decision == 62)
            policy.learn(Transition(state, choice, level - before, state_at(ties, decision + 1, 120)), KEY)
            before = level
        ends.append(policy.beliefs(state_at(TieMap.all_tied(LAYERS), 4))[0][2])
    assert ends[0] == pytest.approx(1.0, abs=0.1)
    assert ends[1] == pytest.approx(ends[0], abs=0.2)


def test_the_same_run_twice_is_the_same_and_proposing_changes_nothing() -> None:
    one, two = Walk(bandit()), Walk(bandit())
    assert one.go(40, override=7) == two.go(40, override=7)
    assert one.learning == two.learning
    state = state_at(one.ties, 41)
    before = one.policy.state()[1]
    assert one.policy.propose(state, KEY) == one.policy.propose(state, KEY)
    assert one.policy.state()[1] == before


@pytest.mark.parametrize("level", [False, True])
@hypothesis_settings(max_examples=30, deadline=None)
@given(given=rewards, after=rewards)
def test_what_is_saved_goes_on_exactly(level: bool, given: list[float], after: list[float]) -> None:
    policy, twin = bandit(level=level), bandit(level=level)
    ties = told(policy, given)
    tensors, values = policy.state()
    twin.load(tensors, json.loads(json.dumps(values, allow_nan=False)))
    first = len(given) + 1
    assert told(twin, after, first, ties) == told(policy, after, first, ties)
    state = state_at(ties, first)
    assert twin.propose(state, KEY) == policy.propose(state, KEY)
    assert twin.state()[1] == policy.state()[1]
    for name, tensor in policy.state()[0].items():
        assert tensor.equal(twin.state()[0][name])


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    st.builds(Rules, independent=numbers, most_owners=st.integers(0, 4), neighbours=st.booleans(), locked=numbers),
    st.integers(0, 1000),
)
def test_proposes_nothing_that_rules_forbid(rules: Rules, seed: int) -> None:
    ties = TieMap.all_tied(LAYERS)
    try:
        rules.check(ties)
    except LayertieError:
        return
    policy, draw = bandit(), np.random.default_rng(seed)
    for decision in range(1, 26):
        state = replace(state_at(ties, decision), rules=rules)
        proposal = policy.propose(state, KEY)
        assert proposal.choice in proposal.legal == rules.legal(ties, state.layer)
        assert policy.greedy(state) in proposal.legal
        ties = ties.act(state.layer, proposal.choice)
        following = replace(state_at(ties, decision + 1), rules=rules)
        policy.learn(Transition(state, proposal.choice, float(draw.normal()), following), KEY)


@pytest.mark.parametrize("seed", range(1000, 1003))
def test_beliefs_are_what_the_map_as_it_stands_would_gain(seed: int) -> None:
    policy, run = trained("A", 6, 200, seed)
    assert run.worth == 1.0
    for layer in range(1, 6):
        state = AgentState(run.ties, layer, layer, 1, 200)
        mean, spread = policy.beliefs(state)
        assert mean.shape == spread.shape == (layer + 1,)
        assert mean[state.present] == spread[state.present] == 0.0
        others = np.arange(layer + 1) != state.present
        assert (spread[others] > 0).all()
        tied = others & (np.arange(layer + 1) < layer)
        assert mean[tied] == pytest.approx(-0.2, abs=0.05)
        # What owning is worth for good and what a new owner costs at first are told apart only while owners stand.
        assert mean[others] == pytest.approx(-0.2, abs=0.15)
    assert policy.noise < 0.05


def test_contributions_add_up_to_the_values() -> None:
    walk = Walk(bandit())
    walk.go(40)
    for decision in range(41, 45):
        state = state_at(walk.ties, decision)
        parts = walk.policy.contributions(state) if isinstance(walk.policy, MapBandit) else {}
        values = walk.policy.propose(state, KEY).q_values
        assert values is not None
        total = np.sum(list(parts.values()), axis=0)
        assert total[list(state.legal)] == pytest.approx(np.array(values), abs=1e-9)


def test_learns_what_a_forecast_lacks() -> None:
    full, rest = bandit(detrend=False), bandit(detrend=False)
    ties, draw = TieMap.all_tied(LAYERS), np.random.default_rng(2)
    for decision in range(1, 161):
        state = state_at(ties, decision, budget=160)
        choice = int(draw.integers(state.layer + 1))
        after = ties.act(state.layer, choice)
        following = state_at(after, decision + 1, 160)
        gained = float(len(after.independent_layers) - len(ties.independent_layers))
        noise = 0.01 * float(draw.standard_normal())
        full.learn(Transition(state, choice, gained + noise, following), KEY)
        rest.learn(Transition(state, choice, 0.25 * gained + noise, following), KEY)
        ties = after
    state = state_at(TieMap.all_tied(LAYERS), 4)
    assert full.beliefs(state)[0][4] == pytest.approx(1.0, abs=0.05)
    assert rest.beliefs(state)[0][4] == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("reward", [math.nan, math.inf])
def test_refuses_rewards_that_are_not_finite(reward: float) -> None:
    state = state_at(TieMap.all_tied(LAYERS), 1)
    with pytest.raises(AgentError, match="finite reward"):
        bandit().learn(Transition(state, 0, reward, state_at(TieMap.all_tied(LAYERS), 2)), KEY)


def test_refuses_other_depths() -> None:
    policy, state = bandit(), state_at(TieMap.all_tied(7), 1)
    for ask in (policy.greedy, policy.beliefs, policy.contributions, lambda state: policy.propose(state, KEY)):
        with pytest.raises(AgentError, match="5 layers"):
            ask(state)
    with pytest.raises(AgentError, match="5 layers"):
        policy.load(*bandit(7).state())


def test_the_regression_finds_weights_and_noise_and_can_be_told_that_the_past_is_over() -> None:
    draw = np.random.default_rng(1)
    groups = {"some": np.array([0, 2]), "others": np.array([1, 3])}
    regression = FadingRegression(groups, {"some": 1.0, "others": 1.0})
    rows = draw.standard_normal((400, 4))
    weights = np.array([1.0, 0.0, -2.0, 0.1])
    for block in np.split(rows, 20):
        regression.add(block, block @ weights + 0.3 * draw.standard_normal(len(block)), np.ones(len(block)))
    assert regression.mean == pytest.approx(weights, abs=4 * 0.3 / 20)
    assert math.sqrt(regression.noise) == pytest.approx(0.3, rel=0.1)
    assert np.sqrt(np.diag(regression.covariance)) == pytest.approx(0.3 / 20, rel=0.2)
    # What is left of 400 rows weighs like 4 against the 40 that follow.
    regression.fade(0.01)
    for block in np.split(rows[:40], 2):
        regression.add(block, -block @ weights, np.ones(len(block)))
    assert regression.mean == pytest.approx(-weights * 36 / 44, abs=0.1)
