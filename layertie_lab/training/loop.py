"""One optimizer step."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from ..core.config import TrainingConfig
from ..core.errors import DeviceMemoryError, DivergedError
from ..core.keys import RunKey
from ..core.measures import DIVERGED, NATS, StepResult, has_diverged
from ..models.tied_model import TiedModel
from .device import autocast
from .optimizer import Optimizer
from .randomness import seeded
from .schedule import learning_rate


class Trainer:
    """Forward, backward, clip, update.

    Args:
        model: What is trained.
        optimizer: Of the model.
        config: Rates, clip, precision, and whether to compile each block.
        key: Names the dropout draws.
        device: The model's device.
        total_steps: The run's budget of steps, where cosine ends.
    """

    def __init__(
        self,
        model: TiedModel,
        optimizer: Optimizer,
        config: TrainingConfig,
        key: RunKey,
        device: torch.device,
        total_steps: int = 0,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.config = config
        self.key = key
        self.device = device
        self.total_steps = total_steps
        if config.compile and model.stack.compiled is None:
            model.stack.compile_blocks()

    def step(self, tokens: Any, step_index: int) -> StepResult:
        """Train on one batch, or on several whose gradients are averaged.

        Args:
            tokens: A batch, B x (T + 1), or A x B x (T + 1) for A batches.
            step_index: Steps done before this one, from 0.

        Raises:
            DivergedError: The loss or the gradient is not finite. Nothing was updated.
            DeviceMemoryError: The device ran out of memory. Weights and optimizer state are those before the step.
        """
        batches = torch.as_tensor(tokens)
        batches = batches.unsqueeze(0) if batches.dim() == 2 else batches
        rate = learning_rate(step_index, self.config, self.total_steps)
        try:
            loss, norm = self._gradients(batches.to(self.device, torch.long, non_blocking=True), step_index)
            self._check_finite(loss, norm, step_index)
            self.optimizer.step(rate, self._clip(norm))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            # The traceback's frames hold the activations.
            error.__traceback__ = None
            raise _out_of_memory(error, step_index, self.device) from None
        finally:
            self.optimizer.zero_grad()
        return StepResult(loss, rate, norm)

    def _gradients(self, batches_ABT: Tensor, step_index: int) -> tuple[float, float]:
        """Fill the gradients; the mean loss and the gradients' norm."""
        count = len(batches_ABT)
        if not self.model.training:
            self.model.train()
        total: Tensor | None = None
        draws = seeded(self.key.at(step_index, "dropout"), self.device) if self.model.draws else nullcontext()
        with draws:
            for batch in batches_ABT:
                with autocast(self.device, self.config.precision):
                    loss = self.model.loss(batch)
                (loss if count == 1 else loss / count).backward()
                total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        gradients = self._held_gradients()
        norm = torch.nn.utils.get_total_norm(gradients, foreach=True)
        loss_value, norm_value = torch.stack([total.float() / count, norm.float()]).tolist()  # one wait for the device
        return loss_value, norm_value

    def _held_gradients(self) -> list[Tensor]:
        return [p.grad for p in self.optimizer.parameters() if p.grad is not None]

    def _clip(self, norm: float) -> float:
        """What the gradients are to be divided by."""
        limit = self.config.gradient_clip
        # The small number as in torch.nn.utils.clip_grad_norm_, so that a plain loop gives the same update.
        return max(1.0, (norm + 1e-6) / limit) if limit > 0 else 1.0

    def _check_finite(self, loss: float, norm: float, step_index: int) -> None:
        metric = self.model.metric
        if not math.isfinite(loss):
            wanted, what = f"finite {metric.name}", f"a loss of {loss}"
        elif metric.unit == NATS and has_diverged(loss):
            wanted, what = f"{metric.name} of at most {DIVERGED:g} {metric.unit}", f"{loss:g}"
        elif not math.isfinite(norm):
            wanted, what = f"finite {metric.name}", f"a gradient norm of {norm}"
        else:
            return
        raise DivergedError(
            f"Expected a {wanted} at step {step_index + 1}, but got {what}: the run has diverged; the weights are "
            "those before the step.",
            "Lower the learning rate, lengthen the warm-up, or clip the gradient.",
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a device, or the machine, has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    )


def _out_of_memory(error: BaseException, step_index: int, device: torch.device) -> DeviceMemoryError:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return DeviceMemoryError(
        f"The device {device} ran out of memory at step {step_index + 1} ({first[:200]}); weights and optimizer "
        f"state are those before the step.",
        "Use a smaller batch_size with accumulate, a shorter context, fewer owners, or gradient=owner.",
    )
