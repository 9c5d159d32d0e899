"""Layer tying as a Gymnasium environment, over a session or a synthetic run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import gymnasium
import numpy as np
from gymnasium import spaces

from ..core.decisions import Outcome, Proposal
from ..core.errors import AgentError
from ..core.keys import RunKey
from ..core.ties import TieMap
from .observation import legal_mask, observation_size, observe
from .synthetic.landscapes import make_landscape
from .synthetic.run import SyntheticRun


class SessionLike(Protocol):
    """What the environment needs of a run."""

    @property
    def ties(self) -> TieMap:
        """The tie map as it stands."""
        ...

    def propose(self) -> Proposal:
        """The next question (and somebody's action, which is ignored)."""
        ...

    def commit(self, choice: int, by: str = "human") -> Outcome:
        """Act, train, measure."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


class LayerTyingEnv(gymnasium.Env[np.ndarray, np.int64]):
    """Say, layer by layer, whether it trains on its own or copies an earlier layer.

    ## Action Space
    `Discrete(L)`: the source of the layer asked about. An action a below the layer ties it to layer a, the layer's own
    number trains it on its own, and those above are illegal: `info["action_mask"]` (int8, as `Discrete.sample` takes
    it) and `action_masks()` (bool, as MaskablePPO takes it) say which. An illegal action keeps the present tie and is
    reported by `info["illegal"]`; with `strict` it is refused.

    ## Observation Space
    `Box(0, 1, (4 L + 2,), float32)`, see `observation.observe`.

    ## Rewards
    The run's own (`RewardConfig`), for example the improvement of held-out loss in nats per token.

    ## Starting State
    A new run from `make(seed)`, the seed drawn from the environment's generator.

    ## Episode End
    Truncated when the budget of decisions is spent; never terminated. One episode here is one run, not one sweep over
    the layers.

    A loop in the manner of CleanRL:

        env = LayerTyingEnv.synthetic("B", layers=6)
        seen, info = env.reset(seed=0)
        done = False
        while not done:
            action = agent.act(seen, info["action_mask"])
            following, reward, terminated, done, info = env.step(action)
            agent.store(seen, action, reward, following, terminated)
            agent.learn()
            seen = following

    Args:
        make: Seed -> a run that has not begun.
        layers: Depth L of its model.
        decisions: Length of an episode; schedules and the observation's clock follow it.
        strict: Whether to refuse illegal actions rather than to keep the present tie.
    """

    metadata = {"render_modes": []}

    def __init__(
        self, make: Callable[[int], SessionLike], layers: int, decisions: int, *, strict: bool = False
    ) -> None:
        self.action_space = spaces.Discrete(layers)
        self.observation_space = spaces.Box(0.0, 1.0, (observation_size(layers),), np.float32)
        self.decisions = decisions
        self.strict = strict
        self._make = make
        self._layers = layers
        self._session: SessionLike | None = None
        self._done = 0

    @classmethod
    def synthetic(
        cls, landscape: str = "B", *, layers: int = 6, decisions: int = 60, seed: int = 0, strict: bool = False
    ) -> LayerTyingEnv:
        """Over a landscape with a known best map.

        Args:
            landscape: One of `landscapes.LANDSCAPES`.
            layers: Depth L.
            decisions: Length of an episode.
            seed: Of the landscape, which stays the same over episodes.
            strict: As for the environment.
        """
        chosen = make_landscape(landscape, layers, seed)
        return cls(
            lambda key: SyntheticRun(chosen, key=RunKey(key), budget=decisions), layers, decisions, strict=strict
        )

    @property
    def session(self) -> SessionLike:
        """The run under way.

        Raises:
            AgentError: There is none yet.
        """
        if self._session is None:
            raise AgentError("Expected a run under way, but the environment was not reset.", "Call reset() first.")
        return self._session

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin a new run."""
        super().reset(seed=seed)
        self.close()
        self._session = self._make(int(self.np_random.integers(2**31)))
        self._done = 0
        return self._seen(), self._info()

    def step(self, action: np.int64 | int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Commit an action and go on to the next layer.

        Raises:
            AgentError: The action is illegal and the environment is strict, or the episode is over.
        """
        session = self.session
        if self._done >= self.decisions:
            raise AgentError(
                f"Expected at most {self.decisions} steps in an episode, but one more was asked for.",
                "Call reset() when an episode is truncated.",
            )
        proposal = session.propose()
        choice, illegal = int(action), int(action) not in proposal.legal
        if illegal:
            if self.strict:
                raise AgentError(
                    f"Expected an action out of {list(proposal.legal)} for layer {proposal.layer}, but got {action}.",
                    'Choose among the actions that info["action_mask"] allows.',
                )
            choice = proposal.present if proposal.present in proposal.legal else proposal.choice
        outcome = session.commit(choice, by="environment")
        self._done += 1
        info = self._info() | {"illegal": illegal, "answer": choice}
        return self._seen(), float(outcome.reward), False, self._done >= self.decisions, info

    def action_masks(self) -> np.ndarray:
        """Which actions are legal now, bool [L]."""
        return legal_mask(self.session.propose().legal, self._layers)

    def close(self) -> None:
        """Release the run under way."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _seen(self) -> np.ndarray:
        proposal = self.session.propose()
        return observe(self.session.ties, proposal.layer, self._done + 1, self.decisions)

    def _info(self) -> dict[str, Any]:
        proposal = self.session.propose()
        return {
            "action_mask": self.action_masks().astype(np.int8),
            "layer": proposal.layer,
            "present": proposal.present,
            "decision": proposal.decision,
            "owners": len(self.session.ties.independent_layers),
        }
