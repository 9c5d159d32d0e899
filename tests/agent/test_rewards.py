"""Rewards: what each says of given losses, that they go on exactly, and that a trend is what training alone gains."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from layertie_lab.agent.rewards.charges import Clipped, Priced, Targeted
from layertie_lab.agent.rewards.improvement import Improvement
from layertie_lab.agent.rewards.improvement_over_trend import ImprovementOverTrend
from layertie_lab.agent.rewards.measurement import Measurement, Reward
from layertie_lab.agent.rewards.negative_perplexity import NegativePerplexity
from layertie_lab.agent.rewards.registry import make_reward
from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import AgentError


def measured(loss: float, decision: int = 0, trainable: int = 50, stored: int | None = None) -> Measurement:
    return Measurement(loss, 4 * decision, decision, trainable, 100, stored)


def values(reward: Reward, losses: list[float]) -> list[float]:
    reward.start(measured(losses[0]))
    return [reward.value(measured(loss, decision)) for decision, loss in enumerate(losses[1:], 1)]


def test_negative_perplexity_and_its_clip() -> None:
    losses = [5.0, 4.0, 2.0, 1.0]
    assert values(NegativePerplexity(), losses) == pytest.approx([-math.exp(loss) for loss in losses[1:]])
    clipped = values(Clipped(NegativePerplexity(), 10.0), losses)
    assert clipped == pytest.approx([-10.0, -math.exp(2), -math.exp(1)])


def test_a_lost_models_perplexity_is_infinite() -> None:
    # No agent is told it: a measurement of such a loss ends the run before (session.evaluator, DivergedError).
    assert values(NegativePerplexity(), [1.0, 5000.0])[0] == -math.inf


def test_improvements_sum_to_the_loss_gained() -> None:
    assert values(Improvement(), [3.0, 2.5, 2.6]) == pytest.approx([0.5, -0.1])


def test_a_price_on_a_level_is_charged_each_time() -> None:
    reward = Priced(NegativePerplexity(), 2.0)
    reward.start(measured(1.0, trainable=10))
    assert reward.value(measured(1.0, 1, trainable=25)) == pytest.approx(-math.e - 0.5)
    assert reward.value(measured(1.0, 2, trainable=25)) == pytest.approx(-math.e - 0.5)


def test_a_price_on_improvements_sums_to_price_times_growth() -> None:
    reward = Priced(Improvement(), 2.0, change=True)
    reward.start(measured(3.0, trainable=10))
    given = [reward.value(measured(3.0, decision, trainable)) for decision, trainable in enumerate((30, 30, 20), 1)]
    assert given == pytest.approx([-0.4, 0.0, 0.2])


def test_a_price_may_be_for_what_is_stored() -> None:
    reward = Priced(Improvement(), 1.0, change=True, stored=True)
    reward.start(measured(3.0, stored=100))
    assert reward.value(measured(3.0, 1, stored=40)) == pytest.approx(0.6)


def test_a_target_costs_more_the_longer_it_is_missed_and_then_nothing() -> None:
    reward = Targeted(NegativePerplexity(), 0.2, rate=0.1)
    reward.start(measured(0.0, trainable=50))
    missed = [reward.value(measured(0.0, decision, trainable=50)) + 1 for decision in range(1, 4)]
    assert missed == pytest.approx([-0.03 * 0.3, -0.06 * 0.3, -0.09 * 0.3])
    for decision in range(4, 60):
        reward.value(measured(0.0, decision, trainable=10))
    assert reward.multiplier == 0
    assert reward.value(measured(0.0, 61, trainable=10)) == -1


CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "power": lambda t: 1.5 + 2.5 * (1 + t / 5) ** -0.5,
    "slow power": lambda t: 1.5 + 2.5 * (1 + t / 30) ** -0.2,
    "exponential": lambda t: 1.5 + 2.5 * np.exp(-t / 60),
    "two phases": lambda t: 1.5 + 1.5 * np.exp(-t / 5) + np.exp(-t / 100),
    "flat": lambda t: np.full_like(t, 2.0),
}


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_over_trend_is_near_zero_on_a_plain_training_curve(curve: str, noise: float) -> None:
    decisions = np.arange(301.0)
    losses = CURVES[curve](decisions) + noise * np.random.default_rng(0).standard_normal(301)
    over = np.array(values(ImprovementOverTrend(), losses.tolist()))
    plain = -np.diff(losses)
    for part in (slice(5, 30), slice(30, 100), slice(100, 300)):
        error = 2 * noise * math.sqrt(2) / (part.stop - part.start)
        assert abs(over[part].mean()) <= 0.25 * abs(plain[part].mean()) + error + 1.5e-3
    # Estimating the trend adds little noise of its own.
    assert over[100:].std() <= 1.1 * plain[100:].std() + 1e-4


def test_over_trend_keeps_what_an_answer_did() -> None:
    decisions = np.arange(121.0)
    losses = CURVES["power"](decisions)
    losses[60:] -= 0.2
    over = values(ImprovementOverTrend(), losses.tolist())
    assert over[59] == pytest.approx(0.2, abs=0.01)
    # And does not pay for it with the answers that follow.
    assert sum(over[60:90]) == pytest.approx(0.0, abs=0.04)


@pytest.mark.parametrize("kind", ["negative-perplexity", "improvement", "improvement-over-trend"])
@pytest.mark.parametrize("charges", [{}, {"clip": 0.05, "price": 0.3, "target_share": 0.4}])
def test_round_trip_is_exact(kind: str, charges: dict[str, float]) -> None:
    config = RunConfig.preset("tiny", kind=kind, **charges)
    losses = (3 / np.sqrt(1 + np.arange(80.0)) + np.random.default_rng(1).normal(0, 0.01, 80)).tolist()
    reward, twin = make_reward(config), make_reward(config)
    reward.start(measured(4.0))
    for decision, loss in enumerate(losses[:40], 1):
        reward.value(measured(loss, decision, 40 + decision % 7))
    twin.load(json.loads(json.dumps(reward.state(), allow_nan=False)))
    for decision, loss in enumerate(losses[40:], 41):
        after = measured(loss, decision, 40 + decision % 7)
        assert twin.value(after) == reward.value(after)


@pytest.mark.parametrize("kind", ["negative-perplexity", "improvement", "improvement-over-trend"])
def test_a_loss_that_is_no_number_is_refused(kind: str) -> None:
    reward = make_reward(RunConfig.preset("tiny", kind=kind))
    reward.start(measured(4.0))
    with pytest.raises(AgentError, match="finite loss at step 4"):
        reward.value(measured(math.nan, 1))


def test_the_official_codes_reward_is_constant_while_perplexity_is_above_10() -> None:
    reward = make_reward(RunConfig.preset("tiny", algorithm="official-code"))
    assert values(reward, [5.0, 4.0, 3.0, 2.4]) == [-10.0, -10.0, -10.0]
    unclipped = make_reward(RunConfig.preset("tiny", algorithm="official-code", clip=0.0))
    assert len(set(values(unclipped, [5.0, 4.0, 3.0, 2.4]))) == 3
