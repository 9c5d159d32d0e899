"""What a config builds: text, model, optimizer, agent, reward. No state of the run besides theirs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from ..agent.policies.fixed import fixed_map
from ..agent.protocol import AgentState, ChoosesStart, Policy
from ..agent.rewards.measurement import Reward
from ..core.config import RunConfig
from ..core.decisions import Proposal
from ..core.errors import AgentError, ConfigError, TieError
from ..core.keys import RunKey
from ..core.ties import TieMap
from ..models.counts import untied_parameters
from ..models.registry import make_model, parameters_of
from ..models.tied_model import TiedModel
from ..records.io.store import Store
from ..text.batches import Batches, end_with, random_batch
from ..text.corpora.lookup import refuse_unread
from ..text.dataset import TokenData, prepare
from ..training.device import choose_device
from ..training.loop import Trainer
from ..training.optimizer import Optimizer
from .provided import FixedBatches, Provided
from .requirements import check_memory


@dataclass(frozen=True)
class Components:
    """The machinery of one run.

    Args:
        batches: The training batches, by their number.
        given: What was handed in in place of the run's own.
        untied_parameters: Parameters of the same model with every layer independent.
    """

    config: RunConfig
    key: RunKey
    device: torch.device
    data: TokenData
    batches: Batches | FixedBatches
    given: Provided
    model: TiedModel
    optimizer: Optimizer
    trainer: Trainer
    policy: Policy
    reward: Reward
    untied_parameters: int

    def propose(self, state: AgentState) -> Proposal:
        """The policy's proposal.

        Raises:
            AgentError: It is no proposal.
            TieError: It is not legal.
        """
        proposal = self.policy.propose(state, self.key)
        if not isinstance(proposal, Proposal):
            raise AgentError(
                f"Expected the policy {self.policy.description.name} to propose with state.proposal(action), but it "
                f"gave {proposal!r}.",
                "End its method `propose` with: return state.proposal(action).",
            )
        if proposal.choice not in proposal.legal:
            raise TieError(
                f"Expected an action out of {list(proposal.legal)} for layer {proposal.layer}, but the policy "
                f"{self.policy.description.name} proposed {proposal.choice}.",
                "The policy must honour the legal actions of its state.",
            )
        return proposal

    def training_batches(self, step: int) -> torch.Tensor:
        """What an optimizer step trains on: [sequences, context + 1], or one more in front with `accumulate`."""
        grouped = self.config.training.accumulate
        found = [self.batches.batch(step * grouped + part) for part in range(grouped)]
        found = found if self.given.batches is not None else [self.ended(batch) for batch in found]
        return torch.stack(found) if grouped > 1 else found[0]

    def reward_batch(self, decision: int) -> torch.Tensor:
        """The fresh training batch, [sequences, context + 1], that a decision's reward is measured on."""
        if self.given.reward_batches is not None:
            return self.given.reward_batches.batch(max(decision - 1, 0))
        tokens = self.data.splits["train"]
        size, seed = self.config.training.batch_size, self.key.at(decision, "reward")
        return self.ended(random_batch(tokens, self.config.model.context, size, seed))

    def ended(self, tokens_BT: torch.Tensor) -> torch.Tensor:
        """Sequences of the text, [batch, context + 1], ended as `text.chunk_end` says."""
        fixed = self.config.text.chunk_end == "end-of-text"
        return end_with(tokens_BT, self.data.vocabulary_size - 1) if fixed else tokens_BT

    def check_supply(self, step: int, decision: int) -> None:
        """Refuse unless the batches that were handed in, if any, are enough for a decision that begins at `step`.

        Raises:
            ConfigError: They are not.
        """
        training = self.config.training
        self.given.check_supply((step + training.steps_per_decision) * training.accumulate, decision)

    def fork(self, replicate: int | None = None) -> Components:
        """A copy of all that training changes; text is shared.

        Args:
            replicate: Its draws (batches, dropout, agent, reward) are those of a run with this `config.replicate` from
                here on: functions of (seed, replicate, step, purpose). None = the same draws as the original's.

        Raises:
            ConfigError: Not a number of 0 or more, or another one where the batches were handed in, whose replicates
                would all read the same.
        """
        # One deepcopy of all of them, so that the copies refer to one another and ties survive.
        model, optimizer, trainer, policy, reward = copy.deepcopy(
            (self.model, self.optimizer, self.trainer, self.policy, self.reward)
        )
        copied = replace(self, model=model, optimizer=optimizer, trainer=trainer, policy=policy, reward=reward)
        return copied if replicate is None else copied._keyed(replicate)

    def _keyed(self, replicate: int) -> Components:
        """Itself, drawing as another replicate."""
        check_replicate(replicate)
        if replicate == self.key.replicate:
            return self
        if self.given.batches is not None or self.given.reward_batches is not None:
            raise ConfigError(
                f"Expected batches drawn from a text for replicate {replicate}, but this run's were handed in, so that "
                f"every replicate would read the same ones.",
                "Fork without a replicate, or start the run from a text.",
            )
        config, key = self.config.replace(replicate=replicate), RunKey(self.key.seed, replicate)
        self.trainer.key = key
        batches = Batches(self.data.splits["train"], config.model.context, config.training.batch_size, key)
        return replace(self, config=config, key=key, batches=batches)


def check_replicate(replicate: object) -> None:
    """Refuse what is no replicate.

    Raises:
        ConfigError: Not a whole number of 0 or more.
    """
    if isinstance(replicate, bool) or not isinstance(replicate, int) or replicate < 0:
        raise ConfigError(f"Expected a replicate of 0, 1, 2, ..., but got {replicate!r}.", "Number them from 0.")


def first_map(config: RunConfig, policy: Policy, vocabulary_size: int) -> TieMap:
    """The tie map a run starts with: a fixed pattern's own map or the given one, or what its policy begins with.

    Raises:
        ConfigError: The policy's goal cannot be reached.
    """
    layers, fixed = config.model.layers, fixed_map(config)
    if isinstance(policy, ChoosesStart):
        fixed = policy.begin(_shares(config, vocabulary_size))
    if config.ties.start == "tied" and fixed is not None:
        return fixed
    if config.ties.start == "tied" and policy.description.starts == "independent":
        return TieMap.independent(layers)
    return TieMap.all_tied(layers)


def _shares(config: RunConfig, vocabulary_size: int) -> Callable[[int], float]:
    """Number of owners -> trainable parameters of the config's model as a share of those of the untied one."""
    block, outer = parameters_of(config.model, vocabulary_size)
    return lambda owners: (outer + owners * block) / (outer + config.model.layers * block)


def build(config: RunConfig, data: TokenData | None, given: Provided) -> Components:
    """Everything a run needs, from its config.

    Args:
        config: The run's settings.
        data: What it reads, of a run that goes on as the door found it (`RunText.find`). None, for a new run, prepares
            `config.text`, or takes what was handed in where that needs no text.
        given: What was handed in.

    Raises:
        LayertieError: Text that cannot be read, a device that is absent or too small, weights or batches of another
            shape.
    """
    training = config.training
    device = choose_device(training.device)
    check_memory(config, 1, 1, device)
    # Before the text, so that a name that nobody knows costs none.
    policy, reward = given.own.made(config)
    if training.threads:
        torch.set_num_threads(training.threads)
    key = RunKey(config.seed, config.replicate)
    data = given.data({}) if data is None else data
    if data is None:
        refuse_unread(config.text)
        data = prepare(config.text, config.model.context, Store())
    given.check_vocabulary(data.vocabulary_size)
    ties = first_map(config, policy, data.vocabulary_size)
    check_memory(config, data.vocabulary_size, len(ties.independent_layers), device)
    model = make_model(
        config.model,
        data.vocabulary_size,
        config.ties,
        ties,
        seed=key.at(0, "init"),
        initial_weights=given.initial_weights,
    ).to(device)
    optimizer = Optimizer(model, training, config.ties)
    return Components(
        config=config,
        key=key,
        device=device,
        data=data,
        batches=given.batches or Batches(data.splits["train"], config.model.context, training.batch_size, key),
        given=given,
        model=model,
        optimizer=optimizer,
        trainer=Trainer(
            model, optimizer, training, key, device, total_steps=config.decisions * training.steps_per_decision
        ),
        policy=policy,
        reward=reward,
        untied_parameters=untied_parameters(model),
    )
