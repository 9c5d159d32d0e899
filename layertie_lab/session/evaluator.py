"""What can be read off the model between two steps without changing it: losses, rewards' losses, text, memory."""

from __future__ import annotations

import torch

from ..agent.protocol import AgentState
from ..agent.rewards.kinds import Measurement
from ..agent.schedule import next_layer
from ..core.errors import ConfigError
from ..core.rules import Rules
from ..models.counts import claimed_parameters, trainable_parameters
from ..models.memory import model_memory
from ..models.tied_model import Generates
from ..text.batches import windows
from ..training.device import uses_bf16
from ..training.evaluation import Evaluation, evaluate
from .components import Components
from .meter import Meter

PROMPT_TOKENS = 16
TEMPERATURE = 0.8


class Evaluator:
    """Evaluations on fixed windows, the reward's measurement, text samples and predicted memory of one run."""

    def __init__(self, parts: Components, meter: Meter) -> None:
        self._parts, self._meter = parts, meter
        self.rules = Rules.parse(parts.config.ties.rules)
        """Rules that stand, which the agent and whoever answers in its place see."""
        self._fixed: dict[tuple[str, int], torch.Tensor] = {}
        self._episode_bytes: int | None = None
        # What depends on the ties alone is read again after each re-tie, not at each question.
        self._counts: tuple[object, tuple[int, int]] = (None, (0, 0))
        self._memory: tuple[object, dict[str, int]] = (None, {})

    def windows(self, split: str, count: int) -> torch.Tensor:
        """[<= count, context + 1] tokens spread evenly over a split; the same at each call.

        Raises:
            ConfigError: No such split.
        """
        if split not in self._parts.data.splits:
            raise ConfigError(
                f"Expected a split out of {', '.join(self._parts.data.splits)}, but got {split!r}.", "Use validation."
            )
        if (split, count) not in self._fixed:
            context = self._parts.config.model.context
            self._fixed[split, count] = self._parts.ended(windows(self._parts.data.splits[split], context, count))
        return self._fixed[split, count]

    def evaluate(self, split: str, count: int) -> Evaluation:
        """The loss on `count` windows of a split, in evaluation mode."""
        return self._loss(self.windows(split, count))

    def measure(self, step: int, decision: int) -> Measurement:
        """What the reward sees: a fresh training batch (split "train"), or fixed windows of another split."""
        parts, reward = self._parts, self._parts.config.reward
        fixed = reward.split != "train"
        tokens = self.windows(reward.split, reward.windows) if fixed else parts.reward_batch(decision)
        return Measurement(self._loss(tokens).loss, step, decision, self.counts()[0], parts.untied_parameters)

    def agent_state(self, decision: int) -> AgentState:
        """What the agent sees before a decision."""
        parts, stack = self._parts, self._parts.model.stack
        episode, layer = next_layer(decision, parts.config.model.layers)
        return AgentState(
            ties=stack.ties,
            layer=layer,
            decision=decision,
            episode=episode,
            budget=parts.config.decisions,
            blocks=stack.blocks,
            trainable_share=self.counts()[0] / parts.untied_parameters,
            rules=self.rules,
        )

    def sample(self, step: int, tokens: int, seed: int | None = None) -> tuple[str, str]:
        """(prompt, continuation): the start of the validation text, continued by the model at temperature 0.8.

        The draws depend on the run's key and the step alone, unless a seed is given.

        Raises:
            ConfigError: The model does not continue sequences.
        """
        parts, model = self._parts, self._parts.model
        if not isinstance(model, Generates):
            raise ConfigError(
                f"Expected a model that continues a text, but a {type(model).__name__} has no method `generate`.",
                "Look at its losses instead.",
            )
        prompt = torch.as_tensor(parts.data.splits["validation"][:PROMPT_TOKENS].astype("int64"))[None]
        generator = torch.Generator().manual_seed(parts.key.at(step, "sample") if seed is None else seed)
        with self._meter.evaluating():
            written = model.generate(
                prompt.to(parts.device), tokens, generator=generator, temperature=TEMPERATURE
            )  # [1, prompt + tokens]
        ids = written[0].tolist()
        decode = parts.data.tokenizer.decode
        return decode(ids[:PROMPT_TOKENS]), decode(ids[PROMPT_TOKENS:])

    def counts(self) -> tuple[int, int]:
        """(trainable parameters, each storage once; parameters as a count by layer claims them)."""
        model = self._parts.model
        if self._counts[0] != model.stack.sharing:
            self._counts = (model.stack.sharing, (trainable_parameters(model), claimed_parameters(model)))
        return self._counts[1]

    def begin(self, layer: int) -> None:
        """A decision about a layer begins: what is allocated at the start of a pass is noted."""
        if layer == 1:
            self._episode_bytes = self._allocated()

    def episode_bytes(self) -> int:
        """Bytes allocated when the last pass over the layers began; now, where none has begun since this session did.

        On CUDA what the allocator held; elsewhere weights and moments, each storage once.
        """
        return self._allocated() if self._episode_bytes is None else self._episode_bytes

    def _allocated(self) -> int:
        parts = self._parts
        if parts.device.type == "cuda":
            return int(torch.cuda.memory_allocated(parts.device))
        return self.memory()["parameters"] + parts.optimizer.bytes()

    def memory(self) -> dict[str, int]:
        """Bytes by component, predicted from shapes for a training step with the present ties."""
        standing = self._parts.model.stack.sharing
        if self._memory[0] != standing:
            training = self._parts.config.training
            bf16 = uses_bf16(self._parts.device, training.precision)
            self._memory = (standing, model_memory(self._parts.model, training.batch_size, bf16=bf16))
        return self._memory[1]

    def _loss(self, tokens: torch.Tensor) -> Evaluation:
        training = self._parts.config.training
        with self._meter.evaluating():
            return evaluate(self._parts.model, tokens, training.batch_size, self._parts.device, training.precision)
