"""A decision log, given again to another run: another seed, text, depth or semantics; whole, in part, or edited."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..agent.schedule import next_layer
from ..core.config import RunConfig
from ..core.decisions import Outcome
from ..core.errors import ConfigError, RecordError
from ..core.events import DecisionMade, RulesChanged
from ..core.rules import Rules
from ..records.directory import RunDirectory
from ..records.log.cursor import read_events
from .door import RunText
from .session import Session

Only = Literal["all", "human", "agent"]


@dataclass(frozen=True)
class Recorded:
    """One action of a log.

    Args:
        decision: Counted from 1.
        layer: What it was about.
        choice: The action.
        by: Who took it.
    """

    decision: int
    layer: int
    choice: int
    by: str


@dataclass(frozen=True)
class Log:
    """The actions of a run.

    Args:
        config: Its settings.
        actions: By decision.
        rules: Decision before which other rules were applied -> those rules, in the log's order.
        text: What the run read; None where its batches were handed in.
    """

    config: RunConfig
    actions: dict[int, Recorded]
    rules: dict[int, list[str]]
    text: RunText | None

    @classmethod
    def read(cls, run: str | Path) -> Log:
        """The log of a run, live or finished.

        Raises:
            RecordError: Not a run, no action in it, or a log that belongs to other settings than those beside it.
        """
        directory = RunDirectory.open(run)
        actions: dict[int, Recorded] = {}
        rules: dict[int, list[str]] = {}
        for event in read_events(directory):
            if isinstance(event, DecisionMade):
                actions[event.decision] = Recorded(event.decision, event.layer, event.choice, event.by)
            elif isinstance(event, RulesChanged):
                rules.setdefault(event.decision + 1, []).append(event.rules)
        if not actions:
            raise RecordError(f"Expected actions in the log of {directory.path}, but there are none.", "Run it first.")
        drawn = directory.handed_in.keys().isdisjoint(("batches", "reward_batches"))
        return cls(directory.config, actions, rules, RunText.of(directory) if drawn else None)

    @property
    def decisions(self) -> int:
        """The last decision."""
        return max(self.actions)


@dataclass(frozen=True)
class Replay:
    """What is given again, and to which run.

    Args:
        log: The record.
        config: Settings of the new run.
        until: Its last decision that is taken from the record; None = all.
        only: Whose actions are taken from the record; the new run's own agent takes the others.
        edits: Decision of the new run -> another action.

    Raises:
        ConfigError: No such decision, or an edit that is not legal there.
    """

    log: Log
    config: RunConfig
    until: int | None = None
    only: Only = "all"
    edits: Mapping[int, int] | None = None

    def __post_init__(self) -> None:
        last = self.decisions
        if self.until is not None and not 1 <= self.until <= last:
            raise ConfigError(
                f"Expected a last decision from 1 to {last} to replay, but got {self.until}.", "Choose one of these."
            )
        for decision, action in (self.edits or {}).items():
            layer = next_layer(decision, self.config.model.layers)[1] if decision >= 1 else 0
            end = last if self.until is None else self.until
            if not 1 <= decision <= end:
                raise ConfigError(
                    f"Expected a decision from 1 to {end} to edit, but got {decision}.", "Choose one of these."
                )
            if not 0 <= action <= layer:
                raise ConfigError(
                    f"Expected an action from 0 to {layer} for decision {decision} (layer {layer}), but got {action}.",
                    f"{layer} trains the layer on its own; a smaller number ties it to that layer.",
                )

    @property
    def text(self) -> RunText | None:
        """What the record's run read, where the new run is to read the same; None where its settings name another."""
        old, new = self.log.config.text, self.config.text
        return self.log.text if replace(old, chunk_end=new.chunk_end) == new else None

    @property
    def decisions(self) -> int:
        """Decisions of the new run that the record reaches."""
        old, new = self.log.config.model.layers, self.config.model.layers
        if old == new:
            return self.log.decisions
        sweeps, rest = divmod(self.log.decisions, old - 1)
        # Of a sweep that was not finished: the layers whose counterpart was asked about.
        begun = sum(counterpart(layer, new, old) <= rest for layer in range(1, new))
        return sweeps * (new - 1) + begun

    def recorded(self, decision: int) -> Recorded | None:
        """The record's action for a decision of the new run; None where its own agent acts.

        At another depth: in the same sweep, the layer at the same relative position (`counterpart`); an action "on its
        own" stays so, another one names the layer at the source's relative position, before the layer asked about.
        """
        episode, layer = next_layer(decision, self.config.model.layers)
        if decision in (self.edits or {}):
            return Recorded(decision, layer, (self.edits or {})[decision], "human")
        if self.until is not None and decision > self.until:
            return None
        old, new = self.log.config.model.layers, self.config.model.layers
        there = layer if old == new else counterpart(layer, new, old)
        found = self.log.actions.get((episode - 1) * (old - 1) + there)
        if found is None or (self.only != "all" and (found.by == "human") != (self.only == "human")):
            return None
        if found.choice == found.layer:
            return Recorded(decision, layer, layer, found.by)
        source = found.choice if old == new else min(counterpart(found.choice, old, new), layer - 1)
        return Recorded(decision, layer, source, found.by)

    def give(
        self,
        session: Session,
        *,
        should_stop: Callable[[], bool] | None = None,
        watch: Callable[[Outcome], Any] | None = None,
    ) -> list[Outcome]:
        """Give it to a session of the new run, to the record's end (or `until`).

        The log says who acted: "human" what a person chose then or edits now, "agent" what the new agent
        proposes too, "replay" what it would have chosen otherwise. So a record that is given to its own settings
        gives its own log, byte for byte. Rules that were changed on the way are changed again; at another depth their
        layers are those at the same relative positions, and an action that they forbid there gives way to the nearest.

        Args:
            session: At the start, or where an earlier call stopped. Where its settings name the record's text, it reads
                the same: `Session(config, data=replay.text.find().data)`.
            should_stop: Asked before each decision; True ends the call.
            watch: Called with each outcome.

        Raises:
            RecordError: A session that reads another text than the record's under the same settings.
            TieError: An action that the new run's rules forbid.
        """
        if self.text is not None and session.components.given.batches is None:
            self.text.find(data=session.data)
        outcomes: list[Outcome] = []
        end = self.decisions if self.until is None else self.until
        while session.decision < end and not (should_stop is not None and should_stop()):
            decision = session.decision + 1
            self._change_rules(session, decision)
            proposal, found = session.propose(), self.recorded(decision)
            if found is None:
                choice, by = proposal.choice, "agent"
            else:
                choice = found.choice
                if self.log.config.model.layers != self.config.model.layers and choice not in proposal.legal:
                    choice = nearest(choice, proposal.legal)
                replayed = found.by == "agent" and choice != proposal.choice
                by = "replay" if replayed else found.by
            outcomes.append(session.commit(choice, by=by))
            if watch is not None:
                watch(outcomes[-1])
        if session.decision == end:
            session.conclude()
            if self.until is None:
                self._change_rules(session, end + 1)
        return outcomes

    def _change_rules(self, session: Session, decision: int) -> None:
        """Apply the rules that the record applied before the decision's counterpart."""
        old, new = self.log.config.model.layers, self.config.model.layers
        there = decision
        if old != new:
            # Once, at the first decision of the new run that stands for it or for a later one.
            there, before = (self._counterpart(number) for number in (decision, decision - 1))
            wanted = [n for n in sorted(self.log.rules) if before < n <= there]
        else:
            wanted = [there] if there in self.log.rules else []
        for number in wanted:
            for text in self.log.rules[number]:
                session.set_rules(text if old == new else _moved(Rules.parse(text), old, new))

    def _counterpart(self, decision: int) -> int:
        """The record's decision that one of the new run stands for; 0 before the first."""
        if decision < 1:
            return 0
        old, new = self.log.config.model.layers, self.config.model.layers
        episode, layer = next_layer(decision, new)
        return (episode - 1) * (old - 1) + counterpart(layer, new, old)


def _moved(rules: Rules, old: int, new: int) -> Rules:
    """Rules for another depth; numbers from the end stay what they are where both models have them."""

    def place(layer: int) -> int:
        return layer if -new <= layer < 0 else counterpart(layer % old, old, new)

    return replace(rules, independent=tuple(map(place, rules.independent)), locked=tuple(map(place, rules.locked)))


def nearest(action: int, legal: Iterable[int]) -> int:
    """The legal action nearest to one, the earlier of two."""
    return min(legal, key=lambda other: (abs(other - action), other))


def counterpart(layer: int, layers: int, others: int) -> int:
    """The layer of another model at the same relative position: `layer / (layers - 1) x (others - 1)`, rounded half up.

    Layer 0 stays layer 0, the last stays the last; a layer from 1 on stays so.

    Args:
        layer: Of a model with so many `layers`.
        layers: Its depth.
        others: Depth of the other model.
    """
    place = (2 * layer * (others - 1) + layers - 1) // (2 * (layers - 1))
    return max(place, min(layer, 1))
