"""Features, planner and posterior of the lab agent, each against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from layertie_lab.agent.bandit.features import MapFeatures
from layertie_lab.agent.bandit.planner import Planner
from layertie_lab.agent.bandit.posterior import LinearPosterior
from layertie_lab.core.ties import TieMap


def all_maps(layers: int) -> list[TieMap]:
    return [TieMap(sources) for sources in itertools.product(*(range(layer + 1) for layer in range(layers)))]


def test_features_of_a_map_worked_out_by_hand() -> None:
    features = MapFeatures(4)
    seen = features.vector(TieMap((0, 1, 0, 2)))
    assert features.size == len(seen) == 2 + 3 + 4 + 2 + 2 + 3 + 2
    # Layer 1 is answered with 1 (of 0, 1), layer 2 with 0 (of 0, 1, 2), layer 3 with 2 (of 0 .. 3).
    assert seen[features.groups["table"]].tolist() == [0, 1, 1, 0, 0, 0, 0, 1, 0]
    assert seen[features.groups["count"]].tolist() == [0.5, 0.25]
    # Owners 0 and 1 stand at z = -1 and -1/3.
    assert seen[features.groups["position"]] == pytest.approx([-(4 / 3) / 4, (10 / 9) / 4])
    # Layer 2 is tied and has another owner (0) than layer 1 (itself); layer 3 has layer 2's.
    assert seen[features.groups["jumps"]].tolist() == [0, 1, 0]
    # Distances to the owners: 0, 0, 2, 3.
    assert seen[features.groups["pooled"]] == pytest.approx([1 / 4, (5 / 4) / 4])


def test_planner_and_features_agree_on_every_map() -> None:
    draw, features, maps = np.random.default_rng(0), MapFeatures(5), all_maps(5)
    vectors = np.array([features.vector(ties) for ties in maps])
    for _ in range(5):
        weights = draw.normal(size=features.size)
        planner = Planner(features, weights)
        ours = np.array([planner.worth(ties) for ties in maps])
        theirs = vectors @ weights
        assert ours - ours[0] == pytest.approx(theirs - theirs[0])
        for ties in maps[:: len(maps) // 7]:
            for layer in range(1, 5):
                values = planner.action_values(ties, layer)
                each = [weights @ features.vector(ties.act(layer, answer)) for answer in range(layer + 1)]
                assert values - values[0] == pytest.approx(np.array(each) - each[0])


def test_planner_finds_the_best_map_or_nearly() -> None:
    draw, features, maps = np.random.default_rng(1), MapFeatures(5), all_maps(5)
    vectors = np.array([features.vector(ties) for ties in maps])
    exact = 0
    for _ in range(40):
        weights = draw.normal(size=features.size)
        weights[features.groups["count"]] *= draw.choice([1, 10, 30])
        worth = vectors @ weights
        found = Planner(features, weights).best([TieMap.all_tied(5), TieMap.independent(5)])
        short = (worth.max() - weights @ features.vector(found)) / worth.std()
        assert short < 0.6
        exact += short < 1e-9
    assert exact >= 36


def test_planner_leaves_earlier_layers_alone() -> None:
    features = MapFeatures(6)
    weights = np.random.default_rng(2).normal(size=features.size)
    start = TieMap((0, 1, 0, 3, 1, 0))
    assert Planner(features, weights).best([start], first=4).sources[:4] == start.sources[:4]


def test_planner_does_not_pay_for_changes_that_bring_less() -> None:
    features, present = MapFeatures(5), TieMap((0, 1, 0, 3, 1))
    weights = np.random.default_rng(3).normal(size=features.size)
    free = Planner(features, weights, present, np.zeros(3)).best([present])
    dear = Planner(features, weights, present, np.full(3, -1e3)).best([present])
    assert free != present
    assert dear == present


def test_posterior_is_ridge_regression_at_its_scales() -> None:
    draw = np.random.default_rng(4)
    posterior = LinearPosterior({"a": slice(0, 3), "b": slice(3, 15)}, {"a": 4.0, "b": 1.0}, memory=20.0)
    rows, truth = draw.normal(size=(60, 15)), draw.normal(size=15)
    observed = rows @ truth + 0.1 * draw.normal(size=60)
    posterior.add(rows, observed, seed=0)
    # The first rows are weighed by the observations' own mean square.
    noise = float(np.mean(observed**2))
    prior = np.diag(1 / (noise * np.repeat([4.0, 1.0], [3, 12])))
    assert posterior.mean == pytest.approx(np.linalg.solve(rows.T @ rows / noise + prior, rows.T @ observed / noise))
    covariance = np.linalg.inv(rows.T @ rows / noise + prior)
    draws = np.array([posterior.draw(seed) for seed in range(4000)])
    assert np.cov(draws.T) == pytest.approx(covariance, abs=0.12 * np.diag(covariance).max())


def test_posterior_learns_noise_and_scales() -> None:
    draw = np.random.default_rng(5)
    posterior = LinearPosterior({"large": slice(0, 4), "none": slice(4, 24)}, {"large": 1.0, "none": 1.0}, memory=20.0)
    truth = np.concatenate([3 * draw.normal(size=4), np.zeros(20)])
    for seed in range(40):
        rows = draw.normal(size=(10, 24))
        posterior.add(rows, rows @ truth + 0.2 * draw.normal(size=10), seed)
    assert posterior.noise == pytest.approx(0.04, rel=0.4)
    assert posterior.mean == pytest.approx(truth, abs=0.15)


def test_posterior_waits_for_something_to_happen() -> None:
    posterior = LinearPosterior({"a": slice(0, 3)}, {"a": 1.0}, memory=20.0)
    posterior.add(np.ones((4, 3)), np.zeros(4), seed=0)
    assert posterior.noise == 0
    assert not posterior.mean.any()
