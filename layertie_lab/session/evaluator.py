"""What can be read off the model between two steps without changing it: losses, rewards' losses, text, memory."""

from __future__ import annotations

import math

import torch

from ..agent.protocol import AgentState
from ..agent.rewards.measurement import Measurement
from ..agent.schedule import next_layer
from ..core.errors import ConfigError, DivergedError
from ..core.measures import DIVERGED, NATS, Evaluation, has_diverged
from ..core.sampling import TEMPERATURE
from ..models.counts import claimed_parameters, trainable_parameters
from ..models.memory import model_memory
from ..text.batches import windows
from ..training.device import uses_bf16
from ..training.evaluation import evaluate
from .continuation import continue_ids, prompt_ids
from .meter import Meter
from .state import RunState


class Evaluator:
    """Evaluations on fixed windows, the reward's measurement, text samples and predicted memory of one run.

    Args:
        state: The run, which is read and left as it is.
        meter: Told what evaluations cost.
    """

    def __init__(self, state: RunState, meter: Meter) -> None:
        self._state, self.meter = state, meter
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
        components = self._state.components
        if split not in components.data.splits:
            raise ConfigError(
                f"Expected a split out of {', '.join(components.data.splits)}, but got {split!r}.", "Use validation."
            )
        if (split, count) not in self._fixed:
            context = components.config.model.context
            self._fixed[split, count] = components.ended(windows(components.data.splits[split], context, count))
        return self._fixed[split, count]

    def evaluate(self, split: str, count: int | None = None) -> Evaluation:
        """The loss on `count` windows (default evaluation_windows) of a split, in evaluation mode."""
        return self._loss(self.windows(split, count or self._state.config.training.evaluation_windows))

    def measure(self) -> Measurement:
        """What the reward sees: a fresh training batch (split "train"), or fixed windows of another split."""
        state, components = self._state, self._state.components
        reward = components.config.reward
        fixed = reward.split != "train"
        tokens = self.windows(reward.split, reward.windows) if fixed else components.reward_batch(state.decision)
        loss = self._loss(tokens).loss
        return Measurement(loss, state.step, state.decision, self.counts()[0], components.untied_parameters)

    def check_sane(self, loss: float, what: str) -> None:
        """Refuse to go on with a model that is lost: no agent and no choice of a best model shall learn from it.

        Args:
            loss: What was measured, in the unit of the model's metric.
            what: Of what it is the loss, for the sentence.

        Raises:
            DivergedError: It is no longer a number, or beyond `core.measures.DIVERGED` nats per token.
        """
        metric = self._state.components.model.metric
        if math.isfinite(loss) and not (metric.unit == NATS and has_diverged(loss)):
            return
        raise DivergedError(
            f"Expected a {what} of at most {DIVERGED:g} {metric.unit}, but got {loss:g} after step {self._state.step}: "
            f"the run has diverged at decision {self._state.decision}.",
            "Lower the learning rate, lengthen the warm-up or clip the gradient; a branch from an earlier decision "
            "keeps what was learned until then.",
        )

    def agent_state(self) -> AgentState:
        """What the agent sees before the next decision."""
        state, components = self._state, self._state.components
        decision = state.decision + 1
        episode, layer = next_layer(decision, components.config.model.layers)
        return AgentState(
            ties=state.ties,
            layer=layer,
            decision=decision,
            episode=episode,
            budget=components.config.decisions,
            blocks=state.blocks,
            trainable_share=self.counts()[0] / components.untied_parameters,
            rules=state.rules,
        )

    def sample(
        self,
        tokens: int | None = None,
        seed: int | None = None,
        *,
        prompt: str | None = None,
        temperature: float = TEMPERATURE,
    ) -> tuple[str, str]:
        """(prompt, continuation): a prompt, or the start of the validation text, continued by the model.

        The draws depend on the run's key and the step alone, unless a seed is given.

        Raises:
            ConfigError: The model does not continue sequences, or `tokens` or `temperature` is out of range.
            CorpusError: A character of the prompt that the tokenizer does not know.
        """
        components = self._state.components
        ids = prompt_ids(components.data, prompt)
        length = components.config.records.sample_tokens if tokens is None else tokens
        drawn = components.key.at(self._state.step, "sample") if seed is None else seed
        with self.meter.evaluating():
            written = continue_ids(components.model, ids, length, seed=drawn, temperature=temperature)
        decode = components.data.tokenizer.decode
        return decode(ids), decode(written)

    def counts(self) -> tuple[int, int]:
        """(trainable parameters, each storage once; parameters as a count by layer claims them)."""
        model = self._state.components.model
        if self._counts[0] != model.stack.sharing:
            self._counts = (model.stack.sharing, (trainable_parameters(model), claimed_parameters(model)))
        return self._counts[1]

    def begin(self, layer: int) -> None:
        """A decision about a layer begins: what is allocated at the start of a sweep over the layers is noted."""
        if layer == 1:
            self._episode_bytes = self._allocated()

    def episode_bytes(self) -> int:
        """Bytes allocated when the last sweep over the layers began; now, where none has begun since this session did.

        On CUDA what the allocator held; elsewhere weights and optimizer state, each storage once.
        """
        return self._allocated() if self._episode_bytes is None else self._episode_bytes

    def _allocated(self) -> int:
        components = self._state.components
        if components.device.type == "cuda":
            return int(torch.cuda.memory_allocated(components.device))
        return self.memory()["parameters"] + components.optimizer.bytes()

    def memory(self) -> dict[str, int]:
        """Bytes by component, predicted from shapes for a training step with the present ties."""
        components = self._state.components
        standing = components.model.stack.sharing
        if self._memory[0] != standing:
            training = components.config.training
            bf16 = uses_bf16(components.device, training.precision)
            self._memory = (standing, model_memory(components.model, training.batch_size, bf16=bf16))
        return self._memory[1]

    def _loss(self, tokens: torch.Tensor) -> Evaluation:
        components = self._state.components
        training = components.config.training
        with self.meter.evaluating(len(tokens)):
            return evaluate(components.model, tokens, training.batch_size, components.device, training.precision)
