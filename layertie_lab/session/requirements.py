"""What a run will take, before it is made or begun: bytes of memory, and seconds."""

from __future__ import annotations

import psutil
import torch

from ..agent.bandit.features import feature_count
from ..core.config import RunConfig
from ..core.errors import ConfigError
from ..models.registry import least_bytes
from ..training.device import uses_bf16
from .meter import Meter

_ID_BYTES = 8
_LIMIT_FILE = "/sys/fs/cgroup/memory.max"
_USED_FILE = "/sys/fs/cgroup/memory.current"
BACKWARD = 3
"""Forward passes that an optimizer step costs about as much as."""


def least_memory(config: RunConfig, vocabulary_size: int, owners: int, device: torch.device) -> dict[str, int]:
    """Bytes that a run's first step takes at the least, by what takes them; nothing is made.

    Args:
        config: The run's settings.
        vocabulary_size: Number of tokens; 1 where it is not known yet.
        owners: Independent layers at the start.
        device: Where it trains.
    """
    training = config.training
    batch = training.accumulate * training.batch_size * (config.model.context + 1) * _ID_BYTES
    bf16 = uses_bf16(device, training.precision)
    found = least_bytes(
        config.model, vocabulary_size, config.ties, owners, training.batch_size, bf16=bf16, device=device.type
    )
    return found | {"batches": batch, "agent": _agent_bytes(config)}


def _agent_bytes(config: RunConfig) -> int:
    """Of the matrices of an agent that learns from features of whole maps; small for all others."""
    agent = config.agent
    linear = agent.policy == "lab-1" or (agent.policy == "lab" and agent.learner in ("evidence", "linear"))
    return 2 * 8 * feature_count(config.model.layers) ** 2 if linear else 0


def check_memory(config: RunConfig, vocabulary_size: int, owners: int, device: torch.device) -> None:
    """Refuse a run whose first step cannot fit into the memory that is free.

    Raises:
        ConfigError: It cannot; the message has the figures.
    """
    needed = least_memory(config, vocabulary_size, owners, device)
    free, total = free_memory(device), sum(needed.values())
    if total > free:
        parts = ", ".join(f"{name} {_gigabytes(size)}" for name, size in needed.items())
        raise ConfigError(
            f"Expected a training step that fits into the {_gigabytes(free)} of memory that are free on {device}, but "
            f"this one takes at least {_gigabytes(total)} ({parts}).",
            "Lower model.width, model.layers, model.mlp_ratio, model.context, training.batch_size or "
            "text.vocabulary_size.",
        )


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a device now, or in the machine (a container's limit counts) for any but CUDA."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = psutil.virtual_memory().available
    try:
        with open(_LIMIT_FILE) as limit, open(_USED_FILE) as used:
            return min(free, max(0, int(limit.read()) - int(used.read())))
    except (OSError, ValueError):  # no container, or one without a limit
        return free


def expected_seconds(config: RunConfig, meter: Meter, decisions: int) -> float | None:
    """About how long some decisions will take, from what the evaluations so far have cost; None where there was none.

    Args:
        config: The run's settings.
        meter: Of its session.
        decisions: How many are to be made.
    """
    if not meter.evaluated_sequences:
        return None
    training, reward = config.training, config.reward
    rewarded = training.batch_size if reward.split == "train" else reward.windows
    trained = BACKWARD * training.steps_per_decision * training.accumulate * training.batch_size
    evaluated = training.evaluation_windows / training.evaluate_every if training.evaluate_every else 0.0
    return decisions * (trained + rewarded + evaluated) * meter.evaluation_seconds / meter.evaluated_sequences


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"
