"""A run's opening line, and what it has come to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..core.events import Opened
from ..models.counts import claimed_parameters, trainable_parameters

if TYPE_CHECKING:  # the session builds these two from itself
    from .session import Session


def opened(session: Session) -> Opened:
    """The first event of a run: what it starts from."""
    data, parts = session.data, session.parts
    return Opened(
        step=0,
        decision=0,
        config_hash=session.config.hash,
        ties=list(session.ties),
        blocks=list(session.blocks),
        untied_parameters=parts.untied_parameters,
        trainable_parameters=trainable_parameters(session.model),
        claimed_parameters=claimed_parameters(session.model),
        vocabulary_size=data.vocabulary_size,
        unigram_entropy=data.unigram_entropy,
        bytes_per_token=data.bytes_per_token,
        split_tokens={split: len(tokens) for split, tokens in data.splits.items()},
        corpus=data.description,
    )


def summarize(session: Session, episode_bytes: int) -> dict[str, Any]:
    """What a run has come to.

    Args:
        session: The run.
        episode_bytes: Allocated when its last pass over the layers began.

    Returns:
        final_validation_loss, best_validation_loss, unigram_entropy (nats per token, validation split), perplexity,
        bits_per_byte (of the final loss), owners (independent layers), blocks (distinct by storage), ties,
        trainable_parameters (counted once per storage), claimed_parameters (as the official code counts),
        untied_parameters, peak_memory_bytes (CUDA allocator's peak, or the process's largest resident set seen),
        reported_parameters and reported_memory_bytes (as `records` says that they be counted and read),
        steps_per_second (optimizer steps over the time spent in them), steps, decisions, device, config_hash,
        directory. The final loss is measured now on the scheduled evaluation's windows.
    """
    final = session.evaluate("validation").loss
    meter, records = session.meter, session.config.records
    trainable, claimed, peak = (
        trainable_parameters(session.model),
        claimed_parameters(session.model),
        meter.peak_bytes(),
    )
    return {
        "final_validation_loss": final,
        "best_validation_loss": min(final, session.best.get("validation", final)),
        "unigram_entropy": session.data.unigram_entropy,
        "perplexity": math.exp(min(final, 80.0)),
        "bits_per_byte": final / math.log(2) / session.data.bytes_per_token,
        "owners": len(session.ties.independent_layers),
        "blocks": len(set(session.blocks)),
        "ties": list(session.ties),
        "trainable_parameters": trainable,
        "claimed_parameters": claimed,
        "reported_parameters": claimed if records.parameters_reported == "per-layer" else trainable,
        "untied_parameters": session.parts.untied_parameters,
        "peak_memory_bytes": peak,
        "reported_memory_bytes": episode_bytes if records.memory_reported == "episode-start" else peak,
        "steps_per_second": meter.steps / meter.training_seconds if meter.training_seconds else None,
        "steps": session.step,
        "decisions": session.decision,
        "device": str(session.parts.device),
        "config_hash": session.config.hash,
        "directory": None if session.directory is None else str(session.directory),
    }
