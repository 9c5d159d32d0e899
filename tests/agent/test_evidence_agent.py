"""The lab agent in a run that measures ties: its goal, its first map, its looks, its reasons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from walks import config_of, state_at

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.agent.bandit.evidence import Evidence, split_gains
from layertie_lab.agent.bandit.goal import Goal, signed
from layertie_lab.agent.bandit.recorded import candidates, recorded, traits
from layertie_lab.agent.explanations import explain, input_attribution
from layertie_lab.agent.policies.evidence import EvidenceAgent
from layertie_lab.agent.protocol import Transition
from layertie_lab.core.errors import AgentError, ConfigError
from layertie_lab.core.keys import RunKey
from layertie_lab.core.rules import Rules
from layertie_lab.core.ties import TieMap

KEY = RunKey(0)


def share(owners: int) -> float:
    """Of a model of six layers whose layers are all of it but a tenth."""
    return 0.1 + 0.9 * owners / 6


def agent(first: bool = True, **changes: Any) -> EvidenceAgent:
    made = EvidenceAgent(config_of(layers=6, **changes))
    if first:
        made.begin(share)
    return made


def run_of(text: Path, **changes: Any) -> RunConfig:
    return RunConfig.preset(
        "tiny", corpus=str(text), layers=6, width=16, context=16, decisions=40, threads=1, **changes
    )


def decide(policy: EvidenceAgent, ties: TieMap, decision: int, reward: float = 0.0, **seen: Any) -> TieMap:
    """One decision as the policy proposes it; the map after it."""
    state = replace(state_at(ties, decision), **seen)
    choice = policy.propose(state, KEY).choice
    after = ties.act(state.layer, choice)
    policy.learn(Transition(state, choice, reward, replace(state_at(after, decision + 1), **seen)), KEY)
    return after


# -- what is known before the run


@pytest.mark.parametrize("layers", [2, 3, 6, 12, 48])
def test_candidates_are_maps_of_so_many_owners(layers: int) -> None:
    for owners in range(1, layers + 1):
        maps = list(candidates(layers, owners))
        assert maps
        assert all(len(ties) == layers and len(ties.independent_layers) == owners for ties in maps)
        assert all(ties[source] == source for ties in maps for source in ties)


def test_traits_of_a_map() -> None:
    assert np.all(traits(TieMap.independent(6)) == 0)
    spread, single, first, last, jumps, largest = traits(TieMap((0, 1, 2, 1, 2, 5)))
    assert (spread, single, first, last) == (pytest.approx(np.log(6 / 4)), 0, 0, 0)
    assert (jumps, largest) == (pytest.approx(2 / 6), pytest.approx(1 / 6))
    assert traits(TieMap.all_tied(6))[1:4].tolist() == [1, 1, 1]


def test_fewer_owners_are_predicted_to_lose_more() -> None:
    worth, _ = recorded()
    for layers in (6, 12, 48):
        losses = [worth.excess(worth.best(layers, owners))[0] for owners in range(1, layers + 1)]
        assert losses[-1] == pytest.approx(0)
        assert losses[0] > losses[layers // 3] > -0.005


def test_the_first_map_keeps_the_rules() -> None:
    worth, _ = recorded()
    for line in ("independent=0,3", "neighbours", "most-owners=2", "independent=-1; neighbours"):
        rules = Rules.parse(line)
        found = worth.best(6, 4, rules)
        assert all(found[layer] in rules.legal(found, layer) for layer in range(1, 6)) or found == TieMap.all_tied(6)


def test_goals() -> None:
    worth, _ = recorded()
    assert Goal(owners=4).chosen(6, share, worth)[0] == 4
    count, why = Goal(parameters=0.6).chosen(6, share, worth)
    assert (count, "agent.parameters=0.6" in why) == (3, True)
    assert share(3) <= 0.6 < share(4)
    prices = [Goal(price=price).chosen(6, share, worth)[0] for price in (1e-6, 0.02, 0.1, 10.0)]
    assert prices == sorted(prices, reverse=True)
    assert prices[-1] == 1
    fewest, why = Goal().chosen(6, share, worth)
    assert worth.excess(worth.best(6, fewest))[0] <= 0.01 < worth.excess(worth.best(6, fewest - 1))[0]
    assert "No goal was given" in why
    assert Goal().chosen(6, share, None)[0] == 2
    with pytest.raises(ConfigError, match=r"Expected agent.parameters to be at least 0.250"):
        Goal(parameters=0.2).chosen(6, share, worth)


@pytest.mark.parametrize("goals", [{"owners": 3, "parameters": 0.5}, {"owners": 3, "price": 0.1}])
def test_two_goals_are_refused(goals: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"Expected one goal for the lab agent, but got agent\.owners=3 and"):
        config_of(layers=6, **goals)
    config_of("random", layers=6, **goals)


def test_more_owners_than_layers_are_refused() -> None:
    with pytest.raises(ConfigError, match="Expected at most 6 owners"):
        config_of(layers=6, owners=7)


# -- what it makes of what it measured


def test_a_forecast_learns_as_a_regression_does() -> None:
    """Against the closed form of all observations at once."""
    _, forecast = recorded()
    start, before = np.linalg.inv(forecast.covariance), forecast.mean
    draws = np.random.default_rng(0)
    rows, noises, gains = [], [], []
    for _ in range(8):
        changes: list[Any] = [("tie", draws.uniform(0, 0.1)), ("untie", draws.uniform(0, 0.3))]
        variance = 0.01**2 + sum(forecast.error(*change) ** 2 for change in changes)
        rows.append(sum(forecast.row(*change) for change in changes))
        noises.append(variance)
        gains.append(draws.normal(0, 0.02))
        forecast.learn(changes, gains[-1], 0.01)
    x, weights = np.array(rows), np.diag(1 / np.array(noises))
    covariance = np.linalg.inv(start + x.T @ weights @ x)
    np.testing.assert_allclose(forecast.covariance, covariance, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(
        forecast.mean, covariance @ (start @ before + x.T @ weights @ np.array(gains)), rtol=1e-6
    )


def test_parts_of_a_forecast_are_its_mean() -> None:
    _, forecast = recorded()
    for kind, size in (("tie", 0.2), ("re-tie", -0.01), ("untie", 0.1)):
        assert sum(forecast.parts(kind, size)) == pytest.approx(forecast.gain(kind, size)[0])
        assert forecast.gain(kind, size)[1] > 0


def test_recorded_knowledge_is_not_changed_by_a_run() -> None:
    _, first = recorded()
    first.learn([("tie", 0.1)], 1.0, 0.01)
    _, second = recorded()
    assert not np.array_equal(first.mean, second.mean)


def test_split_gains_are_of_the_block_alone() -> None:
    gradients = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    found = split_gains(gradients @ gradients.T, (0, 0, 0, 3))
    together = np.hypot(2, 1)
    assert found[0] == pytest.approx((1 + np.hypot(1, 1)) / together - 1)
    assert found[2] == pytest.approx(3 / together - 1)
    assert found[3] == 0


def test_more_owners_than_it_aims_at_are_tied_where_that_is_cheapest() -> None:
    policy = agent(owners=2)
    ties, costs = TieMap.independent(6), np.full((6, 6), 0.5)
    costs[3:, 1] = 0.01
    costs[2, 1] = 0.02
    np.fill_diagonal(costs, 0)
    for decision in range(1, 20):
        ties = decide(policy, ties, decision, tie_costs=lambda: costs)
    assert ties.sources == (0, 1, 1, 1, 1, 1)


def test_fewer_owners_split_where_gradients_disagree() -> None:
    policy = agent(owners=2, prior="none")
    agreement = np.ones((6, 6))
    agreement[:4, 4:] = agreement[4:, :4] = -0.5
    ties = TieMap.all_tied(6)
    for decision in range(1, 25):
        ties = decide(policy, ties, decision, agreement=lambda: agreement)
    assert ties.flattened().sources == (0, 0, 0, 0, 4, 4)


def test_it_stays_where_nothing_is_a_gain_and_moves_where_one_is_sure() -> None:
    stay, move = agent(owners=2), agent(owners=2)
    costs = np.full((6, 6), 0.3)
    np.fill_diagonal(costs, 0)
    costs[:, 1] = 0.0
    better = costs.copy()
    better[4, 0] = -0.5
    start = TieMap((0, 1, 1, 1, 1, 1))
    agree = np.ones((6, 6))
    ends = []
    for policy, seen in ((stay, costs), (move, better)):
        ties = start
        for decision in range(1, 40):
            # Measured on the map as it stands: what is there already costs nothing more.
            now = seen - seen[np.arange(6), list(ties.owners)][:, None]
            ties = decide(policy, ties, decision, tie_costs=lambda now=now: now, agreement=lambda: agree)
        ends.append(ties)
    assert ends[0] == start
    assert ends[1].sources == (0, 1, 1, 1, 0, 1)


def test_nothing_is_moved_when_too_few_steps_are_left() -> None:
    policy = agent(owners=2)
    costs = np.zeros((6, 6))
    costs[3, 0] = -0.5
    policy._evidence = Evidence(TieMap((0, 1, 1, 1, 1, 1)), 24, costs, np.zeros(6))
    late = replace(state_at(TieMap((0, 1, 1, 1, 1, 1)), 53), layer=3)
    assert policy.greedy(late) == 1
    assert policy.greedy(replace(late, decision=40)) == 0
    assert "would not pay in the steps that are left" in policy.reasons(late)[-1]


def test_it_says_why_an_action_of_a_higher_forecast_is_passed_over() -> None:
    policy = agent(owners=2)
    ties = TieMap((0, 1, 1, 1, 1, 1))
    costs = np.zeros((6, 6))
    policy._evidence = Evidence(ties, 24, costs, np.zeros(6))
    tied, owner = replace(state_at(ties, 30), layer=3), replace(state_at(ties, 30), layer=1)
    forecast = policy.forecasts(tied)
    assert forecast is not None
    assert forecast[0].argmax() == 3  # on its own
    assert policy.greedy(tied) == 1
    said = policy.reasons(tied)[-1]
    assert said.startswith("Training it on its own has a higher forecast")
    assert said.endswith("it takes no more owners: it has 2 and aims at 2.")
    policy._plan = TieMap((0, 1, 1, 1, 1, 1))
    assert policy.reasons(tied)[-1].endswith("but the plan comes first.")
    policy._plan = None
    costs[1, 0] = -0.5
    assert policy.greedy(owner) == 1
    assert policy.reasons(owner)[-1].endswith("it gives up no owner: it has 2 and aims at 2.")
    # Nothing is said where the proposed one is the highest.
    costs[3, 0] = -5.0
    assert policy.greedy(tied) == 0
    assert "higher forecast" not in " ".join(policy.reasons(tied))


def test_a_forecast_that_is_not_sure_enough_is_passed_over_for_that() -> None:
    policy = agent(owners=2)
    ties = TieMap((0, 1, 1, 1, 1, 1))
    costs = np.full((6, 6), 1.0)
    costs[3, :2] = [-0.5, 0.0]
    policy._evidence = Evidence(ties, 24, costs, np.zeros(6))
    policy._forecast.covariance *= 1e4
    state = replace(state_at(ties, 30), layer=3)
    assert policy.greedy(state) == 1
    assert "standard deviation" in policy.reasons(state)[-1]


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0.000"), (-0.0, "0.000"), (-0.0004, "0.000"), (0.0004, "0.000"), (0.0006, "+0.001"), (-1.5, "-1.500")],
)
def test_a_difference_that_rounds_to_zero_has_no_sign(value: float, words: str) -> None:
    assert signed(value, 3) == words


def test_every_layer_on_its_own_loses_nothing_against_itself() -> None:
    assert "6: 0.000" in agent(owners=2).reasons(state_at(TieMap((0,) * 6), 1))[1]


def test_its_values_before_and_after_it_has_measured() -> None:
    policy = agent(owners=2)
    ties = policy.begin(share)
    first = state_at(ties, 1)
    assert policy.propose(first, KEY).q_values is policy.propose(first, KEY).q_deviations is None
    assert policy.contributions(first) == {}
    assert "measured nothing" in policy.reasons(first)[2]
    for decision in range(1, 8):
        ties = decide(policy, ties, decision)
    state = state_at(ties, 8)
    values = policy.propose(state, KEY).q_values
    assert values is not None
    assert values[state.legal.index(state.present)] == 0
    forecast, deviations = policy.forecasts(state), policy.propose(state, KEY).q_deviations
    assert forecast is not None
    assert deviations == tuple(float(forecast[1][action]) for action in state.legal)
    assert deviations[state.legal.index(state.present)] == 0
    assert max(deviations) > 0
    rows = input_attribution(policy, state)
    for action, value in zip(state.legal, values, strict=True):
        assert sum(row["value"] for row in rows if row["answer"] == action) == pytest.approx(value, abs=1e-12)
    said = explain(policy, state, KEY)
    assert said["unit"] == "nats/token"
    assert len(said["reasons"]) == 5
    assert "1: +" in said["reasons"][1]
    assert "agent.owners" in said["reasons"][0]


def test_its_state_goes_on_exactly() -> None:
    for stop in (0, 3, 7, 20, 33):
        policy, other = agent(owners=3), agent(first=False, owners=3)
        ties = policy.begin(share)
        for decision in range(1, stop + 1):
            ties = decide(policy, ties, decision, reward=0.01 * decision)
        tensors, values = policy.state()
        other.load(tensors, values)
        mine = theirs = ties
        for decision in range(stop + 1, 50):
            mine, theirs = decide(policy, mine, decision, 0.02), decide(other, theirs, decision, 0.02)
            assert mine == theirs
        assert policy.state()[1] == other.state()[1]


def test_it_learns_from_what_came_of_its_changes() -> None:
    policy = agent(owners=2)
    policy._evidence = Evidence(TieMap((0, 1, 1, 1, 1, 1)), 0, np.tile(np.linspace(0.3, 0.0, 6), (6, 1)), np.ones(6))
    before = policy._forecast.mean.copy()
    ties, told = TieMap((0, 1, 1, 1, 1, 1)), []
    for decision in range(1, 16):
        state = state_at(ties, decision)
        choice = 0 if decision == 2 else state.present
        after = ties.act(state.layer, choice)
        reward = 0.05 if decision > 1 else 0.0
        told.append(policy.learn(Transition(state, choice, reward, state_at(after, decision + 1), "human"), KEY))
        ties = after
    errors = [each for each in told if "prediction_error" in each]
    assert len(errors) == 1
    assert not np.array_equal(before, policy._forecast.mean)


def test_what_it_refuses() -> None:
    policy = agent()
    state = state_at(TieMap.all_tied(6), 1)
    with pytest.raises(AgentError, match="finite reward"):
        policy.learn(Transition(state, 0, float("nan"), state), KEY)
    with pytest.raises(AgentError, match="6 layers"):
        policy.propose(state_at(TieMap.all_tied(5), 1), KEY)
    with pytest.raises(AgentError, match="another depth"):
        policy.load({}, {"policy": "linear", "layers": 6})


# -- in a run


def test_a_run_begins_with_its_map_and_says_why(text_file: Path, tmp_path: Path) -> None:
    with Session(run_of(text_file, owners=3), tmp_path / "run") as session:
        first = session.ties
        assert len(first.independent_layers) == 3
        session.run(30)
    log = load_run(tmp_path / "run")
    assert log.opened is not None
    assert len(session.ties.independent_layers) == 3
    assert log.q_values["decision"].min() == 3  # after a twentieth of the budget


def test_without_the_prior_it_finds_its_owners_in_the_run(text_file: Path, tmp_path: Path) -> None:
    with Session(run_of(text_file, owners=3, prior="none"), tmp_path / "run") as session:
        assert session.ties == TieMap.all_tied(6)
        session.run()
        assert len(session.ties.independent_layers) == 3


def test_a_run_that_was_interrupted_goes_on_as_it_would_have(text_file: Path, tmp_path: Path) -> None:
    changes = {"owners": 3, "prior": "none", "snapshot_mebibytes": 0}
    with Session(run_of(text_file, **changes), tmp_path / "whole") as session:
        session.run()
    for stop in (2, 9, 21):
        with Session(run_of(text_file, **changes), tmp_path / str(stop)) as session:
            session.run(stop)
        with Session.resume(tmp_path / str(stop)) as session:
            session.run()
        whole, again = ((tmp_path / name / "events.jsonl").read_bytes() for name in ("whole", str(stop)))
        assert whole == again


def test_a_goal_that_cannot_be_reached_leaves_no_run(text_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Expected agent.parameters to be at least"):
        Session(run_of(text_file, parameters=0.01), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_person_overrules_it_and_it_leaves_that_alone(text_file: Path) -> None:
    session = Session(run_of(text_file, owners=3))
    session.run(20)
    proposal = session.propose()
    other = next(action for action in proposal.legal if action not in (proposal.present, proposal.choice))
    session.commit(other, by="human")
    before = session.ties
    session.run(5)
    assert session.ties[proposal.layer] == before[proposal.layer]
