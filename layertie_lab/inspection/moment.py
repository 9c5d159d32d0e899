"""A run at a moment, to be looked at: its model, its agent and a probe set. Nothing here trains or writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from ..agent.protocol import AgentState, Policy, Saved
from ..agent.schedule import next_layer
from ..core.config import RunConfig
from ..core.errors import AnalysisError, RecordError
from ..core.keys import RunKey
from ..core.rules import Rules
from ..core.sampling import TEMPERATURE
from ..core.ties import TieMap
from ..models.counts import trainable_parameters, untied_parameters
from ..models.registry import make_model
from ..models.tied_model import Generates, TiedModel
from ..records.directory import RunDirectory
from ..records.state.checkpoints import load_checkpoint
from ..records.state.snapshots import load_snapshot, snapshot_decisions
from ..session.continuation import continue_ids, prompt_ids
from ..session.door import RunText
from ..session.own import Own
from ..text.batches import windows
from ..text.dataset import TokenData
from .stored import checkpoints_between, stored_decisions


@dataclass(frozen=True, eq=False)
class Inspection:
    """The state of a run after a decision. Make one with `Inspection.of`.

    Args:
        path: The run directory.
        config: Its settings.
        decision: Decisions done; 0 = before the first.
        step: Optimizer steps done.
        data: Its text.
        model: As it was then, in evaluation mode.
        agent: The agent's tensors and values as they were then, after what it learned from that decision.
        rules: Rules that stood.
        notes: What a reader should know of how its text was found, a sentence each.
    """

    path: Path
    config: RunConfig
    decision: int
    step: int
    data: TokenData
    model: TiedModel
    agent: Saved
    rules: Rules
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        run: str | Path,
        decision: int | None = None,
        *,
        data: TokenData | None = None,
        text: str | Path | None = None,
        device: str = "cpu",
    ) -> Inspection:
        """A run after a decision, from its snapshots and checkpoints; another process may be training it.

        Args:
            run: The run directory.
            decision: After which decision; None = the latest that is stored.
            data, text: What the run reads, or where its text lies now, as in `session.door.RunText.find`.
            device: Where to put the model.

        Raises:
            RecordError: Not a run, nothing stored for that decision, a run whose text was handed in or is another one
                by now.
            LayertieError: Text that cannot be read.
        """
        if decision is not None and (isinstance(decision, bool) or not isinstance(decision, int)):
            raise RecordError(f"Expected the number of a decision, but got {decision!r}.", "Give a whole number.")
        directory = RunDirectory.open(run)
        if not directory.handed_in.keys().isdisjoint(("batches", "reward_batches")):
            raise RecordError(
                f"Expected a run that reads a text, but the batches of {run} were handed in.",
                "Look at the session itself with the functions of layertie_lab.analysis.",
            )
        tensors, policy_tensors, meta = _stored(directory, decision)
        config = directory.config
        if meta["config_hash"] != config.hash:
            raise RecordError(
                f"Expected a state of config {config.hash}, but it was stored with {meta['config_hash']}.",
                "config.json was edited after the run began: restore it.",
            )
        found = RunText.of(directory).find(data=data, text=text)
        tied = TieMap.all_tied(config.model.layers)
        model = make_model(config.model, found.data.vocabulary_size, config.ties, tied, seed=0)
        model.load(tensors, meta["model"])
        rules = Rules.parse(meta.get("rules", config.ties.rules))
        return cls(
            directory.path,
            config,
            meta["decision"],
            meta["step"],
            found.data,
            model.to(device).eval(),
            (policy_tensors, meta["policy"]),
            rules,
            found.notes,
        )

    @property
    def ties(self) -> TieMap:
        """The tie map."""
        return self.model.stack.ties

    @property
    def blocks(self) -> TieMap:
        """The true sharing."""
        return self.model.stack.blocks

    @property
    def key(self) -> RunKey:
        """The key of the run's random draws."""
        return RunKey(self.config.seed, self.config.replicate)

    @cached_property
    def policy(self) -> Policy:
        """The agent as it was then.

        Raises:
            RecordError: It was handed in, and nothing is registered here under its name.
        """
        return _policy(RunDirectory.open(self.path), self.agent)

    @cached_property
    def asked(self) -> AgentState:
        """What the agent sees before the decision that comes next."""
        config, decision = self.config, self.decision + 1
        episode, layer = next_layer(decision, config.model.layers)
        share = trainable_parameters(self.model) / untied_parameters(self.model)
        return AgentState(
            ties=self.ties,
            layer=layer,
            decision=decision,
            episode=episode,
            budget=config.decisions,
            blocks=self.blocks,
            trainable_share=share,
            rules=self.rules,
        )

    def probe_tokens(self) -> Tensor:
        """[sequences, context + 1] the run's own probe set: windows of the validation split."""
        return self.windows(self.config.records.probe_sequences)

    def windows(self, sequences: int) -> Tensor:
        """[<= sequences, context + 1] tokens spread evenly over the validation split."""
        return windows(self.data.splits["validation"], self.config.model.context, sequences)

    def sample(
        self, tokens: int = 200, *, prompt: str | int | None = None, temperature: float = TEMPERATURE
    ) -> tuple[str, str]:
        """(prompt, continuation): a prompt continued by the model. The same question gets the same text.

        Args:
            tokens: How many it writes.
            prompt: A text; or how many tokens of the validation text's start, 16 where it is None or "". Of a text
                longer than the model's context the model reads the end.
            temperature: What the logits are divided by, up to 10; 0 takes the likeliest token each time.

        Raises:
            AnalysisError: The model does not continue sequences.
            ConfigError: `tokens`, `prompt` or `temperature` is out of range.
            CorpusError: A character of the prompt that the tokenizer does not know.
        """
        ids = prompt_ids(self.data, prompt)
        decode = self.data.tokenizer.decode
        return decode(ids), decode(self.continued(ids, tokens, temperature=temperature))

    def continued(
        self,
        ids: Sequence[int],
        tokens: int,
        *,
        temperature: float = TEMPERATURE,
        seed: int | None = None,
        tell: Callable[[float], None] = lambda share: None,
    ) -> list[int]:
        """The token ids that the model writes after others, as `session.continuation.continue_ids`.

        Args:
            ids, tokens, temperature, tell: As there.
            seed: Of the draws; None = the run's own at this moment.

        Raises:
            AnalysisError: The model does not continue sequences.
            ConfigError: `tokens` or `temperature` is out of range.
        """
        if not isinstance(self.model, Generates):
            raise AnalysisError(
                f"Expected a model that continues a text, but a {type(self.model).__name__} has no method `generate`.",
                "Look at its losses instead.",
            )
        drawn = self.draws if seed is None else seed
        return continue_ids(self.model, ids, tokens, seed=drawn, temperature=temperature, tell=tell)

    @property
    def draws(self) -> int:
        """The seed of the draws of a text at this moment."""
        return self.key.at(self.step, "sample")

    def before(self) -> Inspection:
        """The same run at the last moment before this one that is stored: after the decision before, where that is.

        Raises:
            AnalysisError: None is stored.
        """
        earlier = [decision for decision in stored_decisions(self.path) if decision < self.decision]
        if not earlier:
            raise AnalysisError(
                f"Expected a stored moment before the one after decision {self.decision}, but there is none."
                if self.decision
                else "Expected a moment with a decision before it, but this one is before the first.",
                "Look at a later one.",
            )
        return Inspection.of(self.path, earlier[-1], data=self.data, device=str(next(self.model.parameters()).device))


def policy_after(run: str | Path, decision: int) -> Policy:
    """A run's agent as it was after a decision; its model is not built.

    Raises:
        RecordError: Not a run, or nothing is stored for that decision.
    """
    directory = RunDirectory.open(run)
    _, tensors, meta = _stored(directory, decision)
    return _policy(directory, (tensors, meta["policy"]))


def _policy(directory: RunDirectory, saved: Saved) -> Policy:
    """The agent of a run, in a state of its."""
    config = directory.config
    own = Own.check(config)
    own.check_same(directory.handed_in, config, directory.path)
    policy, _ = own.made(config)
    policy.load(*saved)
    return policy


def _stored(
    directory: RunDirectory, decision: int | None
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Any]]:
    """Weights of the model, tensors of the policy, and meta."""
    snapshots, checkpoints = snapshot_decisions(directory), checkpoints_between(directory)
    known = sorted({*snapshots, *checkpoints})
    if not known:
        raise RecordError(
            f"Expected a stored state of {directory.path}, but it has neither snapshots nor checkpoints.",
            "Train it (layertie resume), or look at another run.",
        )
    if decision is None:
        decision = known[-1]
    if decision in snapshots:
        found = load_snapshot(directory, decision)
        policy = found.tensors.pop("policy", {})
        return {name: t for group in found.tensors.values() for name, t in group.items()}, policy, found.meta
    if decision in checkpoints:
        checkpoint = load_checkpoint(directory, checkpoints[decision])
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "policy": {}, "optimizer": {}}
        for name, tensor in checkpoint.tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor
        return parts["model"], parts["policy"], checkpoint.meta
    nearest = min(known, key=lambda other: (abs(other - decision), other))
    raise RecordError(
        f"Expected a decision after which {directory.path} is stored, but got {decision}; the nearest is {nearest}.",
        f"{len(known)} are stored, from {known[0]} to {known[-1]}.",
    )
