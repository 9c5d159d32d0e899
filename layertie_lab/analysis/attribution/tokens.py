"""Token by token: how well each target is predicted, what is predicted instead, and which tokens that rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import polars as pl
import torch
from torch import Tensor

from ...core.errors import AnalysisError
from ...models.tied_model import TiedModel
from ...models.undisturbed import undisturbed
from ..capture import Tick, check_tokens, device_of, through_layers
from .registry import AT_ONCE, COMPLETE, MOST_STEPS

TOP = 5
"""How many of the likeliest tokens are named."""
PREDICTION_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "target": pl.Int64, "loss": pl.Float64, "entropy": pl.Float64, "rank": pl.Int64, "top": pl.List(pl.Int64),
    "top_probability": pl.List(pl.Float64),
}  # fmt: skip
"""Columns about one predicted distribution, see `predictions`."""
SCHEMA = {"sequence": pl.Int64, "position": pl.Int64, "token": pl.Int64} | PREDICTION_SCHEMA

Method = Literal["integrated-gradients", "gradient-x-input"]
METHODS: tuple[Method, ...] = get_args(Method)
Baseline = Literal["zero", "mean"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
ATTRIBUTION_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "method": pl.String, "position": pl.Int64, "token": pl.Int64, "value": pl.Float64, "unit": pl.String,
    "target_position": pl.Int64, "target": pl.Int64, "total": pl.Float64, "completeness_error": pl.Float64,
    "baseline": pl.String,
}  # fmt: skip
STEPS = 32
"""Points on the path."""
UNIT = "nats, of loss(text) - loss(baseline)"


def token_losses(
    model: TiedModel, tokens: Tensor, *, top: int = TOP, batch_size: int = 8, tick: Tick | None = None
) -> pl.DataFrame:
    """The loss of each predicted token of the probe set, and what the model would have said.

    Args:
        model: It is left as it was.
        tokens: [sequences, time + 1] probe tokens; one sequence is enough.
        top: How many of the likeliest tokens to name.
        batch_size: Sequences per forward pass.
        tick: Called with the share done; may raise to cancel.

    Returns:
        One row per sequence and position, in order: sequence, position (0 to time - 1), token (the id read there),
        and of what is predicted after it the columns of `predictions`. No intervals: each row is one token.

    Raises:
        AnalysisError: Tokens that the model cannot take, or a model that has diverged.
    """
    check_tokens(model, tokens, targets=True)
    frames = []
    with undisturbed(model), torch.no_grad():
        for start in range(0, len(tokens), batch_size):
            batch = tokens[start : start + batch_size].to(device_of(model))
            read, targets = model.inputs(batch), model.targets(batch)
            logits = model.head(through_layers(model, model.embed(read)))
            count, time = read.shape
            place = {
                "sequence": torch.arange(start, start + count).repeat_interleave(time).tolist(),
                "position": torch.arange(time).repeat(count).tolist(),
                "token": read.flatten().tolist(),
            }
            found = predictions(logits.flatten(0, 1), targets.flatten(), top)
            frames.append(pl.DataFrame(place | found, schema=SCHEMA))
            if tick is not None:
                tick((start + count) / len(tokens))
    return pl.concat(frames)


def predictions(logits: Tensor, targets: Tensor, top: int = TOP) -> dict[str, list[Any]]:
    """What distributions say of their targets.

    Args:
        logits: [rows, vocabulary].
        targets: [rows] the true next tokens.
        top: How many of the likeliest tokens to name (fewer where the vocabulary is smaller).

    Returns:
        Columns of `PREDICTION_SCHEMA`: target (id), loss (-log of its probability, nats), entropy (of the
        distribution, nats), rank (1 + number of tokens that are likelier), top (ids, likeliest first),
        top_probability (theirs, 0 to 1).

    Raises:
        AnalysisError: Logits that are not finite.
    """
    if top < 1:
        raise AnalysisError(f"Expected at least 1 token to be named, but got {top}.", f"Use {TOP}.")
    if not torch.isfinite(logits).all():
        raise AnalysisError(
            "Expected finite logits, but some are infinite or not a number.", "The model may have diverged."
        )
    log_shares = logits.float().log_softmax(-1)
    own = log_shares.gather(1, targets[:, None])
    best = log_shares.topk(min(top, logits.shape[1]))
    entropy = torch.special.entr(log_shares.exp()).sum(1)
    return {
        "target": targets.tolist(),
        "loss": (-own[:, 0]).tolist(),
        "entropy": entropy.tolist(),
        "rank": (1 + (log_shares > own).sum(1)).tolist(),
        "top": best.indices.tolist(),
        "top_probability": best.values.exp().tolist(),
    }


def token_attribution(
    model: TiedModel,
    tokens: Tensor,
    position: int,
    methods: Sequence[str] = METHODS,
    *,
    baseline: Baseline = "zero",
    steps: int | None = None,
    tick: Tick | None = None,
) -> pl.DataFrame:
    """Each read token's share in the loss of one target, against a text without tokens.

    Args:
        model: It is left as it was.
        tokens: [1, time + 1] one sequence.
        position: Where the target is predicted, 0 to time - 1; the target is the token after it.
        methods: What to compute.
            integrated-gradients: along the straight line from the baseline to the text (captum's).
            gradient-x-input: the gradient on the text times (embedding - baseline); the first order of the above,
                one backward pass.
        baseline: zero: token embeddings of 0, positions kept (with rotary positions all is 0, where a first norm is
            steep: see the completeness error). mean: the mean token embedding in place of 0.
        steps: Points on the path; None = 32, and twice as many until integrated gradients miss `total` by 2 % at most
            (`registry.COMPLETE`), or 512.
        tick: Called with the share done; may raise to cancel.

    Returns:
        One row per method and token read, of a causal model up to `position`: value (nats; negative where the
        token lowers the loss of the target), target_position, target (its id), total (loss(text) - loss(baseline) of
        the target, which the values should sum to), completeness_error (|sum of values - total|), baseline. One token
        of one sequence: no interval.

    Raises:
        AnalysisError: More than one sequence, a position outside it, an unknown method or baseline, too few points,
            or a model that has diverged.

    Source: Sundararajan, Taly & Yan (ICML 2017), equation 1; Shrikumar et al. (2016), arXiv 1605.01713, for gradient
    times input.
    """
    check_tokens(model, tokens, targets=True)
    check_target(tokens, 0, position)
    _check_attribution(tokens, methods, baseline, steps)
    sequence = tokens.to(device_of(model))
    read, target = model.inputs(sequence), int(model.targets(sequence)[0, position])
    if model.causal:  # later tokens cannot matter
        read = read[:, : position + 1]
    rows: list[dict[str, Any]] = []
    with undisturbed(model):
        with torch.no_grad():
            embedded = model.token_vectors[read]
            start = torch.zeros_like(embedded)
            if baseline == "mean":
                start = start + model.token_vectors.mean(0)

        def loss(x: Tensor) -> Tensor:
            """[batch] loss of the target, nats."""
            begin = model.embed(read.expand(len(x), -1), x)
            logits = model.head(through_layers(model, begin)[:, position])
            return -logits.float().log_softmax(-1)[:, target]

        with torch.no_grad():
            total = float(loss(embedded) - loss(start))
        chosen = [method for method in METHODS if method in methods]
        for done, method in enumerate(chosen):
            values = _values(method, loss, embedded, start, total, steps)
            if not torch.isfinite(values).all():
                raise AnalysisError(
                    "Expected finite attributions, but some are infinite or not a number.",
                    "The model may have diverged.",
                )
            shared = {
                "method": method,
                "unit": UNIT,
                "target_position": position,
                "target": target,
                "total": total,
                "completeness_error": abs(float(values.sum()) - total),
                "baseline": baseline,
            }
            rows += [
                shared | {"position": at, "token": int(read[0, at]), "value": float(value)}
                for at, value in enumerate(values)
            ]
            if tick is not None:
                tick((done + 1) / len(chosen))
    return pl.DataFrame(rows, schema=ATTRIBUTION_SCHEMA)


def check_target(tokens: Tensor, sequence: int, position: int) -> None:
    """Refuse a target that is not in the probe set.

    Args:
        tokens: [sequences, time + 1] probe tokens.
        sequence: Which one, 0 = first.
        position: Where the target is predicted, 0 to time - 1.

    Raises:
        AnalysisError: No such sequence or position.
    """
    sequences, time = len(tokens), tokens.shape[1] - 1
    if not (0 <= sequence < sequences and 0 <= position < time):
        raise AnalysisError(
            f"Expected a token in sequences 0 to {sequences - 1} at positions 0 to {time - 1}, but got sequence "
            f"{sequence}, position {position}.",
            "Pick one of the probe set; the last token of a sequence predicts nothing that is known.",
        )


def _check_attribution(tokens: Tensor, methods: Sequence[str], baseline: str, steps: int | None) -> None:
    if len(tokens) != 1:
        raise AnalysisError(
            f"Expected one sequence for one target, but got {len(tokens)}.", "Give tokens[i : i + 1] of the probe set."
        )
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        raise AnalysisError(
            f"Expected methods out of {', '.join(METHODS)}, but got {', '.join(map(repr, unknown)) or 'none'}.",
            "Name one of these.",
        )
    if baseline not in BASELINES:
        raise AnalysisError(
            f"Expected a baseline out of {', '.join(BASELINES)}, but got {baseline!r}.", "Name one of these."
        )
    if steps is not None and steps < 2:
        raise AnalysisError(f"Expected at least 2 points on the path, but got {steps}.", f"Use {STEPS} or more.")


Loss = Callable[[Tensor], Tensor]


def _values(method: str, loss: Loss, x: Tensor, start: Tensor, total: float, steps: int | None) -> Tensor:
    """[time] float64, with as many points as were asked for, or as the sum takes."""
    taken = steps or STEPS
    while True:
        values = _ATTRIBUTE[method](loss, x, start, taken)[0].sum(-1).to("cpu", torch.float64)
        missed = abs(float(values.sum()) - total)
        if steps or method != "integrated-gradients" or not missed > COMPLETE * abs(total) or taken >= MOST_STEPS:
            return values
        taken *= 2


def _integrated_gradients(loss: Loss, x: Tensor, start: Tensor, steps: int) -> Tensor:
    from captum.attr import IntegratedGradients

    found: Any = IntegratedGradients(loss).attribute(
        x,
        baselines=start,
        n_steps=steps,
        method="gausslegendre",
        internal_batch_size=AT_ONCE if steps > AT_ONCE else None,
    )
    return found.detach()


def _gradient_x_input(loss: Loss, x: Tensor, start: Tensor, steps: int) -> Tensor:
    leaf = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf).sum(), leaf)
    return gradient * (x - start)


_ATTRIBUTE: dict[str, Callable[[Loss, Tensor, Tensor, int], Tensor]] = {
    "integrated-gradients": _integrated_gradients,
    "gradient-x-input": _gradient_x_input,
}
