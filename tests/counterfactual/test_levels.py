"""A reduced data/verdicts/simulate.py: what the verdicts promise, for differences of several distributions."""

from __future__ import annotations

import numpy as np
import pytest

from layertie_lab.counterfactual.interim import GroupSequential, OpenEnded, Plan
from layertie_lab.counterfactual.looking import look
from layertie_lab.counterfactual.verdict import classify

PATHS = 6_000
ERROR = 3 * (0.05 * 0.95 / PATHS) ** 0.5
"""Three standard errors of a share of .05."""


def normal(draw: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return draw.standard_normal(size)


def lognormal(draw: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return np.exp(draw.standard_normal(size)) - 1.0


def t3(draw: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return draw.standard_t(3, size)


def two_kinds(draw: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Half around -2, half around 2."""
    return draw.standard_normal(size) + 2 * draw.choice([-1.0, 1.0], size)


def rarely_wide(draw: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return draw.standard_normal(size) * np.where(draw.random(size) < 0.1, 5.0, 1.0)


SHAPES = [normal, lognormal, t3, two_kinds, rarely_wide]
"""All have a median of 0."""


def false_verdicts(draws: np.ndarray, plan: Plan) -> float:
    """Share of paths whose interval has ever left out 0."""
    wrong = np.zeros(len(draws), dtype=bool)
    for count in plan.reached(draws.shape[1]):
        found = look(draws[:, :count], plan, 0.0)
        wrong |= classify(found.low, found.high, 0.0) != 0
    return float(wrong.mean())


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("plan", [GroupSequential(), OpenEnded()], ids=["4-8-16", "open"])
def test_false_verdicts_and_coverage(plan: Plan, shape) -> None:
    found = false_verdicts(shape(np.random.default_rng(7), (PATHS, plan.last)), plan)
    assert found <= 0.055 + ERROR
    assert 0.93 <= 1 - found <= 0.97 + ERROR


def test_the_old_rule_breaks_its_promise_where_differences_are_skewed() -> None:
    # About the mean, as it was meant.
    draws = lognormal(np.random.default_rng(7), (PATHS, 16)) + 1.0 - np.exp(0.5)
    assert false_verdicts(draws, GroupSequential(alphas=(0.01, 0.015, 0.03), rule="t")) > 0.2


@pytest.mark.parametrize("effect", [0.6, 0.8, 1.0, 1.3])
def test_little_power_is_lost_where_the_differences_are_normal(effect: float) -> None:
    draws = effect + normal(np.random.default_rng(8), (PATHS, 16))
    old = GroupSequential(alphas=(0.01, 0.015, 0.03), rule="t")
    assert false_verdicts(draws, GroupSequential()) >= false_verdicts(draws, old) - 0.05


def test_peeking_after_every_replicate_is_wrong_far_more_often() -> None:
    draws = normal(np.random.default_rng(9), (PATHS, 16))
    peeking = GroupSequential(tuple(range(4, 17)), (0.0384,) * 13, rule="t")
    assert false_verdicts(draws, peeking) > 0.12
