"""What the lab agent is to reach: how many owners, and why so many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...core.config import RunConfig
from ...core.errors import ConfigError
from .recorded import MapWorth

TRADE = 0.01
"""Loss that is given up for fewer parameters where nobody names a goal, nats per token."""


@dataclass(frozen=True)
class Goal:
    """At most one of the three is above 0.

    Args:
        owners: Independent layers.
        parameters: Trainable parameters as a share of the untied model's, at most.
        price: Of the untied model's full number of parameters, nats per token.
    """

    owners: int = 0
    parameters: float = 0.0
    price: float = 0.0

    @classmethod
    def of(cls, config: RunConfig) -> Goal:
        """As a run's settings say."""
        return cls(config.agent.owners, config.agent.parameters, config.reward.price)

    def chosen(self, layers: int, share: Callable[[int], float], worth: MapWorth | None) -> tuple[int, str]:
        """The number of owners to aim at, and a sentence that says why.

        Args:
            layers: Depth L.
            share: Number of owners -> trainable parameters as a share of the untied model's.
            worth: What maps are worth; None where nothing is known.

        Raises:
            ConfigError: One owner is more than the parameters allow.
        """
        if self.owners:
            return self.owners, f"It aims at {_owners(self.owners)}, as agent.owners says."
        counts = range(1, layers + 1)
        if self.parameters:
            within = [count for count in counts if share(count) <= self.parameters]
            if not within:
                raise ConfigError(
                    f"Expected agent.parameters to be at least {share(1):.3f}, the share of a model with one owner, "
                    f"but got {self.parameters:g}.",
                    "Raise it: what is outside the layers cannot be tied.",
                )
            most = within[-1]
            return most, (
                f"It aims at {_owners(most)}, {share(most):.0%} of the untied model's parameters: the most within "
                f"agent.parameters={self.parameters:g}."
            )
        if worth is None:
            third = max(1, layers // 3)
            return third, f"It aims at {_owners(third)}, a third of the layers: it knows no price and has no prior."
        excess = {count: worth.excess(worth.best(layers, count)) for count in counts}
        if self.price:
            cheapest = min(counts, key=lambda count: excess[count][0] + self.price * share(count))
            return cheapest, (
                f"It aims at {_owners(cheapest)}, {share(cheapest):.0%} of the untied model's parameters, where loss "
                f"and parameters at {self.price:g} nats for all of them are predicted to cost least "
                f"({_predicted(excess[cheapest])})."
            )
        fewest = next(count for count in counts if excess[count][0] <= TRADE)
        return fewest, (
            f"It aims at {_owners(fewest)}, {share(fewest):.0%} of the untied model's parameters: the fewest that are "
            f"predicted to lose no more than {TRADE:g} nats per token against every layer on its own "
            f"({_predicted(excess[fewest])}). No goal was given."
        )


def _owners(count: int) -> str:
    return "1 owner" if count == 1 else f"{count} owners"


def signed(value: float, decimals: int) -> str:
    """A difference with its sign; one that rounds to zero has none."""
    words = f"{value:+.{decimals}f}"
    return words if float(words) else words[1:]


def _predicted(excess: tuple[float, float]) -> str:
    return f"recorded runs: {signed(excess[0], 4)}, standard deviation {excess[1]:.4f}"
