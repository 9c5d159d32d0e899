"""What each position of a tied stack does for the loss: along a path from a baseline, and by skipping it.

A layer's output is the whole residual stream, so that attributions to it sum to the same number at every depth. Each
layer is therefore split into what passes by it and what it adds (its *update*); the value is the update's share, and
both shares together are the completeness check.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn

from ..core.errors import AnalysisError
from .capture import (
    Tick,
    check_tokens,
    device_of,
    hooked,
    layers_of,
    sequence_losses,
    ties_of,
    undisturbed,
)
from .paths import BASELINES, METHODS, STEPS, Baseline, shares
from .statistics import LEVEL, Estimate, mean_interval, paired_interval

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "method": pl.String, "layer": pl.Int64, "owner": pl.Int64, "value": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "unit": pl.String, "sequences": pl.Int64, "completeness_error": pl.Float64,
    "baseline": pl.String, "total": pl.Float64,
}  # fmt: skip
_PATH_UNIT = "nats per token, of loss(text) - loss(baseline)"
_SKIP_UNIT = "nats per token, loss(skipped) - loss"


def layer_attribution(
    model: nn.Module,
    tokens: Tensor,
    methods: Sequence[str] = METHODS,
    *,
    baseline: Baseline = "zero",
    steps: int = STEPS,
    level: float = LEVEL,
    tick: Tick | None = None,
) -> pl.DataFrame:
    """Each position's share in the loss difference between the probe text and a baseline.

    Args:
        model: With `.embed`, `.head`, `.stack.layers` and `.stack.ties`. It is left as it was.
        tokens: [sequences, time + 1] probe tokens; the target is the mean negative log-likelihood of the next tokens.
        methods: What to compute.
            conductance: what flows through the layer's update while the input goes from baseline to text.
            integrated-gradients: the update's share while the layer's input and update go, in a straight line, from
                what they are on the baseline to what they are on the text.
        baseline: zero: token embeddings of 0, positions kept (with rotary positions all is 0, where a first norm is
            steep: see the completeness error). mean: the mean token embedding in place of 0.
        steps: Points on the path.
        level: Coverage of the intervals, 0 to 1.
        tick: Called with the share done; may raise to cancel.

    Returns:
        One row per method and layer. `value`: mean over sequences, in nats per token; negative where the layer lowers
        the loss. `low`, `high`: Student's t interval over sequences. `total`: mean of loss(text) - loss(baseline).
        `completeness_error`: mean over sequences of |what passes by + update - total|; 0 with enough steps.

    Raises:
        AnalysisError: Fewer than two sequences, an unknown method or baseline, or a model that has diverged.

    Source: Dhamdhere, Sundararajan & Yan (ICLR 2019), definition 1; Sundararajan, Taly & Yan (ICML 2017), equation 1.
    """
    _check(methods, baseline, steps)
    check_tokens(model, tokens, targets=True)
    owners = ties_of(model).owners
    with undisturbed(model):
        found, totals = shares(model, tokens, [m for m in METHODS if m in methods], baseline, steps, tick)
    rows = []
    for method, parts in found.items():
        for layer, (passing, update) in enumerate(parts.permute(1, 2, 0)):
            error = float((passing + update - totals).abs().mean())
            row = _row(method, layer, owners[layer], mean_interval(update.numpy(), level), _PATH_UNIT)
            rows.append(row | {"completeness_error": error, "baseline": baseline, "total": float(totals.mean())})
    return pl.DataFrame(rows, schema=SCHEMA)


def loss_if_skipped(
    model: nn.Module, tokens: Tensor, *, level: float = LEVEL, batch_size: int = 8, tick: Tick | None = None
) -> pl.DataFrame:
    """How much the loss rises when one position is skipped (its output is its input), all else as it is.

    Neighbours that are tied get equal values: without either, the same stack is left.

    Args:
        model: As in `layer_attribution`.
        tokens: [sequences, time + 1] probe tokens.
        level: Coverage of the intervals, 0 to 1.
        batch_size: Sequences per forward pass.
        tick: Called with the share done; may raise to cancel.

    Returns:
        One row per layer, as in `layer_attribution`. `value`: mean rise in nats per token, positive where the layer
        lowers the loss; `low`, `high`: Student's t interval of the paired differences over sequences.

    Raises:
        AnalysisError: Fewer than two sequences, or a model that has diverged.
    """
    check_tokens(model, tokens, targets=True)
    layers, owners = layers_of(model), ties_of(model).owners
    whole: list[Tensor] = []
    skipped: list[Tensor] = []  # per batch [layers, batch]
    with undisturbed(model), torch.no_grad():
        for start in range(0, len(tokens), batch_size):
            batch = tokens[start : start + batch_size].to(device_of(model))
            x, targets = model.embed(batch[:, :-1]), batch[:, 1:]  # type: ignore[operator]
            whole.append(sequence_losses(model, x, targets).cpu())
            without = []
            for layer in layers:
                with hooked([layer.register_forward_hook(_identity)]):
                    without.append(sequence_losses(model, x, targets).cpu())
                if tick is not None:
                    tick((start + len(batch) * len(without) / len(layers)) / len(tokens))
            skipped.append(torch.stack(without))
    before = torch.cat(whole).numpy()
    after = torch.cat(skipped, dim=1).numpy()
    rows = [
        _row("skipped", layer, owner, paired_interval(after[layer], before, level), _SKIP_UNIT)
        for layer, owner in enumerate(owners)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def _identity(layer: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
    return arguments[0]


def _row(method: str, layer: int, owner: int, found: Estimate, unit: str) -> dict[str, Any]:
    return {
        "method": method, "layer": layer, "owner": owner, "value": float(found.value), "low": float(found.low),
        "high": float(found.high), "unit": unit, "sequences": found.count,
    }  # fmt: skip


def _check(methods: Sequence[str], baseline: str, steps: int) -> None:
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        raise AnalysisError(
            f"Expected methods out of {', '.join(METHODS)}, but got {', '.join(map(repr, unknown)) or 'none'}.",
            "Name one of these; loss_if_skipped is a function of its own.",
        )
    if baseline not in BASELINES:
        raise AnalysisError(
            f"Expected a baseline out of {', '.join(BASELINES)}, but got {baseline!r}.", "Name one of these."
        )
    if steps < 2:
        raise AnalysisError(f"Expected at least 2 points on the path, but got {steps}.", f"Use {STEPS} or more.")
