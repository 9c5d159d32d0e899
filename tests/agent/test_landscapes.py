"""Synthetic worths: each has a best map, is the same again, and does what its description says."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from layertie_lab.agent.policies.random import RandomPolicy
from layertie_lab.agent.synthetic.landscapes import LANDSCAPES, make_landscape
from layertie_lab.agent.synthetic.run import SyntheticRun
from layertie_lab.agent.synthetic.trials import try_agent
from layertie_lab.core.config import RunConfig
from layertie_lab.core.keys import RunKey
from layertie_lab.core.ties import TieMap

names = st.sampled_from(LANDSCAPES)
maps = st.integers(4, 13).flatmap(
    lambda layers: st.tuples(*(st.integers(0, layer) for layer in range(layers))).map(TieMap)
)


@hypothesis_settings(max_examples=300, deadline=None)
@given(name=names, ties=maps, seed=st.integers(0, 50))
def test_the_best_map_is_worth_1_and_no_other_more(name: str, ties: TieMap, seed: int) -> None:
    made = make_landscape(name, len(ties), seed)
    for part in (made, made.later or made):
        assert part.worth(part.best) == pytest.approx(1.0, abs=1e-12)
        assert part.worth(ties) <= 1 + 1e-12
        # Whatever is one source away from the best map is no better either.
        for layer in range(1, len(ties)):
            assert part.worth(part.best.act(layer, ties[layer])) <= 1 + 1e-12


@hypothesis_settings(max_examples=40, deadline=None)
@given(name=names, layers=st.integers(4, 9), seed=st.integers(0, 50))
def test_the_same_key_gives_the_same_numbers(name: str, layers: int, seed: int) -> None:
    runs = [SyntheticRun(make_landscape(name, layers, seed), RandomPolicy(), key=RunKey(seed)) for _ in range(2)]
    assert runs[0].run(20) == runs[1].run(20)


@pytest.mark.parametrize(
    ("name", "best", "losses"),
    [
        ("A", (0, 0, 1, 1, 0, 5, 4), [0.6666666666666667, 0.8333333333333334, 0.5]),
        ("B", (0, 0, 0, 0, 0, 5, 6), [0.47777777777777786, 0.3500000000000001, 0.3944444444444444]),
        ("C", (0, 0, 1, 3, 0, 2, 4), [3.6903622277237282, 2.643333691123218, 2.0246808172524156]),
        ("V", (0, 1, 1, 1, 4, 4, 4), [1.0999999999999999, 0.3500000000000001, 0.55]),
        ("P", (0, 0, 0, 3, 4, 0, 0), [0.5238095238095238, 0.33333333333333337, 0.6190476190476191]),
    ],
)
def test_the_first_five_are_as_they_were(name: str, best: tuple[int, ...], losses: list[float]) -> None:
    made = make_landscape(name, 7, 3)
    outcomes = SyntheticRun(made, RandomPolicy(), key=RunKey(5)).run(40)
    assert made.best.sources == best
    assert [outcomes[at].reward_loss for at in (0, 12, 39)] == pytest.approx(losses, rel=1e-13)


def seen(name: str, decisions: int, layers: int = 9) -> list[float]:
    """The losses of a run whose map stays as it is."""
    run = SyntheticRun(make_landscape(name, layers, 1), key=RunKey(2), budget=decisions)
    return [outcome.reward_loss for outcome in run.run()]


def test_heavy_tails_have_the_scale_of_one_effect_and_far_outliers() -> None:
    heavy, normal = (sorted(map(abs, _noises(name))) for name in ("T", "N"))
    # Medians of |t| with two degrees of freedom and of |normal|, and what one in a hundred exceeds.
    assert heavy[len(heavy) // 2] == pytest.approx(0.816 / 8, rel=0.1)
    assert normal[len(normal) // 2] == pytest.approx(0.674 * 5 / 8, rel=0.1)
    assert heavy[-len(heavy) // 100] / heavy[len(heavy) // 2] == pytest.approx(9.92 / 0.816, rel=0.35)
    assert normal[-len(normal) // 100] / normal[len(normal) // 2] == pytest.approx(2.576 / 0.674, rel=0.15)


def _noises(name: str) -> list[float]:
    losses = seen(name, 3000)
    middle = statistics.median(losses)
    return [loss - middle for loss in losses]


def test_in_s_another_map_is_best_from_the_middle_on() -> None:
    made = make_landscape("S", 9, 1)
    assert made.later is not None
    assert made.best != made.later.best
    run = SyntheticRun(made, key=RunKey(0), budget=20, start=made.best)
    worths = [1 - outcome.reward_loss for outcome in run.run()]
    assert worths[:10] == [1.0] * 10
    assert worths[10:] == [pytest.approx(made.later.worth(made.best))] * 10
    assert run.worth == made.later.worth(made.best) < 1


def test_in_s_the_second_half_is_what_counts() -> None:
    config = RunConfig.preset("laptop", layers=6, policy="all-tied")
    made = make_landscape("S", 6, 4)
    assert made.later is not None
    tied = TieMap.all_tied(6)
    assert made.worth(tied) != made.later.worth(tied)
    assert try_agent(config, "S", 30, 4).from_tied == made.later.worth(tied)


def test_in_d_effects_come_with_a_time_constant_of_a_sweep() -> None:
    made = make_landscape("D", 9, 1)
    run = SyntheticRun(made, key=RunKey(0), budget=60)
    before = run.worth
    layer = next(layer for layer in range(1, 9) if made.best[layer] != 0)
    while run.propose().layer != layer:
        run.commit(0)
    seen = [1 - run.commit(made.best[layer]).reward_loss]
    while run.propose().layer != layer:
        seen.append(1 - run.commit(run.propose().present).reward_loss)
    gain = made.worth(run.ties) - before
    assert gain == pytest.approx(1 / 8)
    assert seen == pytest.approx([before + gain * (1 - math.exp(-decision / 8)) for decision in range(1, 9)])


def test_in_k_a_right_change_looks_wrong_for_some_decisions() -> None:
    made = make_landscape("K", 9, 1)
    run = SyntheticRun(made, key=RunKey(0), budget=60)
    before = run.worth
    layer = next(layer for layer in range(1, 9) if made.best[layer] != 0)
    while run.propose().layer != layer:
        assert 1 - run.commit(0).reward_loss == before
    seen = [1 - run.commit(made.best[layer]).reward_loss]
    seen += [1 - run.commit(run.propose().present).reward_loss for _ in range(40)]
    assert seen == pytest.approx([before + 1 / 8 - 2 / 8 * math.exp(-decision / 10) for decision in range(41)])
    assert seen[0] < before < seen[-1]


@hypothesis_settings(max_examples=100, deadline=None)
@given(ties=maps, seed=st.integers(0, 20))
def test_in_q_every_layer_of_the_best_map_has_a_partner_but_at_most_one(ties: TieMap, seed: int) -> None:
    layers = len(ties)
    made = make_landscape("Q", layers, seed)
    pairs = layers // 2
    # Whichever layer is lost, its whole pair pays no more, and maps are worth whole pairs.
    lost = {
        layer: 1 - made.worth(made.best.act(layer, (made.best[layer] + 1) % (layer + 1))) for layer in range(1, layers)
    }
    assert all(loss == pytest.approx(1 / pairs) for loss in lost.values())
    assert made.worth(ties) * pairs == pytest.approx(round(made.worth(ties) * pairs))


def test_w_is_flat_far_from_the_best_map_and_rises_near_it() -> None:
    made = make_landscape("W", 13, 1)
    ties = TieMap((0, *((made.best[layer] + 1) % (layer + 1) for layer in range(1, 13))))
    worths = [made.worth(ties)]
    for layer in range(1, 13):
        ties = ties.act(layer, made.best[layer])
        worths.append(made.worth(ties))
    assert worths == pytest.approx([0.0] * 5 + [step / 8 for step in range(1, 9)])


@pytest.mark.parametrize("seed", range(10))
def test_z_asks_for_neighbours_alike(seed: int) -> None:
    best = make_landscape("Z", 24, seed).best
    owns = [best[layer] == layer for layer in range(1, 24)]
    # A wave of at most one and a half periods changes its sign at most three times.
    assert 1 <= sum(a != b for a, b in itertools.pairwise(owns)) <= 3
    # Blocks are contiguous.
    assert list(best.owners) == sorted(best.owners)


def test_a_look_ahead_sees_what_a_commit_brings() -> None:
    for name in ("A", "C", "S", "D", "K"):
        made = make_landscape(name, 6, 2)
        run = SyntheticRun(made, key=RunKey(0), budget=12)
        for action in (1, 0, 3, 2, 1, 1, 2, 3, 0, 5):
            choice = min(action, run.propose().layer)
            ahead = run.state.lookahead
            assert ahead is not None
            expected = ahead(choice)
            loss = run.commit(choice).reward_loss
            assert loss is not None
            if made.noise == 0:
                assert loss == expected, name
            else:
                assert loss != expected
                assert abs(loss - expected) < 4 * made.noise
