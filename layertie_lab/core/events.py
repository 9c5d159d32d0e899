"""The facts of a run, one dataclass per kind of line in `events.jsonl`.

Events hold nothing that depends on the clock or the machine, so that two equal runs write equal files, byte for byte.
Times, memory and process facts are telemetry (`telemetry.jsonl`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from .decisions import Decision, Outcome
from .errors import RecordError
from .plain import of_type, parse_line

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True)
class Event:
    """Base of all events.

    Args:
        step: Optimizer steps done so far.
        decision: Decisions begun so far (the decision under way, counted from 1; 0 before the first).
    """

    event: ClassVar[str] = ""
    step: int
    decision: int

    def to_json(self) -> str:
        """One line of JSON, keys in declaration order, without the newline.

        Raises:
            ValueError: A number that is not finite (JSON has none).
        """
        # Not asdict: it copies every list, and this runs at each optimizer step.
        return _ENCODER.encode({"event": self.event} | self.__dict__)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, with the kind under "event"."""
        return {"event": self.event} | asdict(self)


@dataclass(frozen=True)
class Opened(Event):
    """The run has begun.

    Args:
        config_hash: `RunConfig.hash`.
        ties: The tie map at the start.
        blocks: The true sharing at the start (see `Outcome.blocks`).
        untied_parameters: Parameters of the same model with every layer independent.
        trainable_parameters: As in `Outcome`, at the start.
        claimed_parameters: As in `Outcome`, at the start.
        vocabulary_size: Number of tokens.
        unigram_entropy: Cross-entropy of the validation split under the training split's token frequencies (add-one
            smoothed), nats per token: what a model without context reaches.
        bytes_per_token: UTF-8 bytes per token of the validation split.
        split_tokens: Tokens per split.
        corpus: What was read, in words, with the part each split came from.
    """

    event: ClassVar[str] = "opened"
    config_hash: str
    ties: list[int]
    blocks: list[int]
    untied_parameters: int
    trainable_parameters: int
    claimed_parameters: int
    vocabulary_size: int
    unigram_entropy: float
    bytes_per_token: float
    split_tokens: dict[str, int]
    corpus: str


@dataclass(frozen=True)
class DecisionMade(Event):
    """An action was committed; its steps follow. Flushed to disk before they begin.

    Fields as in `Proposal` and `Decision`.
    """

    event: ClassVar[str] = "decided"
    episode: int
    layer: int
    legal: list[int]
    present: int
    proposed: int
    q_values: list[float] | None
    explored: bool
    epsilon: float | None
    choice: int
    by: str
    q_deviations: list[float] | None = None

    @classmethod
    def of(cls, decision: Decision) -> DecisionMade:
        """The event of a decision."""
        p = decision.proposal
        return cls(
            step=decision.step,
            decision=p.decision,
            episode=p.episode,
            layer=p.layer,
            legal=list(p.legal),
            present=p.present,
            proposed=p.choice,
            q_values=None if p.q_values is None else list(p.q_values),
            explored=p.explored,
            epsilon=p.epsilon,
            choice=decision.choice,
            by=decision.by,
            q_deviations=None if p.q_deviations is None else list(p.q_deviations),
        )


@dataclass(frozen=True)
class RulesChanged(Event):
    """Other rules stand from the next decision on.

    Args:
        rules: As `core.rules.Rules.parse` reads them; "" for none.
    """

    event: ClassVar[str] = "ruled"
    rules: str


@dataclass(frozen=True)
class Stepped(Event):
    """One optimizer step.

    Args:
        loss: Training loss of the step's batch before the update, nats per token.
        learning_rate: The step's learning rate.
        gradient_norm: Norm of all gradients before clipping.
    """

    event: ClassVar[str] = "stepped"
    loss: float
    learning_rate: float
    gradient_norm: float


@dataclass(frozen=True)
class DecisionFinished(Event):
    """What came of a decision, after its steps (fields as in `Outcome`).

    Args:
        owners: Number of independent layers.
        memory: Bytes by component: parameters, gradients, optimizer, activations (saved for backward, predicted
            from shapes).
    """

    event: ClassVar[str] = "came"
    ties: list[int]
    blocks: list[int]
    owners: int
    reward: float
    reward_loss: float
    train_loss: float
    trainable_parameters: int
    claimed_parameters: int
    memory: dict[str, int] = field(default_factory=dict)
    learning: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, outcome: Outcome, step: int, memory: dict[str, int]) -> DecisionFinished:
        """The event of an outcome."""
        return cls(
            step=step,
            decision=outcome.decision.proposal.decision,
            ties=list(outcome.ties),
            blocks=list(outcome.blocks),
            owners=len(outcome.ties.independent_layers),
            reward=outcome.reward,
            reward_loss=outcome.reward_loss,
            train_loss=outcome.train_loss,
            trainable_parameters=outcome.trainable_parameters,
            claimed_parameters=outcome.claimed_parameters,
            memory=dict(memory),
            learning=dict(outcome.learning),
        )


@dataclass(frozen=True)
class Evaluated(Event):
    """The loss on a split.

    Args:
        split: train, reward, validation or test.
        loss: Mean over the windows' tokens, nats per token.
        standard_error: Of that mean, over windows.
        windows: Sequences evaluated.
    """

    event: ClassVar[str] = "evaluated"
    split: str
    loss: float
    standard_error: float
    windows: int


@dataclass(frozen=True)
class Sampled(Event):
    """Text that the model wrote.

    Args:
        prompt: What it was given.
        text: What it added.
    """

    event: ClassVar[str] = "sampled"
    prompt: str
    text: str


@dataclass(frozen=True)
class Finished(Event):
    """The budget of decisions is spent (a later continuation may follow)."""

    event: ClassVar[str] = "finished"


EVENTS: dict[str, type[Event]] = {
    kind.event: kind
    for kind in (Opened, RulesChanged, DecisionMade, Stepped, DecisionFinished, Evaluated, Sampled, Finished)
}


def parse(line: str | bytes) -> Event:
    """The event that a line of the log holds.

    Raises:
        RecordError: Not JSON, or not an event this version knows.
    """
    try:
        values = parse_line(line)
        values.pop("digest", None)  # of the line, not of the event (`records.io.chain`)
        kind = EVENTS[values.pop("event")]
        return kind(**of_type(values, kind))
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"Expected a line of a run's event log, but got {line[:80]!r} ({error}).",
            "The log may be damaged or written by a newer version.",
        ) from None
