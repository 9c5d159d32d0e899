"""Looking at a session without changing it: where it stands, losses, text, the probe set, how far it has come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..core.config import RunConfig
from ..core.events import Event, Opened
from ..core.keys import RunKey
from ..core.measures import Evaluation
from ..core.rules import Rules
from ..core.sampling import TEMPERATURE
from ..core.ties import TieMap
from ..models.tied_model import TiedModel
from ..text.dataset import TokenData
from .components import Components
from .evaluator import Evaluator
from .meter import Meter
from .recorder import Recorder
from .state import RunState
from .summary import opened, summarize
from .turns import Turns


class Queries:
    """What can be asked of a session; nothing of it is logged, since asking is no part of the run.

    What needs the model waits for the optimizer step under way, if another thread trains.

    Attributes:
        state: Where the run stands.
        recorder: Its log, and those who watch.
        evaluator: Its evaluations.
        turns: Whose turn it is.
    """

    state: RunState
    recorder: Recorder
    evaluator: Evaluator
    turns: Turns

    @property
    def config(self) -> RunConfig:
        """The run's settings."""
        return self.state.config

    @property
    def components(self) -> Components:
        """Text, model, optimizer, agent, reward."""
        return self.state.components

    @property
    def key(self) -> RunKey:
        """The key of all its random draws."""
        return self.state.key

    @property
    def model(self) -> TiedModel:
        """The model, as it is now."""
        return self.state.components.model

    @property
    def data(self) -> TokenData:
        """The text it trains on."""
        return self.state.components.data

    @property
    def meter(self) -> Meter:
        """What it costs."""
        return self.evaluator.meter

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self.state.step

    @property
    def decision(self) -> int:
        """Decisions begun."""
        return self.state.decision

    @property
    def ties(self) -> TieMap:
        """The tie map: the agent's state."""
        return self.state.ties

    @property
    def blocks(self) -> TieMap:
        """The true sharing: for each layer the first layer with the same storage."""
        return self.state.blocks

    @property
    def rules(self) -> Rules:
        """The rules that hold."""
        return self.state.rules

    @property
    def best(self) -> dict[str, float]:
        """Lowest scheduled loss so far, by split, nats per token."""
        return self.state.best

    @property
    def directory(self) -> Path | None:
        """The run directory, or None where nothing is recorded."""
        return self.recorder.path

    @property
    def phase(self) -> str:
        """What comes next: "propose" (an action is awaited) or "training" (a decision is under way)."""
        return self.state.phase

    @property
    def pending_steps(self) -> int:
        """Optimizer steps left of the decision under way."""
        return self.state.pending_steps

    @property
    def finished(self) -> bool:
        """Whether the budget of decisions is spent (a person may still go on)."""
        return self.state.finished

    def evaluate(self, split: str = "validation", count: int | None = None) -> Evaluation:
        """The loss now on `count` sequences (default evaluation_windows) of a split: train, reward, validation, test.

        Raises:
            ConfigError: No such split.
        """
        with self.turns.use():
            return self.evaluator.evaluate(split, count)

    def sample(
        self,
        tokens: int | None = None,
        *,
        seed: int | None = None,
        prompt: str | None = None,
        temperature: float = TEMPERATURE,
    ) -> tuple[str, str]:
        """(prompt, continuation) by the model as it is now; the same at the same step unless a seed is given.

        Args:
            tokens: How many it writes; None = the setting `sample_tokens`.
            seed: Of the draws; None = the run's own at this step.
            prompt: A text to continue; None or "" = the start of the validation text. Of a text longer than the
                model's context the model reads the end.
            temperature: What the logits are divided by, up to 10; 0 takes the likeliest token each time.

        Raises:
            ConfigError: The model does not continue sequences, or `tokens` or `temperature` is out of range.
            CorpusError: A character of the prompt that the tokenizer does not know.
        """
        with self.turns.use():
            return self.evaluator.sample(tokens, seed, prompt=prompt, temperature=temperature)

    def probe_tokens(self) -> torch.Tensor:
        """The probe set: [sequences, context + 1] tokens of the validation split, the same throughout the run."""
        with self.turns.use():
            return self.evaluator.windows("validation", self.config.records.probe_sequences)

    def summary(self) -> dict[str, Any]:
        """What the run has come to, as plain values (see `layertie train --json`)."""
        with self.turns.use():
            return summarize(self.state, self.evaluator, self.directory)

    def opening(self) -> Opened:
        """The opening event of a run that begins where this one is, for a watcher that was not there at the start."""
        with self.turns.use():
            return opened(self.state)

    def past(self) -> list[Event]:
        """The run's events so far, its opening first, for a watcher that was not there at the start.

        Of a run that is not recorded the latest 20,000; of a fork that is not, the opening of a run that begins here.
        """
        with self.turns.use():
            return self.recorder.past() or [opened(self.state)]
