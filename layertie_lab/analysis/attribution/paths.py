"""Along a path from a baseline to the text: what passes by each layer, and what its update carries.

captum's conductance and internal influence walk the path once per layer; here one walk serves all layers (12 x 64,
8 sequences: 9 training steps in place of 136) and every method that reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, update_wrapper
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from ...core.errors import AnalysisError
from ...models.tied_model import Metric, TiedModel
from ...models.undisturbed import undisturbed
from ..capture import Tick, check_tokens, device_of, hooked, layers_of, ties_of
from .registry import ATTRIBUTIONS, BASELINES, COMPLETE, MOST_STEPS, STEPS, Asked, AttributionDescription, Baseline
from .rows import SCHEMA, row
from .targets import Objective, chosen

LARGEST_ERROR = 0.1
"""A method that may miss the sum is refused where it does by more than this share of the loss difference."""
PIECE = 16
"""Intervals of a path that are walked at once: their points are as large as a training batch."""


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


@dataclass(frozen=True)
class Step:
    """What one walk saw of a layer.

    Args:
        before: [points, time, width] the residual stream before the layer, at each point of the path.
        update: [points, time, width] what the layer adds.
        gradient: [points, time, width] of the loss, at the layer's output: that of both, which add up to it.
    """

    before: Tensor
    update: Tensor
    gradient: Tensor


@dataclass(frozen=True)
class Path:
    """One sequence, from the baseline to the text.

    Args:
        model: The model.
        layers: Its layers, one module per position.
        x: [1, time, width] what the first layer reads of the text.
        start: [1, time, width] what it reads of the baseline.
        targets: What the model should predict.
        steps: Intervals on the path, one less than its points.
        objective: The loss that is explained.
        coarser: The same path with fewer of them, whose errors say where more are needed; None for even ones.
    """

    model: TiedModel
    layers: list[nn.Module]
    x: Tensor
    start: Tensor
    targets: Tensor
    steps: int
    objective: Objective
    coarser: Path | None = None

    def loss(self, x: Tensor, targets: Tensor) -> Tensor:
        """[batch] the loss that is explained, from what the first layer reads."""
        return self.objective(self.model, x, targets)

    @cached_property
    def grid(self) -> Tensor:
        """[steps + 1] the points as shares of the way, from 0 to 1."""
        if self.coarser is None:
            return torch.linspace(0, 1, self.steps + 1)
        grid, _, errors = self.coarser.grid.tolist(), *self.coarser.flows
        # Always the worst interval is halved; the error of the rule is of third order in an interval's length.
        worst = [(-error, grid[i], grid[i + 1]) for i, error in enumerate(errors.tolist())]
        heapify(worst)
        while len(worst) < self.steps:
            error, low, high = heappop(worst)
            for ends in ((low, (low + high) / 2), ((low + high) / 2, high)):
                heappush(worst, (error / 8, *ends))
        return torch.tensor([*sorted(low for _, low, _ in worst), 1.0])

    @cached_property
    def walk(self) -> list[Step]:
        """One forward and backward pass over all points, a step per layer."""
        return self._walked(0, self.steps)[0]

    @cached_property
    def flows(self) -> tuple[Tensor, Tensor]:
        """What flows by each layer and through its update over each interval, [steps, layers, 2] in float64, nats per
        token; and [steps] by how much these miss the change of the loss, on average over layers."""
        shares, errors = [], []
        for first in range(0, self.steps, PIECE):
            walk, losses = self._walked(first, min(first + PIECE, self.steps))
            if self.steps <= PIECE:
                self.__dict__["walk"] = walk  # which other methods read too
            flows = []
            for step in walk:
                mean = (step.gradient[1:] + step.gradient[:-1]) / 2
                along = torch.stack([step.before, step.update])  # [2, points, time, width]
                flows.append((mean * along.diff(dim=1)).sum((2, 3)))
            found = torch.stack(flows).permute(2, 0, 1).to("cpu", torch.float64)
            shares.append(found)
            errors.append((found.sum(-1) - losses.diff().to("cpu", torch.float64)[:, None]).abs().mean(1))
        return torch.cat(shares), torch.cat(errors)

    def forget(self) -> Path:
        """Itself without its walk, which is as large as what a training step keeps."""
        self.__dict__.pop("walk", None)
        return self

    def _walked(self, first: int, last: int) -> tuple[list[Step], Tensor]:
        """The layers' steps, and [points] the loss, from one point of the grid to another."""
        seen: list[tuple[Tensor, Tensor]] = []  # before and after each layer

        def hook(layer: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
            seen.append((arguments[0], output))

        # Not below the hooks: where a coarser path says which points these are, it is walked for that.
        share = self.grid.to(self.x)[first : last + 1, None, None]
        with hooked([layer.register_forward_hook(hook) for layer in self.layers]):
            points = torch.lerp(self.start, self.x, share)
            losses = self.loss(points.requires_grad_(), self.targets.expand(len(points), -1))
        gradients = torch.autograd.grad(losses.sum(), [after for _, after in seen])
        walk = [
            Step(before.detach(), (after - before).detach(), gradient)
            for (before, after), gradient in zip(seen, gradients, strict=True)
        ]
        return walk, losses.detach()


Shares = Callable[[Path, Tick], Tensor]
"""Of one sequence [layers, 2] in float64: what passes by a layer (NaN where the method knows no such share), and its
update's share, in nats per token."""


class PathMethod:
    """A method of attribution that is defined on one sequence's path."""

    def __init__(self, described: AttributionDescription, shares: Shares) -> None:
        self.described, self.shares = described, shares
        update_wrapper(self, shares)

    def __call__(self, model: TiedModel, tokens: Tensor, asked: Asked, tick: Tick | None = None) -> pl.DataFrame:
        return along_paths(model, tokens, [self], asked, tick)


def path_method(described: AttributionDescription) -> Callable[[Shares], Shares]:
    """Register a function of one sequence's path as a method of attribution."""

    def registered(shares: Shares) -> Shares:
        ATTRIBUTIONS.register(described)(PathMethod(described, shares))
        return shares

    return registered


def path_methods() -> list[PathMethod]:
    """Every method that goes along a path."""
    found = [ATTRIBUTIONS.get(name) for name in ATTRIBUTIONS.names]
    return [method for method in found if isinstance(method, PathMethod)]


def each_layer(path: Path, tick: Tick, of_layer: Callable[[Path, nn.Module], Tensor]) -> Tensor:
    """The shares of a method that looks at one layer at a time, each [2]."""
    found = []
    for done, layer in enumerate(path.layers):
        if done:
            tick(done / len(path.layers))
        found.append(of_layer(path, layer))
    return torch.stack(found)


def along_paths(
    model: TiedModel, tokens: Tensor, methods: list[PathMethod], asked: Asked, tick: Tick | None
) -> pl.DataFrame:
    """A row per method and layer; arguments and refusals as in `layer_attribution.layer_attribution`."""
    _check(asked)
    check_tokens(model, tokens, targets=True)
    start = _start(model, tokens, asked.baseline, asked.pad_token)
    tokens, objective = chosen(tokens, asked.target)
    owners = ties_of(model).owners
    found: list[list[Tensor]] = [[] for _ in methods]
    totals: list[Tensor] = []
    parts, half = len(methods) * len(tokens), 1.0 if asked.steps else 0.5
    rows = []
    with undisturbed(model):
        # One sequence at a time: with its points on the path it is as large as a training batch.
        ends = []
        for sequence in tokens.to(device_of(model)).split(1):
            read, targets = model.inputs(sequence), model.targets(sequence)
            with torch.no_grad():
                x, begin = model.embed(read), start.of(model, read)
                totals.append(objective(model, x, targets) - objective(model, begin, targets))
            path = Path(model, layers_of(model), x, begin, targets, asked.steps or STEPS, objective)
            for place, method in enumerate(methods):
                done = len(methods) * (len(totals) - 1) + place
                told = _part(tick, half * done / parts, half * (done + 1) / parts)
                found[place].append(method.shares(path, told))
                told(1.0)
            ends.append(path.forget())
        total = torch.cat(totals).cpu().double()  # [sequences]
        scale = float(total.abs().mean())
        for place, (method, each) in enumerate(zip(methods, found, strict=True)):
            shares, steps = torch.stack(each), asked.steps or STEPS  # [sequences, layers, 2]
            told = _part(tick, half + (1 - half) * place / len(methods), half + (1 - half) * (place + 1) / len(methods))
            if asked.steps is None:
                if not method.described.misses:
                    shares, steps = _completed(method, ends, shares, total, told)
                told(1.0)
            errors = _errors(shares, total)
            _refuse_incomplete(method.described, model.metric, errors, scale)
            for layer, update in enumerate(shares[:, :, 1].T.numpy()):
                one = row(method.described, model.metric, layer, owners[layer], update, asked.level, asked.target)
                error = None if np.isnan(errors[layer]) else float(errors[layer])
                one |= {"completeness_error": error, "baseline": str(start), "total": float(total.mean())}
                rows.append(one | {"points": steps})
    return pl.DataFrame(rows, schema=SCHEMA)


def _errors(shares: Tensor, total: Tensor) -> np.ndarray:
    """[layers] mean over sequences of how far both shares are from their sum; NaN where none is promised."""
    return (shares.sum(-1) - total[:, None]).abs().mean(0).numpy()


def _completed(method: PathMethod, paths: list[Path], shares: Tensor, total: Tensor, tick: Tick) -> tuple[Tensor, int]:
    """A method's shares with twice as many points as long as they miss their sum, and how many it took.

    A first norm is steep where its input is all but 0, as at the zero baseline with rotary positions: there 16 points
    can miss a sixth of the loss difference, and a walk takes most of its further points there.
    """
    steps, scale = paths[0].steps, float(total.abs().mean())
    while steps < MOST_STEPS and _errors(shares, total).max() > COMPLETE * scale:
        steps *= 2
        paths, each = [replace(path, steps=steps, coarser=path) for path in paths], []
        for done, path in enumerate(paths):
            each.append(method.shares(path, lambda share: None))
            tick(min(0.99, steps / MOST_STEPS * (done + 1) / len(paths)))
        shares = torch.stack(each)
    return shares, steps


def _part(tick: Tick | None, start: float, end: float) -> Tick:
    return lambda share: None if tick is None else tick(start + share * (end - start))


def _start(model: TiedModel, tokens: Tensor, baseline: Baseline, pad_token: int | None) -> Start:
    if baseline != "pad":
        if pad_token is not None:
            raise AnalysisError(
                f"Expected no pad token for the baseline {baseline!r}, but got {pad_token}.", 'Use baseline="pad".'
            )
        return Start(baseline)
    token = int(model.inputs(tokens).flatten().bincount().argmax()) if pad_token is None else pad_token
    vocabulary = model.vocabulary_size
    if not 0 <= token < vocabulary:
        raise AnalysisError(
            f"Expected a pad token from 0 to {vocabulary - 1}, but got {token}.",
            "Encode it with the model's own tokenizer, or leave it out for the commonest token.",
        )
    return Start(baseline, token)


def _refuse_incomplete(described: AttributionDescription, metric: Metric, errors: np.ndarray, total: float) -> None:
    if described.misses and errors.max() > LARGEST_ERROR * total:
        raise AnalysisError(
            f"Expected {described.name}'s shares to sum to the loss difference of {total:.3g} {metric.unit} "
            f"within {LARGEST_ERROR:.0%}, but they miss it by up to {errors.max():.3g}: {described.misses}.",
            "Use conductance or integrated-gradients, which need no rules.",
        )


def _check(asked: Asked) -> None:
    if asked.baseline not in BASELINES:
        raise AnalysisError(
            f"Expected a baseline out of {', '.join(BASELINES)}, but got {asked.baseline!r}.", "Name one of these."
        )
    if asked.steps is not None and asked.steps < 2:
        raise AnalysisError(f"Expected at least 2 points on the path, but got {asked.steps}.", f"Use {STEPS} or more.")
