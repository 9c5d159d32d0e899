"""Looking inside a run between two steps: plain rows, for `Worker.call`, notebooks and apps.

    worker.call(layertie_lab.analysis.live.similarity, methods=["cka"])

Each takes a session (or anything with these attributes), leaves it exactly as it was (weights, gradients, random
generators, training flags), and returns rows that JSON can hold. Training waits meanwhile: `tick` is called with the
share done, and may raise to cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import polars as pl
import torch
from torch import Tensor, nn

from ..core.config import RunConfig
from ..core.ties import TieMap
from . import attribution as attributions
from . import memory as memories
from . import similarity as similarities
from .capture import Tick, device_of

Row = dict[str, Any]


class Inspectable(Protocol):
    """What a run must show."""

    @property
    def config(self) -> RunConfig: ...
    @property
    def model(self) -> nn.Module: ...
    @property
    def ties(self) -> TieMap: ...
    @property
    def blocks(self) -> TieMap: ...
    def probe_tokens(self) -> Tensor: ...


def similarity(
    session: Inspectable,
    methods: Sequence[similarities.Method] = similarities.METHODS,
    tick: Tick | None = None,
    **options: Any,
) -> list[Row]:
    """Rows of `analysis.similarity.layer_similarity` on the probe set.

    Raises:
        AnalysisError: Too few or too short probe sequences, or an unknown method.
    """
    tokens = session.probe_tokens()[:, :-1]
    return similarities.layer_similarity(session.model, tokens, methods, tick=tick, **options).to_dicts()


def attribution(
    session: Inspectable,
    methods: Sequence[str] = ("skipped", "conductance"),
    tick: Tick | None = None,
    **options: Any,
) -> list[Row]:
    """Rows of `analysis.attribution` on the probe set.

    Args:
        methods: skipped, conductance (each as long as a few training steps), integrated-gradients (as long as half a
            training step or more per layer and probe sequence).

    Raises:
        AnalysisError: Fewer than two probe sequences, or an unknown method.
    """
    paths = [method for method in dict.fromkeys(methods) if method != "skipped"]
    skipped = "skipped" in methods
    share = 0.2 if paths and skipped else float(skipped)
    frames: list[pl.DataFrame] = []
    if skipped:
        tokens = session.probe_tokens()
        frames.append(attributions.loss_if_skipped(session.model, tokens, tick=_part(tick, 0.0, share)))
    if paths or not skipped:
        frames.append(
            attributions.layer_attribution(
                session.model, session.probe_tokens(), paths, tick=_part(tick, share, 1.0), **options
            )
        )  # fmt: skip
    return pl.concat(frames).to_dicts()


def memory(session: Inspectable, tick: Tick | None = None) -> list[Row]:
    """Rows of `analysis.memory.ledger` for a step of this run's training."""
    training = session.config.training
    optimizer = getattr(getattr(session, "parts", None), "optimizer", None)
    return memories.ledger(
        session.model,
        session.probe_tokens(),
        batch_size=training.batch_size,
        bf16=_bf16(device_of(session.model), training.precision),
        optimizer=getattr(optimizer, "inner", optimizer),
        tick=tick,
    ).to_dicts()


def _bf16(device: torch.device, precision: str) -> bool:
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bf16"


def _part(tick: Tick | None, start: float, end: float) -> Tick | None:
    return None if tick is None else lambda done: tick(start + done * (end - start))
