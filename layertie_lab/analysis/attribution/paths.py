"""Along a path from a baseline to the text: what passes by a layer, and what its update carries.

captum's conductance and internal influence walk the path once per layer, and its conductance takes gradients at the
near end of each interval; here one walk serves all layers (12 x 64, 8 sequences: 9 training steps in place of 136) and
takes both ends, which makes the error second order. The numbers are those of captum: of conductance walking there
and back, of internal influence by the trapezoid rule (whose weights in captum sum to 1 - 1/points, here to 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ...models.tied_model import TiedModel
from ..capture import Tick, device_of, hooked, layers_of
from .captum_methods import deeplift, feature_ablation, integrated_gradients
from .targets import Objective

Method = Literal["conductance", "integrated-gradients", "internal-influence", "feature-ablation", "deeplift"]
CHECKED: tuple[Method, ...] = ("deeplift",)
"""Methods that are refused where their completeness error is too large."""
METHODS: tuple[Method, ...] = tuple(method for method in get_args(Method) if method not in CHECKED)
"""Methods that hold for every model."""
Baseline = Literal["zero", "mean", "pad"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
STEPS = 16
"""Points on a path. Measured at 12 x 64 after 300 steps, on a loss difference of 1.5 nats per token from the zero
baseline: completeness error of integrated gradients below .003, of conductance .02 to .04 (32 points: .01)."""
Shares = dict[Method, Tensor]
"""Per method [sequences, layers, 2] in float64: what passes by a layer (NaN where the method knows no such share), and
its update's share."""


@dataclass(frozen=True)
class Start:
    """Where paths begin.

    Args:
        baseline: What each token's embedding is there.
        token: The token whose embedding it is (pad).
    """

    baseline: Baseline
    token: int = -1

    def of(self, model: TiedModel, tokens: Tensor) -> Tensor:
        """[batch, time, width] the residual stream's start for sequences such as these: positions stay."""
        known = model.token_vectors
        vector = {"zero": torch.zeros_like(known[0]), "mean": known.mean(0), "pad": known[self.token]}[self.baseline]
        return model.embed(tokens, vector.expand(*tokens.shape, -1))

    def __str__(self) -> str:
        return f"pad (token {self.token})" if self.baseline == "pad" else self.baseline


def shares(
    model: TiedModel,
    tokens: Tensor,
    methods: list[Method],
    start: Start,
    steps: int,
    objective: Objective,
    tick: Tick | None,
) -> tuple[Shares, Tensor]:
    """Shares of each layer, in nats per token, and the [sequences] loss differences that paths should sum to.

    Arguments as in `attribution.layer_attribution`. Call it inside `undisturbed`.
    """
    found: dict[Method, list[Tensor]] = {method: [] for method in methods}
    totals: list[Tensor] = []
    walked: list[Method] = [method for method in methods if method in _WALKED]
    alone: list[Method] = [method for method in methods if method in _ALONE]
    parts_of_all, done = (bool(walked) + len(alone) * len(layers_of(model))) * len(tokens), 0

    def told() -> None:
        nonlocal done
        done += 1
        if tick is not None:
            tick(done / parts_of_all)

    # One sequence at a time: with its points on the path it is as large as a training batch.
    for sequence in tokens.to(device_of(model)).split(1):
        read, targets = model.inputs(sequence), model.targets(sequence)
        with torch.no_grad():
            x, begin = model.embed(read), start.of(model, read)
            totals.append(objective(model, x, targets) - objective(model, begin, targets))
        if walked:
            both = _walk(model, x, begin, targets, steps, objective)
            for method in walked:
                found[method].append(both[method])
            told()
        for method in alone:
            rows = []
            for layer in layers_of(model):
                rows.append(_ALONE[method](model, layer, x, begin, targets, steps, objective))
                told()
            found[method].append(torch.stack(rows))
    return {method: torch.stack(parts) for method, parts in found.items()}, torch.cat(totals).cpu().double()


def _walk(
    model: TiedModel, x: Tensor, start: Tensor, targets: Tensor, steps: int, objective: Objective
) -> dict[Method, Tensor]:
    """Per method [layers, 2]: of what passes by and of the update, for one sequence [1, time, width]."""
    seen: list[tuple[Tensor, Tensor]] = []  # before and after each layer, [points, time, width]

    def hook(layer: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
        seen.append((arguments[0], output))

    with hooked([layer.register_forward_hook(hook) for layer in layers_of(model)]):
        points = torch.lerp(start, x, torch.linspace(0, 1, steps + 1, device=x.device)[:, None, None])
        losses = objective(model, points.requires_grad_(), targets.expand(len(points), -1))
    gradients = torch.autograd.grad(losses.sum(), [after for _, after in seen])
    conductance, influence = [], []
    for (before, after), gradient in zip(seen, gradients, strict=True):
        # Input and update add up to the output, so that one gradient is that of both.
        mean = (gradient[1:] + gradient[:-1]) / 2
        along = torch.stack([before, after - before]).detach()  # [2, points, time, width]
        conductance.append((mean * along.diff(dim=1)).sum((1, 2, 3)))
        influence.append((mean.mean(0) * along[:, -1]).sum((1, 2)))
    found: dict[Method, Tensor] = {
        "conductance": torch.stack(conductance),
        "internal-influence": torch.stack(influence),
    }
    found["internal-influence"][:, 0] = torch.nan  # No sum is promised, so what passes by completes nothing.
    return {method: found[method].to("cpu", torch.float64) for method in _WALKED}


_WALKED: tuple[Method, ...] = ("conductance", "internal-influence")
_ALONE: dict[Method, Callable[..., Tensor]] = {
    "integrated-gradients": integrated_gradients,
    "feature-ablation": feature_ablation,
    "deeplift": deeplift,
}
