"""What a config builds: text, model, optimizer, agent, reward. No state of the run besides theirs."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch

from ..agent.protocol import Policy
from ..agent.registry import make_policy
from ..agent.rewards import Reward, make_reward
from ..core.config import RunConfig
from ..core.keys import RunKey
from ..core.patterns import PATTERNS, pattern
from ..core.ties import TieMap
from ..models.counts import untied_parameters
from ..models.gpt import GPT
from ..records.store import Store
from ..text.batches import Batches
from ..text.dataset import TokenData, prepare
from ..training.device import choose_device
from ..training.loop import Trainer
from ..training.optimizer import Optimizer


@dataclass(frozen=True)
class Parts:
    """The machinery of one run.

    Args:
        untied_parameters: Parameters of the same model with every layer independent.
    """

    config: RunConfig
    key: RunKey
    device: torch.device
    data: TokenData
    batches: Batches
    model: GPT
    optimizer: Optimizer
    trainer: Trainer
    policy: Policy
    reward: Reward
    untied_parameters: int

    def fork(self) -> Parts:
        """A copy of all that training changes; text is shared."""
        # One deepcopy of all of them, so that the copies refer to one another and ties survive.
        model, optimizer, trainer, policy, reward = copy.deepcopy(
            (self.model, self.optimizer, self.trainer, self.policy, self.reward)
        )
        return replace(self, model=model, optimizer=optimizer, trainer=trainer, policy=policy, reward=reward)


def first_map(config: RunConfig) -> TieMap:
    """The tie map a run starts with: a fixed pattern's own map, else everything tied to layer 0."""
    layers = config.model.layers
    if config.agent.policy in PATTERNS and config.ties.start == "tied":
        return pattern(config.agent.policy, layers, config.agent.blocks or None)
    return TieMap.all_tied(layers)


def build(config: RunConfig, data: TokenData | None = None) -> Parts:
    """Everything a run needs, from its config.

    Raises:
        LayertieError: Text that cannot be read, a device that is absent.
    """
    training = config.training
    if training.threads:
        torch.set_num_threads(training.threads)
    key = RunKey(config.seed, config.replicate)
    device = choose_device(training.device)
    data = prepare(config.text, config.model.context, Store()) if data is None else data
    model = GPT(
        config.model, data.vocabulary_size, config.ties, first_map(config), seed=key.at(0, "init")
    ).to(device)  # fmt: skip
    optimizer = Optimizer(model, training, config.ties)
    return Parts(
        config=config,
        key=key,
        device=device,
        data=data,
        batches=Batches(data.splits["train"], config.model.context, training.batch_size, key),
        model=model,
        optimizer=optimizer,
        trainer=Trainer(
            model, optimizer, training, key, device, total_steps=config.decisions * training.steps_per_decision
        ),
        policy=make_policy(config),
        reward=make_reward(config),
        untied_parameters=untied_parameters(config.model, data.vocabulary_size),
    )
