"""The lab agent learns: synthetic runs with known best maps, at the budgets that a person has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from walks import Walk, config_of, state_at

from layertie_lab.agent.policies.registry import make_policy
from layertie_lab.agent.protocol import AgentState
from layertie_lab.agent.synthetic.landscapes import make_landscape
from layertie_lab.agent.synthetic.run import SyntheticRun
from layertie_lab.agent.synthetic.trials import try_agent
from layertie_lab.core.config import RunConfig
from layertie_lab.core.ties import TieMap

DECISIONS = {
    6: {"A": 300, "B": 800, "C": 800, "V": 800, "P": 800},
    12: {"A": 600, "B": 2_500, "C": 2_500, "V": 2_500, "P": 2_500},
    48: {"A": 6_000, "B": 12_000, "C": 20_000, "V": 12_000, "P": 12_000},
}
EASY = tuple(DECISIONS[6])
ENOUGH = {(48, "B"): 0.88, (48, "C"): 0.90}
DESIGNED_ON = range(10)
NEVER_USED = range(1000, 1010)


def agent(name: str, layers: int) -> RunConfig:
    algorithm = "official-code" if name == "official-code" else "lab"
    return RunConfig.preset("laptop", algorithm=algorithm, policy=name, layers=layers)


def scores(name: str, layers: int, landscape: str, seeds: range) -> np.ndarray:
    decisions = DECISIONS[layers][landscape]
    return np.array([try_agent(agent(name, layers), landscape, decisions, seed).score for seed in seeds])


@pytest.mark.parametrize("landscape", EASY)
def test_solves_six_layers_where_random_fails(landscape: str) -> None:
    solved = scores("lab", 6, landscape, range(1000, 1005)) >= 0.95
    assert solved.sum() >= 4
    assert not (scores("random", 6, landscape, range(1000, 1005)) >= 0.95).any()


@pytest.mark.long
@pytest.mark.parametrize("layers", [6, 12])
@pytest.mark.parametrize("landscape", EASY)
@pytest.mark.parametrize("seeds", [DESIGNED_ON, NEVER_USED], ids=["designed-on", "never-used"])
def test_solves_nine_of_ten(layers: int, landscape: str, seeds: range) -> None:
    assert (scores("lab", layers, landscape, seeds) >= 0.95).sum() >= 9
    assert not (scores("random", layers, landscape, seeds) >= 0.95).any()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("landscape", EASY)
@pytest.mark.parametrize("seeds", [DESIGNED_ON, NEVER_USED], ids=["designed-on", "never-used"])
def test_solves_48_layers(landscape: str, seeds: range) -> None:
    assert (scores("lab", 48, landscape, seeds) >= ENOUGH.get((48, landscape), 0.95)).sum() >= 9


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("landscape", ["A", "B", "C"])
def test_the_official_codes_q_learner_does_not(landscape: str) -> None:
    assert (scores("official-code", 12, landscape, DESIGNED_ON) >= 0.95).sum() <= 2


@pytest.mark.long
@pytest.mark.parametrize("learner", ["gaussian", "advantage"])
def test_the_other_learners_learn_where_each_layer_has_a_best_source(learner: str) -> None:
    config = RunConfig.preset("laptop", layers=12, learner=learner)
    assert sum(try_agent(config, "A", 600, seed).score >= 0.95 for seed in range(5)) >= 4


def trained(landscape: str, layers: int, decisions: int, **settings: object) -> SyntheticRun:
    config = replace(RunConfig.preset("laptop", layers=layers, **settings), decisions=decisions)
    run = SyntheticRun.of(config, make_landscape(landscape, layers, 0))
    run.run()
    return run


def test_it_uses_its_state() -> None:
    run = trained("B", 6, 800)
    last = 5
    ready = run.landscape.best
    owns = ready[last] == last
    # With one owner too few or too many among the layers before, the last layer has to make up for it.
    fewer = TieMap((*(0,) * last, ready[last]))
    more = TieMap((*range(last), ready[last]))
    answers = {}
    for name, ties in (("fewer", fewer), ("more", more)):
        state = AgentState(ties, last, 805, 162, 800)
        answers[name] = run.policy.greedy(state)
        truth = [run.landscape.worth(ties.act(last, answer)) for answer in state.legal]
        assert truth[answers[name]] == pytest.approx(max(truth))
        values = run.policy.propose(state, run.key).q_values
        assert values is not None
        gain = np.array(truth) - truth[ties[last]]
        assert np.abs(np.array(values) - gain).max() < 0.25 * np.ptp(truth), (values, gain)
    assert answers["fewer"] == last
    assert answers["more"] != last
    assert owns in (True, False)


def test_keeping_the_present_tie_is_worth_exactly_nothing() -> None:
    for learner in ("linear", "gaussian", "advantage"):
        walk = Walk(make_policy(config_of(learner=learner)))
        for proposal in walk.go(40):
            assert proposal.q_values is not None
            assert proposal.q_values[proposal.present] == 0


def test_a_persons_answers_count_for_the_rest_of_the_pass() -> None:
    run = trained("V", 6, 800)
    state = run.state
    assert state.layer == 1
    untouched = run.policy.propose(replace(state, ties=run.landscape.best), run.key)
    assert untouched.choice == run.landscape.best[1]
    # A person ties everything before the last layer that should own: what is left of the pass makes up for it.
    tied = TieMap.all_tied(6)
    worth = {answer: run.landscape.worth(tied.act(4, answer)) for answer in range(5)}
    proposal = run.policy.propose(AgentState(tied, 4, 804, 162, 800), run.key)
    assert worth[proposal.choice] >= worth[0]


@pytest.mark.parametrize("kind", ["improvement", "improvement-over-trend", "negative-perplexity"])
def test_it_learns_from_every_kind_of_reward(kind: str) -> None:
    config = RunConfig.preset("laptop", layers=6, kind=kind)
    assert sum(try_agent(config, "B", 800, seed).score >= 0.95 for seed in range(3)) >= 2


def test_a_price_makes_it_choose_fewer_owners() -> None:
    def owners(price: float) -> int:
        run = trained("B", 6, 400, price=price)
        ties = TieMap.all_tied(6)
        for decision in range(401, 411):
            state = state_at(ties, decision, 400)
            ties = ties.act(state.layer, run.policy.greedy(state))
        return len(ties.independent_layers)

    assert owners(0.0) == 3
    assert owners(5.0) == 1


def test_exploration_ends() -> None:
    run = trained("A", 6, 300)
    ties = run.ties
    assert run.landscape.worth(ties) == 1.0
    assert sum(outcome.decision.proposal.explored for outcome in run.run(50)) <= 5


@pytest.mark.long
@pytest.mark.parametrize(("layers", "most"), [(12, 3.0), (48, 3.0)])
def test_cost_of_a_decision(layers: int, most: float) -> None:
    trial = try_agent(RunConfig.preset("laptop", layers=layers), "B", 8 * (layers - 1), 0)
    assert trial.milliseconds <= most
