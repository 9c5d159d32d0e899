"""Where a run stands, as one value: what its machinery does not hold itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..agent.protocol import AgentState
from ..core.config import RunConfig
from ..core.decisions import Decision, Proposal
from ..core.keys import Purpose, RunKey
from ..core.rules import Rules
from ..core.ties import TieMap
from .components import Components


@dataclass
class RunState:
    """A run between two optimizer steps. The functions of this room take it, and change nothing else of a run.

    Args:
        components: Text, model, optimizer, agent, reward, which change in place as the run goes on.
        rules: Rules that hold, which the agent and whoever acts in its place see.
        step: Optimizer steps done.
        decision: Decisions begun.
        proposal: The open proposal; None until it is asked for.
        pending: The decision under way; None between two decisions.
        asked: What the agent was asked for the open proposal or the decision under way.
        losses: Of the steps of the decision under way, nats per token.
        best: Lowest scheduled loss so far, by split, nats per token.
        evaluated: The decision of the last scheduled evaluation since this state was made; -1 before one.
        best_is_due: Whether the best model is still to be written.
        to_be_kept: Whether something of what the last outcome calls for is: a disk refused it.
    """

    components: Components
    rules: Rules
    step: int = 0
    decision: int = 0
    proposal: Proposal | None = None
    pending: Decision | None = None
    asked: AgentState | None = None
    losses: list[float] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    evaluated: int = -1
    best_is_due: bool = False
    to_be_kept: bool = False

    @classmethod
    def start(cls, components: Components) -> RunState:
        """Of a run that begins.

        Raises:
            LayertieError: Rules that the first map cannot keep.
        """
        state = cls(components, Rules.parse(components.config.ties.rules))
        state.rules.check(state.ties)
        return state

    def fork(self, replicate: int | None = None, *, proposed: bool = False) -> RunState:
        """A copy that goes on alone.

        Args:
            replicate: Whose random numbers it draws (`Components.fork`); None = its own.
            proposed: Whether the open proposal stands in the copy; else its agent is asked again, under its own key.

        Raises:
            ConfigError: As in `Components.fork`.
        """
        return replace(
            self,
            components=self.components.fork(replicate),
            proposal=self.proposal if proposed else None,
            losses=list(self.losses),
            best=dict(self.best),
            evaluated=-1,
            best_is_due=False,
            to_be_kept=False,
        )

    @property
    def config(self) -> RunConfig:
        """The run's settings."""
        return self.components.config

    @property
    def key(self) -> RunKey:
        """The key of all its random draws."""
        return self.components.key

    @property
    def ties(self) -> TieMap:
        """The tie map: the agent's state."""
        return self.components.model.stack.ties

    @property
    def blocks(self) -> TieMap:
        """The true sharing: for each layer the first layer with the same storage."""
        return self.components.model.stack.blocks

    @property
    def phase(self) -> str:
        """What comes next: "propose" (an action is awaited) or "training" (a decision is under way)."""
        return "propose" if self.pending is None else "training"

    @property
    def pending_steps(self) -> int:
        """Optimizer steps left of the decision under way."""
        return 0 if self.pending is None else self.config.training.steps_per_decision - len(self.losses)

    @property
    def finished(self) -> bool:
        """Whether the budget of decisions is spent (a person may still go on)."""
        return self.pending is None and self.decision >= self.config.decisions

    @property
    def streams(self) -> dict[Purpose, int]:
        """Where each random stream is: purpose -> the counter that its next draw is keyed with (`RunKey.at`).

        All of them follow from step and decision, so that nothing can fall out of step; "data" counts batches, from
        which its epoch follows. What a run draws for `init` it draws before its first step.
        """
        under_way = self.decision if self.pending is not None else self.decision + 1
        return {
            "data": self.step * self.config.training.accumulate,
            "dropout": self.step,
            "sample": self.step,
            "agent": self.decision + 1,
            "learn": under_way,
            "reward": under_way,
        }
