"""The Q-learner of the paper and of the official code."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ...core.config import AgentConfig
from ...core.decisions import Proposal
from ...core.errors import AgentError
from ...core.keys import RunKey
from ..descriptions import PolicyDescription
from ..protocol import AgentState, Saved, Transition, check_layers, check_reward
from .networks import QNetwork, load_optimizer, optimizer_state

# The model's own initial weights come from the unaltered seed.
_STREAM = 0x51A7


class QLearner:
    """One Q-network for all layers, one temporal-difference step per decision.

    State: the tie map as L raw numbers (or scaled, `inputs`). Network: `QNetwork`. No replay, no target network (Hay &
    Wolf, section 3, and the official code).
    Target: reward + discount x max over a slice at the next state: the slice of the layer just acted on
    (`bootstrap="same-layer"`, official code) or of the layer asked next (`"next-layer"`, the text).

    Args:
        layers: Depth L.
        config: Exploration, discount, network and its AdamW settings.
        key: Of the run; initial weights are drawn from it.
        description: Whose it is: the paper's or the official code's.
    """

    def __init__(self, layers: int, config: AgentConfig, key: RunKey, description: PolicyDescription) -> None:
        self.description = description
        self.layers = layers
        self._config = config
        self.network = QNetwork(layers, config.hidden, torch.Generator().manual_seed(key.at(0, "init") ^ _STREAM))
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.q_learning_rate, weight_decay=config.q_weight_decay
        )

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """Epsilon-greedy: with probability epsilon a uniform draw over all legal actions."""
        epsilon = self.epsilon(state.episode)
        values = self.values(state)
        draw = key.random(state.decision, "agent")
        explored = draw.random() < epsilon
        choice = draw.choice(state.legal) if explored else state.best(values)
        return state.proposal(choice, q_values=values, explored=explored, epsilon=epsilon)

    def greedy(self, state: AgentState) -> int:
        """The action of highest value."""
        return state.best(self.values(state))

    def learn(self, transition: Transition, key: RunKey) -> dict[str, float]:
        """One step of AdamW on the squared temporal-difference error of the action that was committed."""
        reward = check_reward(transition)
        state, following = transition.state, transition.next_state
        check_layers(self.layers, state)
        layer = state.layer if self._config.bootstrap == "same-layer" else following.layer
        with torch.no_grad():
            ahead = self._slice(following, layer)
            # What the rules forbid cannot be looked forward to.
            allowed = list(following.legal) if layer == following.layer else list(range(layer + 1))
            target = reward + self._config.discount * ahead[allowed].max()
        value = self._slice(state, state.layer)[transition.choice]
        error = target - value
        loss = error.square()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        found = {"td_error": float(error.detach()), "q_loss": float(loss.detach())}
        if not all(map(math.isfinite, found.values())):
            raise AgentError(
                f"Expected a finite temporal-difference error at decision {state.decision}, but got "
                f"{found['td_error']} (reward {reward}).",
                "Clip the reward, or lower q_learning_rate.",
            )
        return found

    def epsilon(self, episode: int) -> float:
        """Probability of a random action in an episode, counted from 1."""
        config = self._config
        return max(config.epsilon_floor, config.epsilon_start * config.epsilon_decay ** (episode - 1))

    @torch.no_grad()
    def values(self, state: AgentState) -> list[float]:
        """The value of each action 0 .. layer."""
        check_layers(self.layers, state)
        return self._slice(state, state.layer).tolist()

    def inputs(self, state: AgentState) -> Tensor:
        """[L] what the network reads: the sources of the tie map, as they are or divided by L - 1; all tied is 0."""
        scale = 1.0 if self._config.inputs == "raw" else 1 / (self.layers - 1)
        return torch.tensor([source * scale for source in state.ties])

    def action_values(self, inputs: Tensor, layer: int) -> Tensor:
        """[..., layer + 1] the network's values of a layer's actions, from [..., L] inputs."""
        return self.network(inputs, layer)

    def _slice(self, state: AgentState, layer: int) -> Tensor:
        return self.action_values(self.inputs(state), layer)

    def state(self) -> Saved:
        """Weights and the optimizer's state."""
        tensors = {name: value.clone() for name, value in self.network.state_dict().items()}
        tensors |= optimizer_state(self.network, self._optimizer)
        return tensors, {"policy": "q-learner", "layers": self.layers}

    def load(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth, another width or by another policy.
        """
        for name, parameter in self.network.named_parameters():
            if name not in tensors or tensors[name].shape != parameter.shape:
                found = tuple(tensors[name].shape) if name in tensors else "nothing"
                raise AgentError(
                    f"Expected {name} of the Q-network to have shape {tuple(parameter.shape)}, but found {found}.",
                    "The checkpoint belongs to another depth, another agent.hidden or another policy.",
                )
        self.network.load_state_dict({name: tensors[name] for name in self.network.state_dict()})
        load_optimizer(self.network, self._optimizer, tensors)
