"""The fields of a study, each declared once: its default, its range beside it, and its help in the sentence under it.

`TwinPlan` is what one pair of branches needs, `StudyChoices` what a person chooses besides (the command line's flags
and the explorer's form are made of both), `StudySpec` the whole, with what the run says of the moment.
`StudySpec.to_dict` is what lies on disk: the names there are those of the fields, but for the plan of interim analyses
("looks", "replicates").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

from ..core.errors import ConfigError
from ..core.ranges import Range
from ..core.serialize import check_ranges, coerce, settings_of
from ..records.studies import numbers_of
from .interim import GroupSequential, Plan, plan_from, plan_values

LEAST_WINDOWS = 512
"""Fewer evaluation windows let the evaluation's own error drown a tie's effect of some thousandths of a nat."""
MARKS = 10
"""Evaluations after the fork, where a plan names none."""

After = Literal["continue-locked", "continue", "hold", "recorded"]
AFTERWARDS: dict[After, str] = {
    "continue-locked": "the agent goes on, with this layer locked",
    "continue": "the agent goes on",
    "hold": "the tie map is held",
    "recorded": "a recorded list of actions follows",
}
"""What happens after the fork. hold: the map stays, there are no further decisions. continue: the agent goes on in both
branches. continue-locked: it goes on, but the layer at hand keeps its source (it may still follow when its source is
re-tied; with ties.chain=snapshot it takes its source's block anew when its turn comes, as any action does). recorded: a
given list of actions, the same in both branches."""

Expected = Literal["worse", "better", "no difference that matters"]


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
where there are fewer). averaged: held-out loss of the weights averaged along the branch, which is another
question: what the branch's path is worth, not its end. perplexity: exp of last. train-loss: mean over the last
steps_per_decision batches. probe: mean loss over a text that the person gave."""


class Label(NamedTuple):
    """What stands before a field in a form.

    Args:
        text: In a person's words.
    """

    text: str


@dataclass(frozen=True)
class TwinPlan:
    """What is asked of a pair of branches.

    Raises:
        ConfigError: A value out of range, an unknown choice, or a list of actions without after=recorded.
    """

    horizon: Annotated[int, Range(1, 1_000_000, unit="optimizer steps"), Label("After how many optimizer steps")] = 100
    """Optimizer steps after the fork at which both are compared."""
    metric: Annotated[str, Label("Compared by")] = "last"
    """What they are compared by: last (held-out loss), last-five, averaged, perplexity, train-loss, probe,
    trainable_parameters, memory."""
    after: Annotated[After, Label("After the fork")] = "continue-locked"
    """What happens after the fork. continue-locked: the agent goes on, but the layer at hand keeps its source.
    continue: the agent goes on. hold: the tie map is held. recorded: a given list of actions, the same in both."""
    answers: Annotated[tuple[int, ...], Label("Actions that follow, in order")] = ()
    """With --after recorded: the actions that follow, one for each decision that begins within the horizon."""
    marks: tuple[int, ...] = ()
    """Steps after the fork at which the curve is drawn, beside 0 and the horizon; default ten, evenly spread."""
    windows: Annotated[int, Range(LEAST_WINDOWS, 1_000_000, unit="sequences")] = LEAST_WINDOWS
    """Held-out sequences of an evaluation that counts (all, where the text has fewer); with less the evaluation's own
    error hides what a single tie does."""
    split: Literal["validation", "reward", "test"] = "validation"
    """Which held-out text."""
    decay: Annotated[float, Range(0, below=1)] = 0.95
    """With --metric averaged: decay of the average of the weights along the branch; it remembers about 1 / (1 - decay)
    steps."""
    probe: Annotated[str, Label("Text of the probe")] = ""
    """With --metric probe: the text."""

    def __post_init__(self) -> None:
        for setting in settings_of(type(self)):
            if setting.kind in (bool, int, float, str):
                coerce(setting, getattr(self, setting.name))
        check_ranges(self)
        if self.metric not in METRICS:
            raise ConfigError(
                f"Expected a metric out of {', '.join(METRICS)}, but got {self.metric!r}.", "Use last, the default."
            )
        if self.metric == "probe" and not self.probe.strip():
            raise ConfigError("Expected a text for the probe, but got none.", "Give a few sentences.")
        if self.answers and self.after != "recorded":
            raise ConfigError(
                f"Expected a list of actions with after=recorded only, but got {list(self.answers)} with "
                f"after={self.after}.",
                "Set both, or neither.",
            )
        for step in self.marks:
            if type(step) is not int or not 0 <= step <= self.horizon:
                raise ConfigError(
                    f"Expected marks from 0 to the horizon of {self.horizon} steps, but got {step!r}.",
                    "They count optimizer steps after the fork.",
                )

    @property
    def evaluated_at(self) -> tuple[int, ...]:
        """The steps after the fork at which both branches are evaluated, ascending, from 0 to the horizon."""
        chosen = self.marks or tuple(round(self.horizon * part / MARKS) for part in range(1, MARKS))
        return tuple(sorted({0, *chosen, self.horizon}))

    def decisions(self, steps_per_decision: int) -> int:
        """How many decisions begin within the horizon after the one in question, unless the map is held."""
        return (self.horizon - 1) // steps_per_decision


@dataclass(frozen=True)
class StudyChoices(TwinPlan):
    """What a person chooses of a study: the hypothesis, and how it is tested."""

    statement: Annotated[str, Label("My hypothesis, in a sentence")] = ""
    """What you expect, in a sentence. Needed unless --exploratory or --pilot. All that are stated about a run are
    corrected for one another (Holm): another one may take this verdict back, whose later analyses are then left."""
    expected: Annotated[Expected, Label("I expect the action to be")] = "worse"
    """What the branch with the other action is expected to be, against the proposed one."""
    smallest_difference: Annotated[float, Range(0, 1e15), Label("Smallest difference that matters")] = 0.003
    """The smallest difference that matters, in the metric's unit: half the equivalence band."""
    threads: Annotated[int, Range(1, 1_024)] = 1
    """CPU threads of each process."""


@dataclass(frozen=True)
class Extension:
    """Replicates that were added to a study whose plan had been used up without a verdict.

    Args:
        time: When, in UTC, as ISO 8601 has it.
        before: The plan that had been used up.
        first_replicate: Number of the first replicate that was added.
    """

    time: str
    before: Plan
    first_replicate: int


@dataclass(frozen=True, kw_only=True)
class StudySpec(StudyChoices):
    """A hypothesis about one decision, and all that its test needs; written down before the first replicate starts.

    Raises:
        ConfigError: A value out of range, or a hypothesis without a sentence or about equal actions.
    """

    decision: int
    """Which decision has two futures, counted from 1."""
    layer: int
    """The layer it is about."""
    step: int
    """Optimizer steps done at the fork."""
    proposed: int
    """The one action: as a rule the agent's."""
    answered: int
    """The other one."""
    config_hash: str
    """Of the run's settings."""
    primary: bool = True
    """False for an exploratory comparison."""
    plan: Plan = field(default_factory=GroupSequential)
    """When interim analyses are made, and by which rule; its last one is the most replicates that are run. That in
    force: what was stated is `stated_plan`."""
    first_replicate: Annotated[int, Range(0, 2**63 - 1)] = 1
    """Number of the first replicate; no two studies of a run share one."""
    seed: int = 0
    """The run's seed."""
    steps_per_decision: int = 0
    """k, the agent's own reward window."""
    extensions: tuple[Extension, ...] = ()
    """What was added later. It is no part of what was stated, nor of its hash."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.primary and not self.statement.strip():
            raise ConfigError(
                "Expected a hypothesis in a sentence, but got none.", "Write one, or make the comparison exploratory."
            )
        if self.proposed == self.answered and self.primary:
            raise ConfigError(
                f"Expected two different actions, but both are {self.answered}.",
                "Equal actions give equal futures, bit for bit: choose another one.",
            )

    @property
    def replicates(self) -> int:
        """At most so many: the plan's last interim analysis."""
        return self.plan.last

    @property
    def stated_plan(self) -> Plan:
        """The plan as it was stated, before anything was added."""
        return self.extensions[0].before if self.extensions else self.plan

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of its replicates, in the order in which a verdict takes them."""
        firsts = (self.first_replicate, *(added.first_replicate for added in self.extensions))
        plans = (*(added.before for added in self.extensions), self.plan)
        return numbers_of([(first, plan.last) for first, plan in zip(firsts, plans, strict=True)])

    @property
    def is_pilot(self) -> bool:
        """Whether it only asks for the spread, before another study (its statement begins with "Pilot")."""
        return not self.primary and self.statement.startswith("Pilot")

    @property
    def sides(self) -> tuple[str, str]:
        """What is held against what, in words that can stand in a sentence: the other action, then the proposed one."""
        one, other = (in_words(self.layer, source) for source in (self.answered, self.proposed))
        return f"at decision {self.decision}, layer {self.layer} {one}", other

    @property
    def compared(self) -> str:
        """What is held against what, in words."""
        answered, proposed = (in_words(self.layer, source) for source in (self.answered, self.proposed))
        return f"layer {self.layer} {answered} minus {proposed} at decision {self.decision}"

    @property
    def hash(self) -> str:
        """Digest of all of it, as hexadecimal digits."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """What was stated as plain values, as they are on disk."""
        values = asdict(self)
        values |= {"looks": plan_values(self.stated_plan), "replicates": self.stated_plan.last}
        del values["plan"], values["extensions"]
        if self.after != "recorded":
            values["answers"] = None
        return json.loads(json.dumps(values))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> StudySpec:
        """The reverse of `to_dict`.

        Raises:
            ConfigError: Missing or unknown names, or a value out of range.
        """
        known = {entry.name for entry in fields(cls)} - {"plan", "extensions"} | {"looks", "replicates"}
        if unknown := set(values) - known:
            raise ConfigError(
                f"Expected the fields of a study, but got {', '.join(sorted(unknown))} too.",
                "It may come from a newer version: update layertie_lab.",
            )
        needed = {entry.name for entry in fields(cls) if entry.default is entry.default_factory is MISSING}
        if missing := (needed | {"looks", "replicates"}) - set(values):
            raise ConfigError(
                f"Expected a whole study, but {', '.join(sorted(missing))} is missing.", "Read it as it was written."
            )
        clean = {name: value for name, value in values.items() if name not in ("looks", "replicates")}
        clean |= {name: tuple(values[name] or ()) for name in ("answers", "marks") if name in values}
        plan = plan_from(values["looks"])
        if values["replicates"] != plan.last:
            raise ConfigError(
                f"Expected {plan.last} replicates, as many as the last interim analysis has, but got "
                f"{values['replicates']}.",
                "Read it as it was written.",
            )
        return cls(plan=plan, **clean)


def in_words(layer: int, source: int) -> str:
    """What an action makes of a layer."""
    return "on its own" if source == layer else f"tied to {source}"


def labels(cls: type = StudyChoices) -> dict[str, str]:
    """Field -> its label, of those that a form asks for."""
    found = {}
    for name, hint in get_type_hints(cls, include_extras=True).items():
        for beside in getattr(hint, "__metadata__", ()):
            if isinstance(beside, Label):
                found[name] = beside.text
    return found
