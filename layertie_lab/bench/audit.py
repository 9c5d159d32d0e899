"""Rows about the audit: what keeping a run's two books, and looking at its model, cost beside its decisions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import nn

from ..analysis.audit.module_audit import audit_module
from ..analysis.audit.rows import Auditor
from ..core.config import RunConfig
from ..session.session import Session
from ..text.dataset import TokenData
from .pairing import Row, row


def audit_share(config: RunConfig, data: TokenData, rounds: int) -> Iterator[Row]:
    """The audit's share of a decision that is audited live, for the events and for the model and optimizer."""
    for layers in (12, 48):
        sized = config.replace(
            algorithm="official-code",
            gradient="owner",
            on_untie="alias",
            chain="snapshot",
            start="frozen-random",
            moments="keep",
            policy="random",
            layers=layers,
            decisions=10**6,
            evaluate_every=0,
            sample_every=0,
        )
        measured = _measured(Session(sized, data=data), rounds)  # [rounds, 3]
        size = f"{layers} x {sized.model.width}"
        for name, seconds in (("events", measured[:, 1]), ("model and optimizer", measured[:, 2])):
            yield row(
                f"audit's share of a decision, {name}, {size}",
                seconds / (measured[:, 0] + seconds),
                at_most=0.05,
                audit_milliseconds=float(np.median(seconds) * 1e3),
                decision_milliseconds=float(np.median(measured[:, 0]) * 1e3),
            )


def _measured(session: Session, rounds: int) -> np.ndarray:
    """Seconds of each decision without its audit, of the events' audit, and of the model's, [rounds, 3]."""
    auditor = Auditor(session.config)
    auditor.take(session.opening())
    spent = 0.0

    def take(entry: Any) -> None:
        nonlocal spent
        start = time.perf_counter()
        auditor.take(entry)
        spent += time.perf_counter() - start

    session.subscribe(take)
    model = session.model
    assert isinstance(model, nn.Module)
    session.run(3)
    measured = np.empty((rounds, 3))
    for number in range(rounds):
        spent = 0.0
        start = time.perf_counter()
        session.run(1)
        middle = time.perf_counter()
        audit_module(model, "stack.layers", session.components.optimizer.inner, session.ties)
        measured[number] = middle - start - spent, spent, time.perf_counter() - middle
    return measured
