"""What training, session, analysis and inspection know of a model: a stack of tied layers, and what is around it.

Another kind of model is a class that has these members (an `nn.Module` has half of them already), and is made in
`registry`. Shapes: B sequences, T positions, D width; what a batch is, and what is predicted, is the model's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from ..core.ties import TieMap
from .stack import LayerStack


@dataclass(frozen=True)
class Metric:
    """What a loss is.

    Args:
        name: Of the quantity, in a sentence.
        unit: Of its numbers.
    """

    name: str
    unit: str


class TiedModel(Protocol):
    """A model whose layers share weights under a tie map.

    Calling it gives the prediction for inputs, `head(stack(embed(inputs), *block_arguments(T)))`.

    Attributes:
        stack: The layers; re-tie through it.
        metric: What `loss` and `losses` are.
        context: Most positions that it reads at once.
        width: Features of the residual stream, D.
        vocabulary_size: Number of different tokens that it reads.
        token_vectors: [vocabulary, D'] what `embed` looks tokens up in.
        causal: Whether what is predicted at a position depends on that position and the ones before it alone.
        draws: Whether a forward pass in training mode draws random numbers (dropout).
        training: Whether it is in training mode, as in `nn.Module`.
    """

    training: bool
    stack: LayerStack

    @property
    def metric(self) -> Metric: ...
    @property
    def context(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def vocabulary_size(self) -> int: ...
    @property
    def token_vectors(self) -> Tensor: ...
    @property
    def causal(self) -> bool: ...
    @property
    def draws(self) -> bool: ...

    # A batch, and what is right

    def inputs(self, batch: Tensor) -> Tensor:
        """What the model reads of a batch: [B, T] tokens."""
        ...

    def targets(self, batch: Tensor) -> Tensor:
        """What it should predict there, as `losses` takes it."""
        ...

    def blank_batch(self, size: int) -> Tensor:
        """A batch of so many sequences at full context, as training has it; its values do not matter."""
        ...

    def loss(self, batch: Tensor) -> Tensor:
        """The mean over a batch that training lowers, a scalar."""
        ...

    def losses(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """The loss of each prediction, in the shape of the targets; whole sequences or a part of them."""
        ...

    def sequence_losses(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """[B] the mean loss of each sequence."""
        ...

    # From inputs to predictions

    def __call__(self, inputs: Tensor) -> Tensor:
        """The prediction for inputs."""
        ...

    def embed(self, inputs: Tensor, vectors: Tensor | None = None) -> Tensor:
        """What the first layer reads, [B, T, D]; with vectors, [B, T, D'] in place of the tokens' own."""
        ...

    def block_arguments(self, length: int) -> tuple[Any, ...]:
        """What each layer takes beside the residual stream, for sequences of `length` positions."""
        ...

    def head(self, x: Tensor) -> Tensor:
        """The prediction from the last layer's output, position by position."""
        ...

    # Storage

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All weights, one entry per storage, and the stack's sharing (JSON-able). The tensors are the live ones."""
        ...

    def load(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Back from `state`. An optimizer must be loaded after it.

        Raises:
            RecordError: The state is of another model.
        """
        ...

    # As in `nn.Module`

    def parameters(self) -> Iterator[Parameter]: ...
    def named_parameters(self) -> Iterator[tuple[str, Parameter]]: ...
    def buffers(self) -> Iterator[Tensor]: ...
    def modules(self) -> Iterator[nn.Module]: ...
    def train(self, mode: bool = True) -> Self: ...
    def eval(self) -> Self: ...
    def to(self, device: torch.device | str) -> Self: ...


# What some models can do besides. A caller asks with `isinstance` and says what it does without.


@runtime_checkable
class Generates(Protocol):
    """A model that continues sequences."""

    def generate(
        self,
        tokens_BT: Tensor,
        count: int,
        *,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
    ) -> Tensor:
        """Prompts and `count` tokens after each, B x (T + count); temperature 0 takes the likeliest."""
        ...


@runtime_checkable
class ShowsAttention(Protocol):
    """A model whose attention can be looked at."""

    def attention_weights(self, inputs: Tensor) -> list[Tensor]:
        """Per layer [B, heads, T, T] the weight of each key (last) for each query, in fp32."""
        ...


@runtime_checkable
class Initialised(Protocol):
    """A model whose initialisation is known."""

    def fresh(self, *, seed: int, ties: TieMap) -> TiedModel:
        """A model of the same shape that has learned nothing, on the CPU."""
        ...


@runtime_checkable
class KnowsActivations(Protocol):
    """A model that has a formula for what autograd saves, which is faster than `memory.saved_bytes`."""

    def activation_bytes(self, batch_size: int, *, bf16: bool = False) -> int:
        """Bytes that autograd saves in one forward pass of a batch at full context under the present ties."""
        ...
