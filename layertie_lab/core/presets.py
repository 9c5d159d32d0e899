"""Scales and algorithms: the two axes of `RunConfig.preset`."""

from __future__ import annotations

from typing import Any

from .errors import ConfigError

SCALES: dict[str, dict[str, Any]] = {
    "tiny": dict(
        layers=4, width=32, heads=2, context=32, batch_size=8, decisions=30, evaluation_windows=16, reward__windows=8,
        sample_tokens=40, evaluate_every=5,
    ),
    "laptop": dict(layers=12, width=64, heads=4, context=64, batch_size=16, decisions=200),
    "workstation": dict(
        layers=12, width=768, heads=12, context=256, batch_size=16, decisions=1_000, dropout=0.1, tokenizer="bpe",
        vocabulary_size=8_192, learning_rate=3e-4, corpus="wikitext-2", warmup_steps=100,
    ),
    "paper": dict(
        layers=48, width=1_600, heads=25, context=256, batch_size=16, decisions=300 * 47, dropout=0.2,
        tokenizer="hf:gpt2", corpus="wikitext-2", limit_bytes=600_000_000, learning_rate=1e-4,
    ),
}  # fmt: skip
"""Sizes. `paper`: section 4 and the official code's defaults (48 x 1600, sequence 256, batch 16, 300 episodes)."""

_Q_LEARNER: dict[str, Any] = dict(
    epsilon_start=1.0, epsilon_floor=0.01, epsilon_decay=0.95, discount=0.99, q_learning_rate=1e-3,
    q_weight_decay=0.01, hidden=128,
)  # fmt: skip
ALGORITHMS: dict[str, dict[str, Any]] = {
    "lab": dict(
        gradient="shared", on_untie="clone", chain="follow", start="tied", moments="scaled", policy="lab",
        kind="improvement", split="reward", clip=0.0,
    ),
    "paper": dict(
        gradient="owner", on_untie="clone", chain="follow", start="tied", moments="clone", policy="paper",
        kind="negative-perplexity", split="train", clip=0.0, bootstrap="next-layer", **_Q_LEARNER,
    ),
    "official-code": dict(
        gradient="owner", on_untie="alias", chain="snapshot", start="frozen-random", moments="keep",
        policy="official-code", kind="negative-perplexity", split="train", clip=10.0, bootstrap="same-layer",
        selection_split="test", parameters_reported="per-layer", memory_reported="episode-start", **_Q_LEARNER,
    ),
}  # fmt: skip
"""What the paper's text says, what its code does, and our recommendation."""


def preset(scale: str, algorithm: str) -> dict[str, Any]:
    """The settings of a scale and an algorithm, by name, where they differ from the defaults.

    Raises:
        ConfigError: Unknown scale or algorithm.
    """
    if scale not in SCALES:
        raise ConfigError(f"Expected a scale out of {', '.join(SCALES)}, but got {scale!r}.", "Use laptop.")
    if algorithm not in ALGORITHMS:
        raise ConfigError(f"Expected an algorithm out of {', '.join(ALGORITHMS)}, but got {algorithm!r}.", "Use lab.")
    return SCALES[scale] | ALGORITHMS[algorithm]
