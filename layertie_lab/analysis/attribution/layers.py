"""What each position of a tied stack does for the loss: along a path from a baseline, by ablation, and by skipping it.

A layer's output is the whole residual stream, so that attributions to it sum to the same number at every depth. Each
layer is therefore split into what passes by it and what it adds (its *update*); the value is the update's share, and
both shares together are the completeness check.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from torch import Tensor

from ...core.errors import AnalysisError
from ...models.tied_model import TiedModel
from ..capture import Tick, check_tokens, ties_of, undisturbed
from ..statistics.intervals import LEVEL
from .paths import BASELINES, CHECKED, METHODS, STEPS, Baseline, Method, Start, shares
from .replacement import loss_if_replaced, loss_if_skipped
from .rows import SCHEMA, row
from .targets import Target, chosen

__all__ = ["METHODS", "SCHEMA", "Target", "layer_attribution", "loss_if_replaced", "loss_if_skipped"]

LARGEST_ERROR = 0.1
"""A method of `CHECKED` is refused where its completeness error is above this share of the loss difference."""
_PATH_UNIT = "nats per token, of loss(text) - loss(baseline)"
_UNITS: dict[Method, str] = {
    "internal-influence": "nats per token, mean gradient on the path times the update",
    "feature-ablation": "nats per token, loss - loss(update as on the baseline)",
}


def layer_attribution(
    model: TiedModel,
    tokens: Tensor,
    methods: Sequence[str] = METHODS,
    *,
    target: Target | None = None,
    baseline: Baseline = "zero",
    pad_token: int | None = None,
    steps: int = STEPS,
    level: float = LEVEL,
    tick: Tick | None = None,
) -> pl.DataFrame:
    """Each position's share in the loss difference between the probe text and a baseline.

    Args:
        model: It is left as it was.
        tokens: [sequences, time + 1] probe tokens.
        methods: What to compute.
            conductance: what flows through the layer's update while the input goes from baseline to text.
            integrated-gradients: the update's share while the layer's input and update go, in a straight line, from
                what they are on the baseline to what they are on the text.
            internal-influence: the mean gradient at the layer on the path from baseline to text, times the update on
                the text: what the loss would lose with the update if it were linear. No completeness is promised.
            feature-ablation: the loss minus the loss when the update, all of it at once, is what it is on the baseline;
                later layers react. No completeness is promised.
            deeplift: by captum's rules. They know modules such as ReLU; GELU, attention and LayerNorm count as linear.
                Refused where that does not hold.
        target: One token, whose loss is then explained (no interval: low and high are null); None = the mean loss of
            all tokens.
        baseline: zero: token embeddings of 0, positions kept (with rotary positions all is 0, where a first norm is
            steep: see the completeness error). mean: the mean token embedding in place of 0. pad: the embedding of one
            token, at every position.
        pad_token: The token of the baseline pad; None = the commonest one in `tokens` (in text, mostly the space).
        steps: Points on the path.
        level: Coverage of the intervals, 0 to 1.
        tick: Called with the share done; may raise to cancel.

    Returns:
        One row per method and layer. `value`: mean over sequences, in nats per token; negative where the layer lowers
        the loss. `low`, `high`: Student's t interval over sequences. `total`: mean of loss(text) - loss(baseline).
        `completeness_error`: mean over sequences of |what passes by + update - total|; 0 with enough steps; null for a
        method that promises no sum. `baseline`: its name, with the token for pad.

    Raises:
        AnalysisError: Fewer than two sequences and no target, no such target, an unknown method, baseline or pad token,
            a method whose completeness error is too large, or a model that has diverged.

    Source: Dhamdhere, Sundararajan & Yan (ICLR 2019), definition 1 (conductance); Sundararajan, Taly & Yan (ICML 2017),
    equation 1; Leino et al. (ITC 2018), definition 1 (internal influence); Shrikumar, Greenside & Kundaje (ICML 2017),
    equation 1 (DeepLift).
    """
    _check(methods, baseline, steps)
    check_tokens(model, tokens, targets=True)
    start = _start(model, tokens, baseline, pad_token)
    tokens, objective = chosen(tokens, target)
    owners = ties_of(model).owners
    with undisturbed(model):
        wanted: list[Method] = [method for method in (*METHODS, *CHECKED) if method in methods]
        found, totals = shares(model, tokens, wanted, start, steps, objective, tick)
    rows = []
    for method, parts in found.items():
        errors = (parts.sum(-1) - totals[:, None]).abs().mean(0).numpy()  # [layers]
        _refuse_incomplete(method, errors, float(totals.abs().mean()))
        for layer, update in enumerate(parts[:, :, 1].T.numpy()):
            one = row(method, layer, owners[layer], update, _UNITS.get(method, _PATH_UNIT), level, target)
            error = None if np.isnan(errors[layer]) else float(errors[layer])
            rows.append(one | {"completeness_error": error, "baseline": str(start), "total": float(totals.mean())})
    return pl.DataFrame(rows, schema=SCHEMA)


def _start(model: TiedModel, tokens: Tensor, baseline: Baseline, pad_token: int | None) -> Start:
    if baseline != "pad":
        if pad_token is not None:
            raise AnalysisError(
                f"Expected no pad token for the baseline {baseline!r}, but got {pad_token}.", 'Use baseline="pad".'
            )
        return Start(baseline)
    token = int(tokens[:, :-1].flatten().bincount().argmax()) if pad_token is None else pad_token
    vocabulary = model.vocabulary_size
    if not 0 <= token < vocabulary:
        raise AnalysisError(
            f"Expected a pad token from 0 to {vocabulary - 1}, but got {token}.",
            "Encode it with the model's own tokenizer, or leave it out for the commonest token.",
        )
    return Start(baseline, token)


def _refuse_incomplete(method: Method, errors: np.ndarray, total: float) -> None:
    if method in CHECKED and errors.max() > LARGEST_ERROR * total:
        raise AnalysisError(
            f"Expected {method}'s shares to sum to the loss difference of {total:.3g} nats per token within "
            f"{LARGEST_ERROR:.0%}, but they miss it by up to {errors.max():.3g}: captum has no rule for GELU, "
            "attention and LayerNorm, and takes them for linear.",
            "Use conductance or integrated-gradients, which need no rules.",
        )


def _check(methods: Sequence[str], baseline: str, steps: int) -> None:
    unknown = [method for method in methods if method not in (*METHODS, *CHECKED)]
    if unknown or not methods:
        raise AnalysisError(
            f"Expected methods out of {', '.join((*METHODS, *CHECKED))}, but got "
            f"{', '.join(map(repr, unknown)) or 'none'}.",
            "Name one of these; loss_if_skipped and loss_if_replaced are functions of their own.",
        )
    if baseline not in BASELINES:
        raise AnalysisError(
            f"Expected a baseline out of {', '.join(BASELINES)}, but got {baseline!r}.", "Name one of these."
        )
    if steps < 2:
        raise AnalysisError(f"Expected at least 2 points on the path, but got {steps}.", f"Use {STEPS} or more.")
