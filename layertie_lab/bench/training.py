"""Rows about speed: our loop against plain ones, owner against shared gradients, a session against its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from ..core.config import RunConfig
from ..core.keys import RunKey
from ..core.notices import Timing
from ..core.ties import TieMap
from ..models.registry import make_model
from ..session.session import Session
from ..text.batches import Batches
from ..text.dataset import TokenData
from ..training.device import choose_device
from ..training.loop import Trainer
from ..training.optimizer import Optimizer
from .pairing import Row, interleaved, row
from .plain import Shape, Step, hugging_face_step, plain_step

STEPS_PER_SIDE = 10


def our_step(config: RunConfig, data: TokenData, ties: TieMap) -> Step:
    """One step of our training loop under a fixed map, the batch included."""
    key = RunKey(config.seed)
    device = choose_device(config.training.device)
    model = make_model(config.model, data.vocabulary_size, config.ties, ties, seed=1).to(device)
    trainer = Trainer(model, Optimizer(model, config.training, config.ties), config.training, key, device)
    batches = Batches(data.splits["train"], config.model.context, config.training.batch_size, key)
    done = iter(range(10**9))

    def step() -> float:
        number = next(done)
        return trainer.step(batches.batch(number), number).loss

    return step


def repeated(step: Step, times: int = STEPS_PER_SIDE) -> Callable[[], object]:
    """A call that makes several steps."""

    def several() -> None:
        for _ in range(times):
            step()

    return several


def against_plain_loops(config: RunConfig, data: TokenData, rounds: int) -> Iterator[Row]:
    """Tokens per second of our loop over those of the bare loop and of Hugging Face's GPT-2, all untied."""
    model = config.model
    shape = Shape(
        model.layers, model.width, model.heads, model.context, data.vocabulary_size, config.training.batch_size
    )
    tokens, device = np.asarray(data.splits["train"]), choose_device(config.training.device)
    size = f"{model.layers} x {model.width}"
    per_side = STEPS_PER_SIDE * shape.batch * shape.context
    for name, make in (("bare loop", plain_step), ("Hugging Face GPT-2", hugging_face_step)):
        ours = our_step(config, data, TieMap.independent(model.layers))
        theirs = make(shape, tokens, device)
        measured = interleaved(repeated(ours), repeated(theirs), rounds)
        yield row(
            f"training loop / {name}, tokens per second, {size} untied",
            measured[:, 1] / measured[:, 0],
            at_least=1.1,
            our_tokens_per_second=float(per_side / np.median(measured[:, 0])),
            their_tokens_per_second=float(per_side / np.median(measured[:, 1])),
        )


def owner_against_shared(config: RunConfig, data: TokenData, rounds: int) -> Iterator[Row]:
    """Steps per second with gradient=owner over gradient=shared, all layers tied."""
    tied = TieMap.all_tied(config.model.layers)
    owner = our_step(config.replace(gradient="owner"), data, tied)
    shared = our_step(config.replace(gradient="shared"), data, tied)
    measured = interleaved(repeated(owner), repeated(shared), rounds)
    size = f"{config.model.layers} x {config.model.width}"
    yield row(
        f"gradient owner / shared, steps per second, {size} all tied",
        measured[:, 1] / measured[:, 0],
        at_least=1.25,
        owner_step_milliseconds=float(np.median(measured[:, 0]) / STEPS_PER_SIDE * 1e3),
        shared_step_milliseconds=float(np.median(measured[:, 1]) / STEPS_PER_SIDE * 1e3),
    )


def session_against_its_steps(config: RunConfig, data: TokenData, rounds: int) -> Iterator[Row]:
    """A session over a loop that makes only the same optimizer steps and reward evaluations under the same maps."""
    config = config.replace(decisions=10**6, evaluate_every=0, sample_every=0)
    session = Session(config, data=data)
    twin = Session(config, data=data)
    decisions = 3
    answers: list[tuple[int, int]] = []

    def whole() -> None:
        made = [outcome.decision for outcome in session.run(decisions)]
        answers.extend((decision.proposal.layer, decision.choice) for decision in made)

    def bare() -> None:
        # The same answers, so that both train the same maps; without them the speeds would differ by the ties.
        for layer, choice in answers[-decisions:]:
            twin.components.optimizer.apply(twin.model.stack.retie(layer, choice))
            for _ in range(config.training.steps_per_decision):
                twin.components.trainer.step(twin.components.batches.batch(twin.step), twin.step)
                twin.state.step += 1
            twin.evaluate(config.reward.split, config.reward.windows)

    measured = np.array([interleaved(whole, bare, 1)[0] for _ in range(rounds)])
    yield row(
        f"Session / the same steps and reward evaluations, {config.model.layers} x {config.model.width}",
        measured[:, 1] / measured[:, 0],
        at_least=0.97,
        session_decision_milliseconds=float(np.median(measured[:, 0]) / decisions * 1e3),
    )


def decision_overhead(config: RunConfig, data: TokenData, rounds: int) -> Iterator[Row]:
    """The share of a decision that is neither optimizer steps nor evaluation: agent, re-tie, log, bookkeeping."""
    for layers in (12, 48):
        sized = config.replace(layers=layers, decisions=10**6, evaluate_every=0, sample_every=0)
        laps: list[Timing] = []
        session = Session(sized, data=data)
        session.run(3)
        session.subscribe(lambda entry, laps=laps: laps.append(entry) if isinstance(entry, Timing) else None)
        session.run(rounds)
        other = np.array([lap.seconds - lap.training_seconds - lap.evaluation_seconds for lap in laps])
        share = other / np.array([lap.seconds for lap in laps])
        milliseconds = float(np.median(other) * 1e3)
        yield row(
            f"share of a decision that is not training or evaluation, {layers} x {config.model.width}",
            share,
            at_most=0.02,
            holds=bool(np.median(share) <= 0.02 or milliseconds <= 5.0),
            target="at most 0.02, or 5 ms",
            milliseconds=milliseconds,
        )


def default_config(device: str) -> RunConfig:
    """The laptop scale on the machine's own text; on CUDA the workstation scale's shape on the same text."""
    config = RunConfig.preset("laptop", device=device)
    if torch.device(device).type == "cuda":
        config = config.replace(layers=12, width=768, heads=12, context=256)
    return config
