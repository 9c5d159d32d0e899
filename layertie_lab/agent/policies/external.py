"""Any object that predicts actions, in the manner of Stable-Baselines3, as a policy."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ...core.decisions import Proposal
from ...core.errors import AgentError
from ...core.keys import RunKey
from ..descriptions import PolicyDescription
from ..observation import legal_mask, observe
from ..protocol import AgentState, StatelessPolicy, legal_action


class ExternalPolicy(StatelessPolicy):
    """Asks `model.predict(observation, deterministic=True)`; it is not trained any further.

    Args:
        model: Has `predict`, which returns an action or a tuple that begins with one. If `predict` takes
            `action_masks` (MaskablePPO), it gets the mask of legal actions; else an illegal action is refused.
        name: Under which name it goes.

    Raises:
        AgentError: The object has no `predict`.
    """

    def __init__(self, model: Any, name: str = "external") -> None:
        if not callable(getattr(model, "predict", None)):
            raise AgentError(
                f"Expected an object with a predict method, but got {type(model).__name__}.",
                "Hand in a model of Stable-Baselines3, or give your object predict(observation, deterministic).",
            )
        self.description = PolicyDescription(
            name, name, about=f"A trained {type(model).__name__} that predicts actions.", reads="a model from outside"
        )
        self._model = model
        self._masks = "action_masks" in inspect.signature(model.predict).parameters

    def propose(self, state: AgentState, key: RunKey) -> Proposal:
        """The model's action."""
        return state.proposal(self.greedy(state))

    def greedy(self, state: AgentState) -> int:
        """The model's action.

        Raises:
            AgentError: It is not a legal action, or the model was trained on observations of another depth.
        """
        layers = len(state.ties)
        masks = {"action_masks": legal_mask(state.legal, layers)} if self._masks else {}
        seen = observe(state.ties, state.layer, state.decision, state.budget)
        shape = getattr(getattr(self._model, "observation_space", None), "shape", None)
        if shape is not None and tuple(shape) != seen.shape:
            raise AgentError(
                f"Expected observations of {' x '.join(map(str, shape))} numbers, on which the model was trained, but "
                f"got {len(seen)}, of {layers} layers.",
                "Use a model that was trained in an environment of this depth.",
            )
        predicted = self._model.predict(seen, deterministic=True, **masks)
        action = np.asarray(predicted[0] if isinstance(predicted, tuple) else predicted)
        if action.size != 1:
            raise AgentError(
                f"Expected one action from the model, but got {action.size} of them.",
                "The model must act in one environment with the actions Discrete(layers).",
            )
        return legal_action(action.item(), state)
