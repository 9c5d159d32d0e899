"""Q-learning in advantage form, with replay of the whole history."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.config import AgentConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ..protocol import AgentState, Saved, Transition, check_layers, check_reward, check_saved
from ..rewards.signal import Changes
from ..schedule import exploration

_BATCH = 64
_HIDDEN = 32
# The table's entries are seldom drawn and independent of one another: they take larger steps than the network.
_TABLE_STEPS = 20.0
_STREAM = 0xAD7A


class AdvantageLearner:
    """Q(layer, a) = F(layer, a) - F(layer, present source), so that keeping the present tie is worth exactly 0.

    F is a table over (layer, source) plus, for answering with the layer itself, a small network of the layer and of the
    number of other owners. Learned from changes divided by their root mean square; the whole history is replayed, one
    step of Adam on a batch of 64 per decision. Explores with probability epsilon (linear over `explore_share` of the
    budget) by the least tried legal answer. With a discount, targets come from a copy that is renewed each second pass,
    at the answer that looks best now (double Q-learning).

    Args:
        layers: Depth L.
        config: Exploration, discount and learning rate.
        key: Of the run; initial weights are drawn from it.
        level: Whether rewards say how good things are rather than what changed (negative perplexity).
        detrend: Whether rewards still hold what training gains anyway.
        name: Under which name it goes.
    """

    def __init__(
        self,
        layers: int,
        config: AgentConfig,
        key: RunKey,
        *,
        level: bool = False,
        detrend: bool = True,
        name: str = "lab",
    ) -> None:
        self.name = name
        self.layers = layers
        self._config = config
        self._changes = Changes(level=level, detrend=detrend)
        generator = torch.Generator().manual_seed(key.at(0, "init") ^ _STREAM)
        inputs = layers + 2
        self._weights = {
            "table": torch.zeros(layers, layers),
            "first.weight": torch.empty(_HIDDEN, inputs).normal_(0, inputs**-0.5, generator=generator),
            "first.bias": torch.zeros(_HIDDEN),
            "second.weight": torch.zeros(_HIDDEN),
        }
        for weight in self._weights.values():
            weight.requires_grad_()
        table, *network = self._weights.values()
        rate = config.q_learning_rate
        self._optimizer = torch.optim.Adam([{"params": [table], "lr": _TABLE_STEPS * rate}, {"params": network}], rate)
        self._target = {name: weight.detach().clone() for name, weight in self._weights.items()}
        self._tried = np.zeros((layers, layers), dtype=np.int64)
        self._history: list[list[int]] = []
        self._gained: list[float] = []
        self._square = 0.0

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """With probability epsilon the least tried answer, else the best one."""
        values = self._values(state)
        epsilon = exploration(state.decision, state.budget, self._config)
        draw = key.random(state.decision, "agent")
        explored = draw.random() < epsilon
        if explored:
            tried = {answer: int(self._tried[state.layer, answer]) for answer in state.legal}
            choice = draw.choice([answer for answer in state.legal if tried[answer] == min(tried.values())])
        else:
            choice = state.best(values)
        scale = math.sqrt(self._square)
        return state.proposal(choice, q_values=(values * scale).tolist(), explored=explored, epsilon=epsilon)

    def greedy(self, state: AgentState) -> int:
        """The answer of highest value."""
        return state.best(self._values(state))

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """Store the decision and take one step on a batch of all decisions so far."""
        change = self._changes.of(check_reward(transition))
        state, following = transition.state, transition.next_state
        check_layers(self.layers, state)
        self._tried[state.layer, transition.choice] += 1
        now = [state.layer, state.present, _others(state), transition.choice]
        self._history.append([*now, following.layer, following.present, _others(following)])
        self._gained.append(change)
        self._square += (change * change - self._square) / len(self._gained)
        error = change - float(self._values(state)[transition.choice]) * math.sqrt(self._square)
        if self._square == 0:
            return {"td_error": error}
        picked = np.random.default_rng(key.at(state.decision, "learn")).integers(len(self._gained), size=_BATCH)
        history = torch.tensor([self._history[index] for index in picked])
        gained = torch.tensor([self._gained[index] for index in picked]) / math.sqrt(self._square)
        layer, present, others, choice = history[:, :4].unbind(1)
        target = gained.to(torch.float32)
        if self._config.discount > 0:
            target = target + self._config.discount * self._next_values(history[:, 4:])
        value = self._worth(self._weights, layer, choice, others) - self._worth(self._weights, layer, present, others)
        loss = torch.nn.functional.huber_loss(value, target, delta=3.0)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        if len(self._gained) % (2 * (self.layers - 1)) == 0:
            self._target = {name: weight.detach().clone() for name, weight in self._weights.items()}
        return {"td_error": error, "q_loss": float(loss.detach())}

    @torch.no_grad()
    def _next_values(self, following: Tensor) -> Tensor:
        """The copy's value of what looks best next. [batch]"""
        layer, present, others = following.unbind(1)
        answers = torch.arange(self.layers).expand(len(layer), -1)
        shape = answers.shape
        layers, counts = layer[:, None].expand(shape), others[:, None].expand(shape)
        worth = self._worth(self._weights, layers, answers, counts).masked_fill(answers > layers, -math.inf)
        best = worth.argmax(dim=1)
        return self._worth(self._target, layer, best, others) - self._worth(self._target, layer, present, others)

    def _worth(self, weights: dict[str, Tensor], layer: Tensor, answer: Tensor, others: Tensor) -> Tensor:
        """F, in units of the changes' root mean square. Any shape in, the same out."""
        share = others.to(torch.float32) / self.layers
        inputs = torch.cat(
            [torch.nn.functional.one_hot(layer, self.layers), torch.stack([share, share * share], dim=-1)], dim=-1
        )
        hidden = torch.relu(torch.nn.functional.linear(inputs, weights["first.weight"], weights["first.bias"]))
        return weights["table"][layer, answer] + (answer == layer) * (hidden @ weights["second.weight"])

    @torch.no_grad()
    def _values(self, state: AgentState) -> np.ndarray:
        check_layers(self.layers, state)
        answers = torch.arange(state.layer + 1)
        layer, others = torch.full_like(answers, state.layer), torch.full_like(answers, _others(state))
        worth = self._worth(self._weights, layer, answers, others).numpy().astype(np.float64)
        return worth - worth[state.present]

    def contributions(self, state: AgentState) -> dict[str, list[float]]:
        """What the table and the network give to the value of each answer, which is their sum.

        Returns:
            "table" and "number of owners" (the network) -> one number per answer 0 .. layer, in units of reward.
        """
        values, scale = self._values(state) * math.sqrt(self._square), math.sqrt(self._square)
        table = self._weights["table"][state.layer, : state.layer + 1].detach().numpy().astype(np.float64) * scale
        table -= table[state.present]
        return {"table": table.tolist(), "number of owners": (values - table).tolist()}

    def state(self) -> Saved:
        """Weights, their copy, the optimizer's moments and the whole history."""
        tensors = {name: weight.detach().clone() for name, weight in self._weights.items()}
        tensors |= {f"target/{name}": weight.clone() for name, weight in self._target.items()}
        for name, weight in self._weights.items():
            for slot, value in self._optimizer.state.get(weight, {}).items():
                tensors[f"optimizer/{name}/{slot}"] = torch.as_tensor(value).clone()
        tensors["tried"] = torch.from_numpy(self._tried.copy())
        tensors["history"] = torch.tensor(self._history, dtype=torch.int64).reshape(-1, 7)
        tensors["gained"] = torch.tensor(self._gained, dtype=torch.float64)
        values = {"policy": "advantage", "layers": self.layers, "square": self._square}
        return tensors, values | {"changes": self._changes.state()}

    def load(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth or by another policy.
        """
        check_saved("advantage", self.layers, values)
        for name, weight in self._weights.items():
            with torch.no_grad():
                weight.copy_(tensors[name])
            prefix = f"optimizer/{name}/"
            slots = {key.removeprefix(prefix): tensor.clone() for key, tensor in tensors.items() if prefix in key}
            self._optimizer.state.pop(weight, None)
            if slots:
                self._optimizer.state[weight] = slots
        self._target = {name: tensors[f"target/{name}"].clone() for name in self._weights}
        self._tried = tensors["tried"].numpy().copy()
        self._history = tensors["history"].tolist()
        self._gained = tensors["gained"].tolist()
        self._square = values["square"]
        self._changes.load(values["changes"])


def _others(state: AgentState) -> int:
    """Owners besides the layer asked about."""
    return len(state.ties.independent_layers) - (state.present == state.layer)
