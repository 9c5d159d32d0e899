"""A text that a model continues: which tokens it begins with, and the ones that are drawn after them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ..core.errors import ConfigError, CorpusError
from ..core.sampling import PROMPT_TOKENS, check_sampling
from ..models.tied_model import Generates, TiedModel
from ..text.dataset import TokenData

_AT_ONCE = 16
"""Tokens between two tellings of how far it is."""
_GREEDY_BELOW = 1e-6
"""A lower temperature takes the likeliest token all the same, and divides logits beyond what a float holds."""


def prompt_ids(data: TokenData, prompt: str | int | None = None) -> list[int]:
    """The token ids that a text begins with.

    Args:
        data: The run's text, with its tokenizer.
        prompt: A text; or how many tokens of the validation text's start; None and "" are 16 of them.

    Raises:
        ConfigError: Neither a text nor a number of tokens that the validation text has.
        CorpusError: A character that the tokenizer does not know, or a text that is no token to it.
    """
    start = data.splits["validation"]
    if prompt is None or prompt == "":
        prompt = PROMPT_TOKENS
    if isinstance(prompt, str):
        ids = data.tokenizer.encode(prompt).tolist()
        if not ids:
            raise CorpusError(
                f"Expected a prompt of at least one token, but the tokenizer {data.tokenizer.name} finds none in it.",
                "Type some more, or leave it empty.",
            )
        return ids
    if isinstance(prompt, bool) or not isinstance(prompt, int) or prompt < 1:
        raise ConfigError(
            f"Expected a text, or a number of tokens from 1 on, as the prompt, but got {prompt!r}.",
            "Give one, or leave it out for the start of the validation text.",
        )
    return start[:prompt].astype("int64").tolist()


def continue_ids(
    model: TiedModel,
    ids: Sequence[int],
    tokens: int,
    *,
    seed: int,
    temperature: float,
    tell: Callable[[float], None] = lambda share: None,
) -> list[int]:
    """The ids that a model writes after others.

    Equal seeds draw equal noise at equal places, so that two models with equal predictions write the same.

    Args:
        model: It.
        ids: What it continues; it reads as many of the last ones as its context holds.
        tokens: How many it writes.
        seed: Of the draws.
        temperature: What the logits are divided by; 0 takes the likeliest token each time.
        tell: Called with the share done, 0 to 1; what it raises ends the writing.

    Raises:
        ConfigError: The model does not continue sequences, or `tokens` or `temperature` is out of range.
    """
    if not isinstance(model, Generates):
        raise ConfigError(
            f"Expected a model that continues a text, but a {type(model).__name__} has no method `generate`.",
            "Look at its losses instead.",
        )
    check_sampling(tokens, temperature)
    generator = torch.Generator().manual_seed(seed)
    device = next(iter(model.parameters())).device
    written = torch.tensor([list(ids)[-model.context :]], dtype=torch.int64, device=device)  # [1, read]
    read = written.shape[1]
    while (left := tokens + read - written.shape[1]) > 0:
        tell(1 - left / tokens)
        written = model.generate(
            written,
            min(_AT_ONCE, left),
            generator=generator,
            temperature=temperature if temperature >= _GREEDY_BELOW else 0.0,
        )
    tell(1.0)
    return written[0, read:].tolist()
