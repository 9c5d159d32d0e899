"""AdamW whose state follows the tie map: exactly one per owner."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ..core.config import TieConfig, TrainingConfig
from ..core.errors import RecordError
from ..models.counts import outer_of
from ..models.stack import TieChange
from ..models.tied_model import TiedModel

YOUNG = 10
"""Steps that an estimate counts as at most, once it was carried over to another number of layers."""


class AdamW(torch.optim.AdamW):
    """torch's AdamW.

    Attributes:
        grad_scale: What the fused kernel divides gradients by, as `torch.amp.GradScaler` sets it; None: nothing.
    """

    grad_scale: Tensor | None = None


class Optimizer:
    """AdamW over a model on a stack.

    Args:
        model: What is around its stack is trained too.
        config: Betas and weight decay.
        ties: `moments`: what a new owner's state is, and whether that of a layer that is tied is kept.

    One Parameter, one entry: a layer that becomes tied loses its state, one that becomes independent gets a clone of
    that of the weights it used (moments="clone" or "scaled") or none ("reset"). With "scaled" the state also follows
    the number of layers that the gradient is a sum over: a first moment is as long as the gradient, a second one as its
    square. Without that, a layer that leaves a block of n would train at a rate n times too small until the second
    moment has decayed, some 1 / (1 - beta2) steps later, and a block that n layers join would first take steps n times
    too long. What is carried over so counts as `YOUNG` steps old at most: the layers' gradients are not all alike, and
    the true size is soon known. State is named by (owner layer, slot), never by position.
    """

    def __init__(self, model: TiedModel, config: TrainingConfig, ties: TieConfig) -> None:
        self.model = model
        self.config = config
        self.ties = ties
        groups = self._named_groups()
        self._names = [list(group) for group in groups]
        fused = all(p.device.type in ("cpu", "cuda", "mps") for group in groups for p in group.values())
        self.inner = AdamW(
            [{"params": list(group.values())} for group in groups],
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            weight_decay=config.weight_decay,
            fused=fused,
        )

    def step(self, learning_rate: float, divisor: float = 1.0) -> None:
        """One AdamW step on the gradients that are there, divided by `divisor`.

        All memory is asked for before the first update, so that running out of it changes nothing.
        """
        new = self._begin_state()
        for group in self.inner.param_groups:
            group["lr"] = learning_rate
        try:
            self._divide(divisor)
            self.inner.step()
        except BaseException:
            for parameter in new:
                del self.inner.state[parameter]
            raise

    def zero_grad(self) -> None:
        """Drop all gradients."""
        self.inner.zero_grad(set_to_none=True)

    def parameters(self) -> list[Parameter]:
        """Every Parameter held, each once, in order."""
        return [p for group in self.inner.param_groups for p in group["params"]]

    def apply(self, change: TieChange) -> None:
        """Follow a re-tie. Call it once after each, before the next step."""
        state = self.inner.state
        inherited: list[tuple[Parameter, dict[str, Any]]] = []
        for parameter, source in change.added:
            if source is not None and source in state and self.ties.moments in ("clone", "scaled"):
                inherited.append((parameter, {key: value.clone() for key, value in state[source].items()}))
        for parameter in () if self.ties.moments == "keep" else change.removed:
            state.pop(parameter, None)
        if self.ties.moments == "rebuild" and (change.added or change.removed):
            state.clear()
        state.update(inherited)
        for parameter, ratio in change.ratios if self.ties.moments == "scaled" else ():
            if parameter in state:
                self._scale(state[parameter], ratio)
        self._regroup()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """("parameter name/slot of the state" -> tensor, JSON-able rest). The tensors are the live ones, not copies."""
        tensors = {
            f"{name}/{key}": value
            for name, parameter in self._named()
            if parameter in self.inner.state
            for key, value in self.inner.state[parameter].items()
        }
        return tensors, {"fused": self.inner.defaults["fused"]}

    def load(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Back from `state`, after the model has been loaded.

        Raises:
            RecordError: State of parameters that the model does not train.
        """
        self._regroup()
        known = dict(self._named())
        self.inner.state.clear()
        for full_name, value in tensors.items():
            name, _, key = full_name.rpartition("/")
            if name not in known:
                raise RecordError(
                    f"Expected optimizer state of trained parameters, but got {full_name}.",
                    "Load the model first, from the same checkpoint.",
                )
            parameter = known[name]
            if key != "step" and value.shape != parameter.shape:
                raise RecordError(
                    f"Expected {full_name} of shape {tuple(parameter.shape)}, but got {tuple(value.shape)}.",
                    "Load it into a model of the same settings.",
                )
            target = "cpu" if key == "step" and not self.inner.defaults["fused"] else parameter.device
            self.inner.state[parameter][key] = value.detach().clone().to(target)

    def bytes(self) -> int:
        """Bytes of the optimizer's state: moments and step counters."""
        return sum(v.numel() * v.element_size() for state in self.inner.state.values() for v in state.values())

    def check_books(self) -> None:
        """Compare what is trained with what the optimizer holds.

        Raises:
            AssertionError: A trained Parameter is missing, held twice, or a state belongs to no trained Parameter.
        """
        held = [id(p) for p in self.parameters()]
        wanted = [id(p) for group in self._named_groups() for p in group.values()]
        assert len(held) == len(set(held)), f"{len(held)} entries for {len(set(held))} parameters"
        assert held == wanted, f"{len(held)} parameters held, {len(wanted)} to be trained, or in another order"
        trainable = {id(p) for p in self.model.parameters() if p.requires_grad}
        assert trainable <= set(held), f"{len(trainable - set(held))} of {len(trainable)} trainable parameters not held"
        strangers = [p for p in self.inner.state if id(p) not in set(held)]
        assert not strangers, f"state of {len(strangers)} parameters that are not trained"

    def _scale(self, state: dict[str, Any], ratio: float) -> None:
        """Carry the estimates of the moments over to a gradient that is `ratio` times as long."""
        steps = float(state["step"])
        if steps == 0:
            return
        young = min(steps, YOUNG)
        for name, beta, factor in (("exp_avg", self.config.beta1, ratio), ("exp_avg_sq", self.config.beta2, ratio**2)):
            # Adam divides by 1 - beta^steps: what it estimates stays what it was, times the factor.
            state[name].mul_(factor * (1 - beta**young) / (1 - beta**steps))
        state["step"].fill_(young)

    def _divide(self, divisor: float) -> None:
        if self.inner.defaults["fused"]:
            # The fused kernel divides while it updates, as for a GradScaler: no pass over the gradients of its own.
            device = self.parameters()[0].device
            self.inner.grad_scale = None if divisor == 1 else torch.tensor(divisor, device=device)
        elif divisor != 1:
            for p in self.parameters():
                if p.grad is not None:
                    p.grad.div_(divisor)

    def _begin_state(self) -> list[Tensor]:
        fused = self.inner.defaults["fused"]
        new: dict[Tensor, Any] = {
            p: {
                "step": torch.zeros((), device=p.device if fused else "cpu"),
                "exp_avg": torch.zeros_like(p, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(p, memory_format=torch.preserve_format),
            }
            for p in self.parameters()
            if p.grad is not None and p not in self.inner.state
        }
        self.inner.state.update(new)
        return list(new)

    def _named_groups(self) -> list[dict[str, Parameter]]:
        first, *more = self.model.stack.trained()
        return [outer_of(self.model) | _prefixed(first), *map(_prefixed, more)]

    def _named(self) -> list[tuple[str, Parameter]]:
        groups = zip(self._names, self.inner.param_groups, strict=True)
        return [pair for names, group in groups for pair in zip(names, group["params"], strict=True)]

    def _regroup(self) -> None:
        # In the model's order after every change, so that sums over parameters do not depend on the path to a map.
        groups = self._named_groups()
        self._names = [list(group) for group in groups]
        for held, wanted in zip(self.inner.param_groups, groups, strict=True):
            held["params"][:] = wanted.values()


def _prefixed(group: dict[str, Parameter]) -> dict[str, Parameter]:
    return {f"stack.{name}": p for name, p in group.items()}
