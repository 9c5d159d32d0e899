"""Rows about looking inside: views in training steps, what snapshots cost a run, how fast looking back is."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..analysis.attribution.layer_attribution import layer_attribution
from ..analysis.attribution.replacement import loss_if_skipped
from ..analysis.attribution.tie_costs import tie_costs
from ..analysis.memory.ledger import ledger
from ..analysis.similarity.layer_similarity import layer_similarity
from ..core.config import RunConfig
from ..inspection.moment import Inspection
from ..inspection.question import Question
from ..session.session import Session
from ..text.dataset import TokenData
from ..workers.inspector import Inspector
from .pairing import Row, row, seconds

SCRUBBED = 20
"""Decisions that are looked back at."""


def views_in_steps(config: RunConfig, data: TokenData, rounds: int) -> Iterator[Row]:
    """What a similarity matrix, an attribution, a ledger and all tie costs take, as multiples of a training step.

    On 8 validation sequences, with the threads that training has; the step is timed in the same round.
    """
    session = Session(config.replace(evaluate_every=0, sample_every=0, decisions=10**6), data=data)
    session.run(6)
    model, tokens, components = session.model, session.probe_tokens(), session.components
    batch = components.training_batches(session.step)

    def step() -> None:
        components.trainer.step(batch, session.step)

    views: dict[str, tuple[Callable[[], object], float]] = {
        "similarity matrix (CKA)": (lambda: layer_similarity(model, model.inputs(tokens), ["cka"]), 20),
        "four similarity matrices": (lambda: layer_similarity(model, model.inputs(tokens)), 40),
        "loss without each layer": (lambda: loss_if_skipped(model, tokens), 10),
        "conductance of each layer": (lambda: layer_attribution(model, tokens, ["conductance"]), 20),
        "memory ledger": (lambda: ledger(model, tokens, batch_size=config.training.batch_size), 20),
        "every change of a tie": (lambda: tie_costs(model, tokens), 60),
    }
    for work in (step, *(view for view, _ in views.values())):
        work()
    size = f"{config.model.layers} x {config.model.width}"
    for name, (view, at_most) in views.items():
        measured = np.array([(seconds(view), np.median([seconds(step) for _ in range(3)])) for _ in range(rounds)])
        yield row(
            f"{name}, in training steps, {size}",
            measured[:, 0] / measured[:, 1],
            at_most=at_most,
            milliseconds=float(np.median(measured[:, 0]) * 1e3),
            step_milliseconds=float(np.median(measured[:, 1]) * 1e3),
        )


def snapshots_and_scrubbing(config: RunConfig, data: TokenData, rounds: int) -> Iterator[Row]:
    """What a snapshot takes from a decision, and how long looking back takes where it was computed before."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        quiet = config.replace(evaluate_every=0, sample_every=0, decisions=10**6, checkpoint_seconds=1e9)
        shares = []
        with Session(quiet, run, data=data) as session:
            session.run(3)
            for _ in range(max(rounds, SCRUBBED)):
                decision = seconds(lambda: session.run(1))
                shares.append(session.recorder.keep_snapshot(session.state, now=True) / decision)
                session.recorder.settle_snapshots()
            decisions = session.decision
        yield row(
            f"a snapshot's share of a decision, {config.model.layers} x {config.model.width}", shares, at_most=0.02
        )
        inspector = Inspector()
        asked = [Question(str(run), "costs", decision) for decision in range(decisions - SCRUBBED, decisions)]
        try:
            for question in asked:
                inspector.ask(question).result()
            found = [seconds(lambda question=question: inspector.ask(question).result()) for question in asked]
            opened = []
            for question in asked:
                start = time.perf_counter()
                Inspection.of(run, question.decision, data=data)
                opened.append(time.perf_counter() - start)
        finally:
            inspector.close()
        yield row(
            "a stored look back, as a share of 200 ms",
            np.array(found) / 0.2,
            at_most=1.0,
            milliseconds=float(np.median(found) * 1e3),
            opening_milliseconds=float(np.median(opened) * 1e3),
        )
