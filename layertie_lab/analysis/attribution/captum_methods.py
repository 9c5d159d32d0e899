"""captum's methods, one layer after another: integrated gradients, ablation of its update, DeepLift.

At a layer each gives [2] in float64 for one sequence: what passes by the layer, and its update's share. captum is
imported in the functions: it takes a second and a half, which similarity, memory and skipping need not wait for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ...models.tied_model import TiedModel
from ..capture import Tick, hooked
from .paths import Path, each_layer, path_method
from .registry import AT_ONCE, AttributionDescription
from .targets import Objective


class Split(nn.Module):
    """A point in the forward pass where a layer's input and update are two tensors, for captum to attribute to.

    `split.on(layer)` puts it there; remove the handle afterwards.
    """

    def forward(self, before: Tensor, update: Tensor) -> tuple[Tensor, Tensor]:
        # The layer reads `before` too; a view of its own keeps that path out of the gradient of what passes by.
        return before.view_as(before), update.view_as(update)

    def on(self, layer: nn.Module) -> RemovableHandle:
        """Let the output of a layer pass through here."""

        def hook(layer: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
            before, update = self(arguments[0], output - arguments[0])
            return before + update

        return layer.register_forward_hook(hook)


class Explained(nn.Module):
    """The loss as a module, x [batch, time, width] and targets to [batch]: what captum's DeepLift puts its hooks on."""

    def __init__(self, model: TiedModel, split: Split, objective: Objective) -> None:
        super().__init__()
        self.model, self.split, self.objective = model, split, objective

    def forward(self, x: Tensor, targets: Tensor) -> Tensor:
        return self.objective(self.model, x, targets)


def _integrated_gradients(path: Path, layer: nn.Module) -> Tensor:
    """Along the straight line from the layer's input and update on the baseline to those on the text."""
    from captum.attr import LayerIntegratedGradients

    split = Split()
    with hooked([split.on(layer)]):
        found: Any = LayerIntegratedGradients(path.loss, split).attribute(
            path.x,
            baselines=path.start,
            additional_forward_args=(path.targets,),
            n_steps=path.steps,
            method="gausslegendre",
            internal_batch_size=AT_ONCE if path.steps > AT_ONCE else None,
        )
    return _sums(found)


@torch.no_grad()
def _feature_ablation(path: Path, layer: nn.Module) -> Tensor:
    """The loss minus the loss with the layer's update as it is on the baseline, the whole update being one feature."""
    from captum.attr import LayerFeatureAblation

    update, seen = _Update(), []
    with hooked([update.on(layer)]):
        with hooked([update.register_forward_hook(lambda module, arguments, output: seen.append(output))]):
            path.objective(path.model, path.start, path.targets)
        found: Any = LayerFeatureAblation(path.loss, update).attribute(
            path.x,
            layer_baselines=seen[0],
            additional_forward_args=(path.targets,),
            layer_mask=torch.zeros_like(seen[0]).long(),
        )
    # Every number of a feature is given the feature's value.
    return torch.stack([found.new_tensor(torch.nan), found.flatten()[0]]).to("cpu", torch.float64)


def _deeplift(path: Path, layer: nn.Module) -> Tensor:
    """DeepLift by captum's rules, which know modules: functions without one (GELU, attention, LayerNorm) count as
    linear, with their gradient on the text. Measured at 12 x 64 after 300 steps: of a loss difference of .85 nats per
    token from the zero baseline it misses .79 to .80, from the mean 1.65 to 1.67 of 1.71, from pad .41 to .47 of .49.
    """
    from captum.attr import LayerDeepLift

    split = Split()
    explained = Explained(path.model, split, path.objective)
    with hooked([split.on(layer)]):
        found: Any = LayerDeepLift(explained, split).attribute(
            path.x, baselines=path.start, additional_forward_args=(path.targets,)
        )
    return _sums(found)


class _Update(nn.Module):
    """As `Split`, of the update alone."""

    def forward(self, update: Tensor) -> Tensor:
        return update

    def on(self, layer: nn.Module) -> RemovableHandle:
        def hook(layer: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
            return arguments[0] + self(output - arguments[0])

        return layer.register_forward_hook(hook)


def _sums(found: tuple[Tensor, Tensor]) -> Tensor:
    return torch.stack([part.detach().to("cpu", torch.float64).sum() for part in found])


@path_method(
    AttributionDescription(
        "integrated-gradients",
        "Integrated gradients of the layer",
        about="the update's share while the layer's input and update go, in a straight line, from what they are on the "
        "baseline to what they are on the text",
        unit="of loss(text) - loss(baseline)",
        meaning="Below 0 the layer's update lowers the loss on the straight line from the baseline to the text.",
        reads="the baseline",
        source="Sundararajan, Taly & Yan (ICML 2017), equation 1",
        axis="change of the loss (nats per token)",
    )
)
def integrated_gradients(path: Path, tick: Tick) -> Tensor:
    """captum's, at each layer."""
    return each_layer(path, tick, _integrated_gradients)


@path_method(
    AttributionDescription(
        "feature-ablation",
        "Ablation of the layer's update",
        about="the loss minus the loss when the update, all of it at once, is what it is on the baseline; later layers "
        "react",
        unit="loss - loss(update as on the baseline)",
        meaning="Below 0 the layer's update lowers the loss, against what it is on the baseline. No sum is promised.",
        reads="the baseline",
        axis="change of the loss (nats per token)",
    )
)
def feature_ablation(path: Path, tick: Tick) -> Tensor:
    """captum's, at each layer."""
    return each_layer(path, tick, _feature_ablation)


@path_method(
    AttributionDescription(
        "deeplift",
        "DeepLift of the layer",
        about="DeepLift by captum's rules, refused where they do not hold",
        unit="of loss(text) - loss(baseline)",
        meaning="Below 0 the layer's update lowers the loss, by rules for each kind of module.",
        reads="the baseline",
        source="Shrikumar, Greenside & Kundaje (ICML 2017), equation 1",
        axis="change of the loss (nats per token)",
        misses="captum has no rule for GELU, attention and LayerNorm, and takes them for linear",
    )
)
def deeplift(path: Path, tick: Tick) -> Tensor:
    """captum's, at each layer."""
    return each_layer(path, tick, _deeplift)
