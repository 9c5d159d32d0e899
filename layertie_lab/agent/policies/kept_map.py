"""What searches over whole maps have in common: the map they keep, and the change of the reward that they go by."""

from __future__ import annotations

from typing import Any

from ...core.config import AgentConfig
from ..protocol import AgentState, Saved, StatelessPolicy, Tensors, check_layers, check_saved
from ..rewards.signal import Changes


class KeptMap(StatelessPolicy):
    """A policy that keeps a source per layer and goes back to it where another one stands.

    Args:
        layers: Depth L.
        config: Exploration.
        level: Whether rewards say how good things are rather than what changed (negative perplexity).
        detrend: Whether rewards still hold what training gains anyway.
    """

    def __init__(self, layers: int, config: AgentConfig, *, level: bool = False, detrend: bool = True) -> None:
        self.layers = layers
        self._config = config
        self._changes = Changes(level=level, detrend=detrend)
        self._kept: list[int | None] = [None] * layers

    def greedy(self, state: AgentState) -> int:
        """The kept source, or the legal one nearest to it."""
        check_layers(self.layers, state)
        kept = self._kept[state.layer]
        return state.nearest(state.present if kept is None else kept)

    def _saved(self, **own: Any) -> Saved:
        """The kept map, what a policy has besides, and what it knows of changes."""
        values = {"policy": self.description.name, "layers": self.layers, "kept": list(self._kept)}
        return {}, values | own | {"changes": self._changes.state()}

    def load(self, tensors: Tensors, values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved for another depth or by another policy.
        """
        check_saved(self.description.name, self.layers, values)
        self._kept = list(values["kept"])
        self._changes.load(values["changes"])
