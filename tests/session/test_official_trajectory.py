"""official-code against a re-implementation from its description (`plain_official`), decision by decision."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from plain_official import LoopAdamW, PlainGPT, PlainOutcome, PlainRun
from torch import Tensor

from layertie_lab import RunConfig, Session
from layertie_lab.core.events import Stepped
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt2_names import export_gpt2

VOCABULARY, CONTEXT, BATCH, LAYERS, WIDTH, HEADS, STEPS = 11, 12, 4, 8, 16, 2, 4
DECISIONS = 98


def config_of(**changes: Any) -> RunConfig:
    defaults = {
        "layers": LAYERS,
        "width": WIDTH,
        "heads": HEADS,
        "context": CONTEXT,
        "batch_size": BATCH,
        "decisions": DECISIONS,
        "learning_rate": 1e-4,
        "evaluate_every": 0,
        "sample_every": 0,
        "sample_tokens": 4,
    }
    return RunConfig.preset("tiny", algorithm="official-code", **(defaults | changes))


def tokens(count: int, seed: int) -> list[Tensor]:
    """Sequences in which a token is mostly its predecessor plus one, so that there is something to learn."""
    generator = torch.Generator().manual_seed(seed)
    starts = torch.randint(0, VOCABULARY, (count, BATCH, 1), generator=generator)
    noise = torch.rand(count, BATCH, CONTEXT + 1, generator=generator) < 0.3
    jumps = torch.where(noise, torch.randint(0, VOCABULARY, noise.shape, generator=generator), torch.tensor(0))
    return list((starts + torch.arange(CONTEXT + 1) + jumps) % VOCABULARY)


def answers(decisions: int, seed: int) -> list[int]:
    """Uniform, as the official agent's first episode is."""
    draw = random.Random(seed)
    return [draw.randint(0, 1 + i % (LAYERS - 1)) for i in range(decisions)]


def plain_trajectory(
    model: PlainGPT, optimizer: Callable[..., Any], choices: list[int], batches: list[Tensor], rewards: list[Tensor]
) -> list[PlainOutcome]:
    run = PlainRun(model, optimizer, STEPS)
    return [run.answer(choice, batches[STEPS * i : STEPS * (i + 1)], rewards[i]) for i, choice in enumerate(choices)]


def start(model: PlainGPT) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def listen(session: Session) -> list[float]:
    losses: list[float] = []
    session.subscribe(lambda event: losses.append(event.loss) if isinstance(event, Stepped) else None)
    return losses


def torchs(lr: float) -> Callable[..., Any]:
    return lambda parameters: torch.optim.AdamW(parameters, lr=lr, weight_decay=0.01, foreach=False, fused=False)


def own(lr: float) -> Callable[..., Any]:
    return lambda parameters: LoopAdamW(parameters, lr)


@pytest.mark.parametrize(
    ("optimizer", "seed"),
    [(own, 1), pytest.param(torchs, 2, marks=pytest.mark.slow), pytest.param(own, 3, marks=pytest.mark.slow)],
)
def test_every_number_of_98_decisions_agrees(optimizer: Callable[[float], Callable[..., Any]], seed: int) -> None:
    model = PlainGPT(VOCABULARY, CONTEXT, LAYERS, WIDTH, HEADS, seed=seed)
    weights = start(model)
    choices, batches, rewards = answers(DECISIONS, seed), tokens(STEPS * DECISIONS, seed), tokens(DECISIONS, 9 + seed)
    expected = plain_trajectory(model, optimizer(1e-4), choices, batches, rewards)
    session = Session(config_of(), initial_weights=weights, batches=batches, reward_batches=rewards)
    losses = listen(session)
    found = [session.commit(choice) for choice in choices]

    assert losses == pytest.approx([loss for e in expected for loss in e.losses], abs=1e-5)
    # A perplexity of ten carries ten times its loss's rounding, and a reward is one.
    assert [o.reward for o in found] == pytest.approx([e.reward for e in expected], abs=2e-5)
    assert [math.exp(o.reward_loss) for o in found] == pytest.approx([e.perplexity for e in expected], abs=2e-5)
    assert [len(set(o.blocks)) for o in found] == [e.distinct_blocks for e in expected]
    assert [len(o.ties.independent_layers) for o in found] == [e.claimed_layers for e in expected]
    assert [o.claimed_parameters for o in found] == [e.claimed_parameters for e in expected]
    # The run shows what it should: storages merge to one, and the claims go on as if they had not.
    assert found[-1].blocks == TieMap.all_tied(LAYERS)
    assert max(len(o.ties.independent_layers) for o in found if set(o.blocks) == {0}) > 1
    # Both sides of the clip are met.
    assert {o.reward == -10 for o in found} == {True, False}


def test_two_objects_on_one_storage_are_stepped_in_turn() -> None:
    """In double precision the same trajectory to 1e-9, so that what one fused or foreach call would mix is seen."""
    model = PlainGPT(VOCABULARY, CONTEXT, LAYERS, WIDTH, HEADS, seed=3)
    weights = start(model)
    model.double()
    count = 35
    choices, batches, rewards = answers(count, 1), tokens(STEPS * count, 0), tokens(count, 1)
    plain_trajectory(model, torchs(1e-4), choices, batches, rewards)
    session = Session(config_of(), initial_weights=weights, batches=batches, reward_batches=rewards)
    session.model.double()
    for choice in choices:
        session.commit(choice)
    assert sum(source == layer for layer, source in enumerate(session.ties)) > len(set(session.blocks)) == 1
    for name, value in export_gpt2(session.model).items():
        torch.testing.assert_close(value, model.state_dict()[name], rtol=0, atol=5e-9)


def test_moments_and_counters_of_every_layer_stay() -> None:
    session = Session(config_of(layers=4), reward_batches=tokens(9, 1), batches=tokens(40, 0))
    counters = lambda: [  # noqa: E731
        int(session.components.optimizer.inner.state[p]["step"]) if p in session.components.optimizer.inner.state else 0
        for p in (next(iter(home.values())) for home in session.model.stack.trained())
    ]
    seen = []
    for choice in (1, 0, 3, 0, 2, 0, 1):
        session.commit(choice)
        seen.append(counters())
    # Layer l counts its own steps: while it is "on its own", also on a storage of others, and never from anew.
    assert seen == [
        [4, 4, 0, 0],
        [8, 8, 0, 0],
        [12, 12, 0, 4],
        [16, 12, 0, 8],
        [20, 12, 4, 12],
        [24, 12, 8, 12],
        [28, 16, 12, 12],
    ]


def test_dropout_is_for_training_steps_alone() -> None:
    def first(dropout: float) -> tuple[list[float], float]:
        session = Session(
            config_of(dropout=dropout, learning_rate=1e-30),
            initial_weights=start(model),
            batches=tokens(8, 0),
            reward_batches=tokens(2, 1),
        )
        losses = listen(session)
        return losses, session.commit(1).reward_loss

    model = PlainGPT(VOCABULARY, CONTEXT, LAYERS, WIDTH, HEADS, seed=3)
    (with_none, measured), (with_some, again) = first(0.0), first(0.5)
    assert measured == again
    assert all(abs(a - b) > 1e-5 for a, b in zip(with_none, with_some, strict=True))
