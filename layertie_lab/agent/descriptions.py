"""What a policy and a reward say of themselves, for help, forms, charts, reasons and checks to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..core.descriptions import Description


@dataclass(frozen=True)
class PolicyDescription(Description):
    """What a policy says of itself; `unit` and `meaning` are those of its values, `reads` what these depend on.

    Args:
        values: What its values are about. changes: the change that the action itself brings, keeping the present tie
            being worth 0. returns: the discounted sum of the rewards that follow. none: it has no values.
        draws: Whether it acts at random with a probability, epsilon, that falls as the run goes on.
        looks_ahead: Whether it trains every legal action ahead before it proposes (`AgentState.lookahead`).
        reads_evidence: Whether it reads what the run measures of ties (`AgentState.tie_costs`, `agreement`).
        starts: The map that its run begins with.
        by_hand: Whether a person is expected to act.
        learning: What it reports of an update (`Policy.learn`) -> what that is in words, in units of reward; what is
            left out is about its fit as a whole.
    """

    values: Literal["none", "changes", "returns"] = "none"
    draws: bool = False
    looks_ahead: bool = False
    reads_evidence: bool = False
    starts: Literal["tied", "independent"] = "tied"
    by_hand: bool = False
    learning: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RewardDescription(Description):
    """What a reward says of itself; `about` is its formula in words.

    Args:
        level: Whether it says how good the model is, rather than what the decision changed.
        detrended: Whether what training gains anyway has been taken off.
    """

    level: bool = False
    detrended: bool = False

    @property
    def axis(self) -> str:
        """The title of an axis, which may not be longer than the axis."""
        return f"reward ({self.unit or self.title})"
