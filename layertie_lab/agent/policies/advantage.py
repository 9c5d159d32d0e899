"""Q-learning in advantage form, with replay of the whole history."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.config import AgentConfig
from ...core.decisions import Proposal
from ...core.keys import RunKey
from ..descriptions import PolicyDescription
from ..protocol import AgentState, Saved, Transition, check_layers, check_reward, check_saved
from ..rewards.signal import Changes
from ..schedule import exploration
from .networks import AdvantageNetwork, load_optimizer, optimizer_state

_BATCH = 64
_HIDDEN = 32
# The table's entries are seldom drawn and independent of one another: they take larger steps than the network.
_TABLE_STEPS = 20.0
_STREAM = 0xAD7A


class AdvantageLearner:
    """Q(layer, a) = F(layer, a) - F(layer, present source), so that keeping the present tie is worth exactly 0.

    F is a table over (layer, source) plus, for the layer itself as the action, a small network of the layer and of the
    number of other owners. Learned from changes divided by their root mean square; the whole history is replayed, one
    step of Adam on a batch of 64 per decision. Explores with probability epsilon (linear over `explore_share` of the
    budget) by the least tried legal action. With a discount, targets come from a copy, renewed each second sweep, at
    the action that looks best now (double Q-learning).

    Args:
        layers: Depth L.
        config: Exploration, discount and learning rate.
        key: Of the run; initial weights are drawn from it.
        level: Whether rewards say how good things are rather than what changed (negative perplexity).
        detrend: Whether rewards still hold what training gains anyway.
    """

    description = PolicyDescription(
        "lab",
        "Lab agent (advantage)",
        about="Q-learning in which keeping the present tie is worth 0.",
        unit="units of reward",
        meaning="the change of reward that the action brings; 0 = keep the present tie",
        reads="a table of layer and action, and a network of the number of owners",
        values="changes",
        draws=True,
        learning={"td_error": "temporal-difference error"},
    )

    def __init__(
        self,
        layers: int,
        config: AgentConfig,
        key: RunKey,
        *,
        level: bool = False,
        detrend: bool = True,
    ) -> None:
        self.layers = layers
        self._config = config
        self._changes = Changes(level=level, detrend=detrend)
        generator = torch.Generator().manual_seed(key.at(0, "init") ^ _STREAM)
        self.network = AdvantageNetwork(layers, _HIDDEN, generator)
        table, *network = self.network.parameters()
        rate = config.q_learning_rate
        self._optimizer = torch.optim.Adam([{"params": [table], "lr": _TABLE_STEPS * rate}, {"params": network}], rate)
        self._target = copy.deepcopy(self.network)
        self._tried = np.zeros((layers, layers), dtype=np.int64)
        self._history: list[list[int]] = []
        self._gained: list[float] = []
        self._square = 0.0

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """With probability epsilon the least tried action, else the best one."""
        values = self._values(state)
        epsilon = exploration(state.decision, state.budget, self._config)
        draw = key.random(state.decision, "agent")
        explored = draw.random() < epsilon
        if explored:
            tried = {action: int(self._tried[state.layer, action]) for action in state.legal}
            choice = draw.choice([action for action in state.legal if tried[action] == min(tried.values())])
        else:
            choice = state.best(values)
        scale = math.sqrt(self._square)
        return state.proposal(choice, q_values=(values * scale).tolist(), explored=explored, epsilon=epsilon)

    def greedy(self, state: AgentState) -> int:
        """The action of highest value."""
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
        value = self.network(layer, choice, others) - self.network(layer, present, others)
        loss = torch.nn.functional.huber_loss(value, target, delta=3.0)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        if len(self._gained) % (2 * (self.layers - 1)) == 0:
            self._target.load_state_dict(self.network.state_dict())
        return {"td_error": error, "q_loss": float(loss.detach())}

    @torch.no_grad()
    def _next_values(self, following: Tensor) -> Tensor:
        """The copy's value of what looks best next. [batch]"""
        layer, present, others = following.unbind(1)
        actions = torch.arange(self.layers).expand(len(layer), -1)
        shape = actions.shape
        layers, counts = layer[:, None].expand(shape), others[:, None].expand(shape)
        worth = self.network(layers, actions, counts).masked_fill(actions > layers, -math.inf)
        best = worth.argmax(dim=1)
        return self._target(layer, best, others) - self._target(layer, present, others)

    @torch.no_grad()
    def _values(self, state: AgentState) -> np.ndarray:
        check_layers(self.layers, state)
        actions = torch.arange(state.layer + 1)
        layer, others = torch.full_like(actions, state.layer), torch.full_like(actions, _others(state))
        worth = self.network(layer, actions, others).numpy().astype(np.float64)
        return worth - worth[state.present]

    def contributions(self, state: AgentState) -> dict[str, list[float]]:
        """What the table and the network give to the value of each action, which is their sum.

        Returns:
            "table" and "number of owners" (the network) -> one number per action 0 .. layer, in units of reward.
        """
        values, scale = self._values(state) * math.sqrt(self._square), math.sqrt(self._square)
        table = self.network.table[state.layer, : state.layer + 1].detach().numpy().astype(np.float64) * scale
        table -= table[state.present]
        return {"table": table.tolist(), "number of owners": (values - table).tolist()}

    def state(self) -> Saved:
        """Weights, their copy, the optimizer's state and the whole history."""
        tensors = {name: weight.clone() for name, weight in self.network.state_dict().items()}
        tensors |= {f"target/{name}": weight.clone() for name, weight in self._target.state_dict().items()}
        kept = optimizer_state(self.network, self._optimizer)
        tensors |= {f"optimizer/{name}": value for name, value in kept.items()}
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
        for prefix, network in (("", self.network), ("target/", self._target)):
            # Version 0.1.0 kept `second.weight` as a vector.
            shaped = {name: tensors[prefix + name].view_as(p) for name, p in network.named_parameters()}
            network.load_state_dict(shaped)
        kept = {name.removeprefix("optimizer/"): value for name, value in tensors.items() if "optimizer/" in name}
        load_optimizer(self.network, self._optimizer, kept)
        self._tried = tensors["tried"].numpy().copy()
        self._history = tensors["history"].tolist()
        self._gained = tensors["gained"].tolist()
        self._square = values["square"]
        self._changes.load(values["changes"])


def _others(state: AgentState) -> int:
    """Owners besides the layer asked about."""
    return len(state.ties.independent_layers) - (state.present == state.layer)
