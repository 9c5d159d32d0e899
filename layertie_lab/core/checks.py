"""What makes a config runnable. Each refusal says what was expected, what came and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ConfigError
from .rules import Rules

if TYPE_CHECKING:  # config imports this module; the annotation alone needs the name
    from .config import RunConfig

_AT_LEAST_ONE = (
    "decisions", "model.layers", "model.width", "model.heads", "model.context", "model.mlp_ratio",
    "training.steps_per_decision", "training.batch_size", "training.accumulate", "training.evaluation_windows",
    "reward.windows", "records.sample_tokens", "records.probe_sequences", "text.limit_bytes", "agent.hidden",
)  # fmt: skip
_AT_LEAST_ZERO = (
    "seed", "replicate", "agent.blocks", "agent.q_weight_decay", "reward.clip", "reward.price", "training.warmup_steps",
    "training.weight_decay", "training.gradient_clip", "training.threads", "training.evaluate_every",
    "records.sample_every", "records.checkpoint_seconds", "records.moment_every",
    "records.snapshot_mebibytes",
)  # fmt: skip
_SHARES = (
    "agent.epsilon_start", "agent.epsilon_floor", "agent.epsilon_decay", "agent.unshare_at", "reward.target_share",
    "training.final_rate",
)  # fmt: skip
_BELOW_ONE = ("model.dropout", "agent.discount", "training.beta1", "training.beta2")
_POSITIVE = ("training.learning_rate", "agent.q_learning_rate", "agent.explore_share", "agent.memory_passes")


def _value(config: RunConfig, path: str) -> float:
    target: object = config
    for part in path.split("."):
        target = getattr(target, part)
    return target  # type: ignore[return-value]


def _refuse(path: str, expected: str, value: object) -> None:
    raise ConfigError(
        f"Expected {path} to be {expected}, but got {value!r}.", f"Set {path.split('.')[-1]} accordingly."
    )


def check(config: RunConfig) -> None:
    """Raise ConfigError unless the config can be run."""
    for path in _AT_LEAST_ONE:
        if not _value(config, path) >= 1:
            _refuse(path, "at least 1", _value(config, path))
    for path in _AT_LEAST_ZERO:
        if not _value(config, path) >= 0:
            _refuse(path, "0 or more", _value(config, path))
    for path in _SHARES:
        if not 0 <= _value(config, path) <= 1:
            _refuse(path, "between 0 and 1", _value(config, path))
    for path in _BELOW_ONE:
        if not 0 <= _value(config, path) < 1:
            _refuse(path, "at least 0 and below 1", _value(config, path))
    for path in _POSITIVE:
        if not _value(config, path) > 0:
            _refuse(path, "above 0", _value(config, path))
    _check_model(config)
    Rules.parse(config.ties.rules).check_layers(config.model.layers)
    _check_ties(config)
    _check_rest(config)


def _check_model(config: RunConfig) -> None:
    model = config.model
    if model.layers < 2:
        raise ConfigError(f"Expected at least 2 layers, but got {model.layers}.", "With one layer nothing can be tied.")
    if model.width % model.heads:
        near = [h for h in range(1, model.width + 1) if model.width % h == 0]
        best = min(near, key=lambda h: abs(h - model.heads))
        raise ConfigError(
            f"Expected a number of heads that divides the width {model.width}, but got {model.heads} heads.",
            f"Use {best} heads, or a width of {model.heads * max(1, round(model.width / model.heads))}.",
        )
    if model.positions == "rotary" and (model.width // model.heads) % 2:
        raise ConfigError(
            f"Expected an even head size for rotary positions, but got {model.width // model.heads}.",
            "Change the width or the heads, or use learned positions.",
        )


def _check_ties(config: RunConfig) -> None:
    ties = config.ties
    if ties.on_untie == "alias" and ties.chain == "follow":
        raise ConfigError(
            'Expected chain="snapshot" with on_untie="alias", but got chain="follow".',
            'An aliased layer has no block of its own for others to follow: use chain="snapshot", or on_untie="clone".',
        )
    allowed = {"clone": ("clone", "reset", "rebuild"), "alias": ("keep", "reset")}[ties.on_untie]
    if ties.moments not in allowed:
        names = " or ".join(f'"{name}"' for name in allowed)
        raise ConfigError(
            f'Expected moments={names} with on_untie="{ties.on_untie}", but got moments="{ties.moments}".',
            f'Use moments="{allowed[0]}", or another on_untie.',
        )


def _check_rest(config: RunConfig) -> None:
    if config.agent.blocks > config.model.layers:
        raise ConfigError(
            f"Expected at most {config.model.layers} blocks, one per layer, but got {config.agent.blocks}.",
            "Lower agent.blocks.",
        )
    if config.reward.split == "test" and config.algorithm != "official-code":
        raise ConfigError(
            "Expected a reward that does not see the test split, but got reward.split=test.",
            'Use "reward" or "validation"; only the official code looks at test.',
        )
    if config.training.selection_split == "test" and config.algorithm != "official-code":
        raise ConfigError(
            "Expected the best model to be chosen on validation, but got selection_split=test.",
            'Use "validation"; only the official code chooses on test.',
        )
    device = config.training.device
    if device not in ("auto", "cpu", "cuda", "mps") and not (device.startswith("cuda:") and device[5:].isdigit()):
        raise ConfigError(f"Expected a device out of auto, cpu, cuda, cuda:N, mps, but got {device!r}.", "Use auto.")
    if config.text.vocabulary_size < 256:
        raise ConfigError(
            f"Expected a bpe vocabulary of at least 256 tokens (one per byte), but got {config.text.vocabulary_size}.",
            "Raise vocabulary_size, or use the characters tokenizer.",
        )
