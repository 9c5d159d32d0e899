"""What an attribution explains: the mean loss of each probe sequence, or the loss of one chosen token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ...core.errors import AnalysisError
from ...models.tied_model import TiedModel
from ..capture import sequence_losses, through_layers

Objective = Callable[[TiedModel, Tensor, Tensor], Tensor]
"""(model, x [batch, time, width] as the first layer reads it, next tokens [batch, time]) -> [batch] nats per token."""


@dataclass(frozen=True)
class Target:
    """The loss of one token.

    Args:
        sequence: Which probe sequence, counted from 0.
        position: The position read, counted from 0; explained is the loss of the token after it.
    """

    sequence: int
    position: int


def chosen(tokens: Tensor, target: Target | None) -> tuple[Tensor, Objective]:
    """The probe sequences that matter for a target, and its loss.

    Args:
        tokens: [sequences, time + 1] probe tokens.
        target: None = the mean loss of every sequence.

    Raises:
        AnalysisError: No such token.
    """
    if target is None:
        return tokens, sequence_losses
    sequences, time = len(tokens), tokens.shape[1] - 1
    if not (0 <= target.sequence < sequences and 0 <= target.position < time):
        raise AnalysisError(
            f"Expected a target with a sequence from 0 to {sequences - 1} and a position from 0 to {time - 1}, but got "
            f"sequence {target.sequence}, position {target.position}.",
            "Pick a token of the probe set that has a next token.",
        )

    def token_loss(model: TiedModel, x: Tensor, targets: Tensor) -> Tensor:
        stream = through_layers(model, x)[:, target.position]
        return model.losses(model.head(stream), targets[:, target.position])

    return tokens[target.sequence : target.sequence + 1], token_loss
