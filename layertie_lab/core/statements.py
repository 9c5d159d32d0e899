"""What a person states before twins run: a hypothesis and how it will be tested, as plain values."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, NamedTuple, get_args

from .errors import ConfigError

After = Literal["hold", "continue", "continue-locked", "recorded"]
"""What happens after the fork. hold: the map stays, there are no further decisions. continue: the agent goes on in both
branches. continue-locked: it goes on, but the layer that was answered keeps its source (it may still follow when its
source is re-tied; with ties.chain=snapshot it takes its source's block anew when its turn comes, as any answer does).
recorded: a given list of answers, the same in both branches."""

Expected = Literal["better", "worse", "no difference that matters"]

LEAST_WINDOWS = 512
"""Fewer evaluation windows let the evaluation's own error drown a tie's effect of some thousandths of a nat."""


class Metric(NamedTuple):
    """What two branches are compared by.

    Args:
        label: In words.
        unit: "" for a pure number.
        lower_is_better: Whether less of it is better.
    """

    label: str
    unit: str
    lower_is_better: bool = True


METRICS: dict[str, Metric] = {
    "last": Metric("held-out loss", "nats"),
    "last-five": Metric("held-out loss, mean of the last five evaluations", "nats"),
    "averaged": Metric("held-out loss of the weights averaged along the branch", "nats"),
    "perplexity": Metric("perplexity", ""),
    "train-loss": Metric("training loss, mean of the last steps", "nats"),
    "probe": Metric("loss on the probe's text", "nats"),
    "trainable_parameters": Metric("trainable parameters", "parameters"),
    "memory": Metric("predicted memory of a training step", "bytes"),
}
"""last: held-out loss of the last weights. last-five: its mean over the last five evaluations after the fork (all,
where there are fewer). averaged: held-out loss of the weights averaged along the branch, which answers another
question: what the branch's path is worth, not its end. perplexity: exp of last. train-loss: mean over the last
steps_per_decision batches. probe: mean loss over a text that the person gave."""


TWIN_TABLES: dict[str, list[str]] = {
    "twin_curves": ["replicate", "steps", "branch", "loss"],
    "twin_differences": ["replicate", "steps", "difference"],
    "twin_curve": ["steps", "value", "low", "high", "count"],
    "twin_values": ["replicate", "order", "difference", "mean"],
    "twin_looks": ["order", "value", "low", "high"],
}
"""Table of a study -> its columns. Losses in nats per token; steps count optimizer steps after the fork; order counts
the study's replicates from 1; value is a mean, low and high the ends of its interval."""


@dataclass(frozen=True)
class Statement:
    """A hypothesis about one decision, and all that its test needs; written down before the first replicate starts.

    Args:
        statement: In the person's words; "" only for exploratory comparisons.
        decision: Which decision is answered in two ways, counted from 1.
        layer: The layer it is about.
        step: Optimizer steps done at the fork.
        proposed: The one answer: as a rule the agent's.
        answered: The other one.
        config_hash: Of the run's settings.
        expected: What the answered branch is expected to be, against the proposed one.
        primary: False for an exploratory comparison.
        metric: A key of `METRICS`.
        horizon: Optimizer steps after the fork at which it is compared, at least 1.
        smallest_difference: Half the equivalence band, in the metric's unit.
        looks: The plan of looks as plain values (`counterfactual.interim.plan_from`).
        replicates: At most so many: the plan's last look.
        after: What happens after the fork.
        answers: With after="recorded": the answers that follow.
        marks: Steps after the fork at which both are evaluated; empty = ten, evenly spread.
        windows: Held-out sequences per evaluation that counts.
        split: Which held-out text.
        decay: Of the average of the weights.
        probe: With metric="probe": its text.
        first_replicate: Number of the first replicate; no two studies of a run share one.
        seed: The run's seed.
        threads: CPU threads of each process.
        steps_per_decision: k, the agent's own reward window.

    Raises:
        ConfigError: A value out of range.
    """

    statement: str
    decision: int
    layer: int
    step: int
    proposed: int
    answered: int
    config_hash: str
    expected: Expected = "worse"
    primary: bool = True
    metric: str = "last"
    horizon: int = 100
    smallest_difference: float = 0.003
    looks: dict[str, Any] = field(default_factory=dict)
    replicates: int = 16
    after: After = "continue-locked"
    answers: tuple[int, ...] | None = None
    marks: tuple[int, ...] = ()
    windows: int = LEAST_WINDOWS
    split: str = "validation"
    decay: float = 0.95
    probe: str = ""
    first_replicate: int = 1
    seed: int = 0
    threads: int = 1
    steps_per_decision: int = 0

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ConfigError(
                f"Expected a metric out of {', '.join(METRICS)}, but got {self.metric!r}.", "Use last, the default."
            )
        if self.expected not in get_args(Expected):
            raise ConfigError(
                f"Expected the expectation to be one of {', '.join(get_args(Expected))}, but got {self.expected!r}.",
                "Choose one of them.",
            )
        if self.primary and not self.statement.strip():
            raise ConfigError(
                "Expected a hypothesis in a sentence, but got none.", "Write one, or make the comparison exploratory."
            )
        if self.metric == "probe" and not self.probe.strip():
            raise ConfigError("Expected a text for the probe, but got none.", "Give a few sentences.")
        if self.replicates < 2:
            raise ConfigError(
                f"Expected at least 2 replicates, but got {self.replicates}: an estimate without an interval is no "
                "verdict.",
                "Use 4, 8 and 16, the default.",
            )
        if self.threads < 1:
            raise ConfigError(f"Expected at least 1 thread, but got {self.threads}.", "1 is the usual number.")
        if not self.smallest_difference >= 0 or self.smallest_difference == float("inf"):
            raise ConfigError(
                f"Expected a smallest difference of 0 or more, but got {self.smallest_difference!r}.", "Use .003."
            )
        if self.proposed == self.answered and self.primary:
            raise ConfigError(
                f"Expected two different answers, but both are {self.answered}.",
                "Equal answers give equal futures, bit for bit: choose another answer.",
            )

    @property
    def is_pilot(self) -> bool:
        """Whether it only asks for the spread, before another study (its statement begins with "Pilot")."""
        return not self.primary and self.statement.startswith("Pilot")

    @property
    def numbers(self) -> range:
        """The numbers of its replicates."""
        return range(self.first_replicate, self.first_replicate + self.replicates)

    @property
    def hash(self) -> str:
        """Digest of all of it, as hexadecimal digits."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Statement:
        """The reverse of `to_dict`.

        Raises:
            ConfigError: Missing or unknown names, or a value out of range.
        """
        known = {entry.name for entry in fields(cls)}
        if unknown := set(values) - known:
            raise ConfigError(
                f"Expected the fields of a statement, but got {', '.join(sorted(unknown))} too.",
                "It may come from a newer version: update layertie_lab.",
            )
        clean = dict(values)
        for name in ("answers", "marks"):
            if clean.get(name) is not None:
                clean[name] = tuple(clean[name])
        try:
            return cls(**clean)
        except TypeError as error:
            raise ConfigError(f"Expected a whole statement, but {error}.", "Read it as it was written.") from None
