"""The Gymnasium environment and the runs under it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from layertie_lab.agent.environment import LayerTyingEnv
from layertie_lab.agent.observation import observe
from layertie_lab.agent.policies.external import ExternalPolicy
from layertie_lab.agent.protocol import AgentState
from layertie_lab.agent.schedule import next_layer
from layertie_lab.agent.synthetic.landscapes import LANDSCAPES, make_landscape
from layertie_lab.agent.synthetic.run import SyntheticRun
from layertie_lab.core.errors import AgentError, ConfigError, TieError
from layertie_lab.core.keys import RunKey
from layertie_lab.core.ties import TieMap


def test_layers_come_in_order_and_episodes_count() -> None:
    assert [next_layer(decision, 4) for decision in range(1, 8)] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
        (2, 2),
        (2, 3),
        (3, 1),
    ]


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_no_map_is_worth_more_than_the_best(landscape: str) -> None:
    made = make_landscape(landscape, 5, seed=3)
    maps = [TieMap(sources) for sources in itertools.product(*(range(layer + 1) for layer in range(5)))]
    assert max(made.worth(ties) for ties in maps) == pytest.approx(made.worth(made.best)) == pytest.approx(1.0)


def test_in_v_a_dip_must_be_crossed() -> None:
    made = make_landscape("V", 12, seed=0)
    given = made.best.independent_layers[1:]
    # As many owners as wanted, one at the wrong place: no single answer is an improvement of the places.
    wrong = next(layer for layer in range(1, 12) if layer not in given)
    start = made.best.act(given[-1], made.best.owners[given[-1] - 1]).act(wrong, wrong)
    assert made.worth(start.act(given[-1], given[-1])) < made.worth(start)
    assert made.worth(made.best) > made.worth(start)


def test_unknown_landscapes_are_refused() -> None:
    with pytest.raises(ConfigError, match="A, B, C, V"):
        make_landscape("X", 6)
    with pytest.raises(ConfigError, match="at least 4 layers"):
        make_landscape("A", 3)


def test_a_synthetic_run_refuses_an_illegal_answer_and_stays() -> None:
    run = SyntheticRun(make_landscape("A", 6))
    with pytest.raises(TieError, match="0 to 1"):
        run.commit(2)
    assert (run.decision, run.ties) == (0, TieMap.all_tied(6))
    assert run.commit(1).ties == TieMap((0, 1, 0, 0, 0, 0))


def test_a_synthetic_runs_noise_is_keyed() -> None:
    losses = [
        [outcome.reward_loss for outcome in SyntheticRun(make_landscape("C", 6), key=RunKey(seed)).run(9)]
        for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_gymnasiums_check_passes(landscape: str) -> None:
    check_env(LayerTyingEnv.synthetic(landscape, layers=6), skip_render_check=True)


def test_masks_say_what_is_legal() -> None:
    environment = LayerTyingEnv.synthetic("A", layers=5, decisions=8)
    _, info = environment.reset(seed=0)
    for layer in (1, 2, 3, 4, 1, 2):
        assert info["layer"] == layer
        assert info["action_mask"].dtype == np.int8
        assert info["action_mask"].tolist() == [1] * (layer + 1) + [0] * (4 - layer)
        assert environment.action_masks().tolist() == [bool(value) for value in info["action_mask"]]
        info = environment.step(environment.action_space.sample(info["action_mask"]))[4]
        assert not info["illegal"]


def test_an_illegal_action_is_reported_or_refused() -> None:
    environment = LayerTyingEnv.synthetic("A", layers=5)
    environment.reset(seed=0)
    info = environment.step(4)[4]
    assert info["illegal"]
    assert info["answer"] == 0
    strict = LayerTyingEnv.synthetic("A", layers=5, strict=True)
    strict.reset(seed=0)
    with pytest.raises(AgentError, match=r"out of \[0, 1\] for layer 1, but got 4"):
        strict.step(4)


def test_an_episode_is_truncated_when_its_budget_is_spent() -> None:
    environment = LayerTyingEnv.synthetic("B", layers=4, decisions=5)
    with pytest.raises(AgentError, match="not reset"):
        environment.step(0)
    environment.reset(seed=0)
    ends = [environment.step(0)[2:4] for _ in range(5)]
    assert ends == [(False, False)] * 4 + [(False, True)]
    with pytest.raises(AgentError, match="at most 5 steps"):
        environment.step(0)


def test_an_observation_says_what_it_should() -> None:
    seen = observe(TieMap((0, 0, 1, 3)), 2, 6, 20)
    expected = [0, 0, 1 / 3, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0.5, 0.25]
    assert seen == pytest.approx(np.array(expected, dtype=np.float32))
    assert seen.dtype == np.float32


def test_the_environment_gives_the_runs_own_reward() -> None:
    environment, run = LayerTyingEnv.synthetic("A", layers=5, seed=2), SyntheticRun(make_landscape("A", 5, 2))
    environment.reset(seed=0)
    for answer in (1, 0, 3, 2, 0, 1):
        assert environment.step(answer)[1] == run.commit(answer).reward


class Fixed:
    """Predicts one action, whatever it sees."""

    def __init__(self, action: object) -> None:
        self.action = action

    def predict(self, observation: np.ndarray, deterministic: bool = False) -> tuple[object, None]:
        return self.action, None


def test_an_outside_policy_answers_or_is_refused() -> None:
    state = AgentState(TieMap.all_tied(4), 2, 2, 1, 10)
    assert ExternalPolicy(Fixed(np.array(2))).propose(state, RunKey(0)).choice == 2
    assert ExternalPolicy(Fixed(np.array([1]))).propose(state, RunKey(0)).choice == 1
    for action, message in (
        (np.array(3), "0 to 2 for layer 2, but got 3"),
        (np.array([0, 1]), "2 of them"),
        (0.5, "0.5"),
    ):
        with pytest.raises(AgentError, match=message):
            ExternalPolicy(Fixed(action)).propose(state, RunKey(0))
    with pytest.raises(AgentError, match="predict"):
        ExternalPolicy(object())


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_maskable_ppo_trains() -> None:
    ppo = pytest.importorskip("sb3_contrib").MaskablePPO
    environment = LayerTyingEnv.synthetic("A", layers=5, decisions=40, strict=True)
    model = ppo("MlpPolicy", environment, n_steps=256, batch_size=64, seed=0, gamma=0.5, device="cpu")

    def worth() -> float:
        run = SyntheticRun(make_landscape("A", 5), ExternalPolicy(model, "ppo"), budget=40)
        run.run(8)
        return run.worth

    before = worth()
    model.learn(8_000)
    assert worth() > before
