"""The networks of the Q-learners, and their optimizer's state by the names of their parameters."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class QNetwork(nn.Module):
    """Linear(L, hidden), ReLU, Linear(hidden, L(L+1)/2); layer l reads its own slice, of length l+1.

    Args:
        layers: Depth L.
        hidden: Units between.
        generator: Of the initial weights, which are torch's default for Linear: uniform within 1 / sqrt(inputs).
    """

    def __init__(self, layers: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = nn.Linear(layers, hidden, device="meta").to_empty(device="cpu")
        self.second = nn.Linear(hidden, layers * (layers + 1) // 2, device="meta").to_empty(device="cpu")
        for part in (self.first, self.second):
            bound = part.in_features**-0.5
            nn.init.uniform_(part.weight, -bound, bound, generator)
            nn.init.uniform_(part.bias, -bound, bound, generator)

    def forward(self, inputs: Tensor, layer: int) -> Tensor:
        """[..., layer + 1] values of a layer's actions, from [..., L] inputs."""
        start = layer * (layer + 1) // 2
        rows = slice(start, start + layer + 1)
        return F.linear(torch.relu(self.first(inputs)), self.second.weight[rows], self.second.bias[rows])


class AdvantageNetwork(nn.Module):
    """A table over (layer, source) plus, for a layer on its own, a small network of the layer and the other owners.

    Args:
        layers: Depth L.
        hidden: Units of the network.
        generator: Of the initial weights of its first part; all else begins at 0.
    """

    def __init__(self, layers: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = layers
        self.table = nn.Parameter(torch.zeros(layers, layers))
        self.first = nn.Linear(layers + 2, hidden, device="meta").to_empty(device="cpu")
        self.second = nn.Linear(hidden, 1, bias=False, device="meta").to_empty(device="cpu")
        nn.init.normal_(self.first.weight, 0, self.first.in_features**-0.5, generator)
        nn.init.zeros_(self.first.bias)
        nn.init.zeros_(self.second.weight)

    def forward(self, layer: Tensor, action: Tensor, others: Tensor) -> Tensor:
        """What an action is worth. Any shape in, the same out.

        Args:
            layer: Asked about.
            action: Its source-to-be; the layer itself = on its own.
            others: Owners besides the layer.
        """
        share = others.to(torch.float32) / self.layers
        inputs = torch.cat([F.one_hot(layer, self.layers), torch.stack([share, share * share], dim=-1)], dim=-1)
        alone = self.second(torch.relu(self.first(inputs))).squeeze(-1)
        return self.table[layer, action] + (action == layer) * alone


def optimizer_state(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """ "parameter/slot" -> a copy of the optimizer's tensor."""
    return {
        f"{name}/{slot}": torch.as_tensor(value).clone()
        for name, parameter in network.named_parameters()
        for slot, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer(network: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Take over what `optimizer_state` gave; names that are not of the network's parameters do not matter."""
    for name, parameter in network.named_parameters():
        slots = {key.removeprefix(f"{name}/"): value for key, value in tensors.items() if key.startswith(f"{name}/")}
        optimizer.state.pop(parameter, None)
        if slots:
            optimizer.state[parameter] = {
                slot: value.clone() if value.dim() == 0 else value.clone().view_as(parameter)
                for slot, value in slots.items()
            }
