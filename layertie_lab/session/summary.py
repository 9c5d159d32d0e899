"""A run's opening line, and what it has come to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..core.events import Opened
from ..core.measures import perplexity
from ..models.counts import claimed_parameters, trainable_parameters
from .evaluator import Evaluator
from .state import RunState


def opened(state: RunState) -> Opened:
    """The first event of a run that starts here."""
    components = state.components
    data, model = components.data, components.model
    return Opened(
        step=0,
        decision=0,
        config_hash=state.config.hash,
        ties=list(state.ties),
        blocks=list(state.blocks),
        untied_parameters=components.untied_parameters,
        trainable_parameters=trainable_parameters(model),
        claimed_parameters=claimed_parameters(model),
        vocabulary_size=data.vocabulary_size,
        unigram_entropy=data.unigram_entropy,
        bytes_per_token=data.bytes_per_token,
        split_tokens={split: len(tokens) for split, tokens in data.splits.items()},
        corpus=data.description,
    )


def summarize(state: RunState, evaluator: Evaluator, directory: Path | None) -> dict[str, Any]:
    """What a run has come to.

    Args:
        state: The run.
        evaluator: Of the run.
        directory: Where it is recorded.

    Returns:
        final_validation_loss, best_validation_loss, unigram_entropy (nats per token, validation split), perplexity,
        bits_per_byte (of the final loss), owners (independent layers), blocks (distinct by storage), ties,
        trainable_parameters (counted once per storage), claimed_parameters (as the official code counts),
        untied_parameters, peak_memory_bytes (CUDA allocator's peak, or the process's largest resident set seen),
        reported_parameters and reported_memory_bytes (as `records` says that they be counted and read),
        steps_per_second (optimizer steps over the time spent in them), steps (those of a decision under way included,
        for they are not trained again), decisions (with an outcome), device, config_hash, directory. The final loss is
        measured now on the scheduled evaluation's windows.
    """
    final = evaluator.evaluate("validation").loss
    components, meter, records = state.components, evaluator.meter, state.config.records
    trainable, claimed = evaluator.counts()
    peak, episode = meter.peak_bytes(), evaluator.episode_bytes()
    return {
        "final_validation_loss": final,
        "best_validation_loss": min(final, state.best.get("validation", final)),
        "unigram_entropy": components.data.unigram_entropy,
        "perplexity": perplexity(final),
        "bits_per_byte": final / math.log(2) / components.data.bytes_per_token,
        "owners": len(state.ties.independent_layers),
        "blocks": len(set(state.blocks)),
        "ties": list(state.ties),
        "trainable_parameters": trainable,
        "claimed_parameters": claimed,
        "reported_parameters": claimed if records.parameters_reported == "per-layer" else trainable,
        "untied_parameters": components.untied_parameters,
        "peak_memory_bytes": peak,
        "reported_memory_bytes": episode if records.memory_reported == "episode-start" else peak,
        "steps_per_second": meter.steps / meter.training_seconds if meter.training_seconds else None,
        "steps": state.step,
        "decisions": state.decision - (state.pending is not None),
        "device": str(components.device),
        "config_hash": state.config.hash,
        "directory": None if directory is None else str(directory),
    }
