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
    target: attributions.Target | tuple[int, int] | None = None,
    **options: Any,
) -> list[Row]:
    """Rows of `analysis.attribution` on the probe set.

    Args:
        methods: skipped, replaced, and those of `analysis.attribution.layer_attribution`: conductance and
            internal-influence share one walk, integrated-gradients takes one per layer and probe sequence.
        target: One token, (sequence, position), whose loss is explained; None = the mean loss of all tokens.

    Raises:
        AnalysisError: Fewer than two probe sequences and no target, or an unknown method.
    """
    if target is not None and not isinstance(target, attributions.Target):
        target = attributions.Target(*target)
    tokens, wanted = session.probe_tokens(), list(dict.fromkeys(methods))
    alone = [method for method in _PASSES if method in wanted]
    paths = [method for method in wanted if method not in _PASSES]
    # A pass per layer is a small part of a walk along a path.
    share = 0.2 if paths else 1.0
    frames: list[pl.DataFrame] = []
    for done, method in enumerate(alone):
        told = _part(tick, share * done / len(alone), share * (done + 1) / len(alone))
        frames.append(_PASSES[method](session.model, tokens, target=target, tick=told))
    if paths or not alone:
        told = _part(tick, share if alone else 0.0, 1.0)
        frames.append(
            attributions.layer_attribution(session.model, tokens, paths, target=target, tick=told, **options)
        )  # fmt: skip
    return pl.concat(frames).to_dicts()


_PASSES = {"skipped": attributions.loss_if_skipped, "replaced": attributions.loss_if_replaced}


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
