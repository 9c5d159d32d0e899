"""What may be asked of a model that continues a text: how many tokens, and how freely each is drawn."""

from __future__ import annotations

from .errors import ConfigError
from .ranges import Range

PROMPT_TOKENS = 16
"""Tokens of the validation text that are continued where no prompt is given."""
TEMPERATURE = 0.8
"""What the logits are divided by where nothing else is asked for."""
TEMPERATURES = Range(0, 10)
"""0 takes the likeliest token each time."""
LENGTHS = Range(1, 10_000, unit="tokens")
"""How many tokens may be asked for at once."""


def check_sampling(tokens: int, temperature: float) -> None:
    """Refuse what no text can be drawn with.

    Raises:
        ConfigError: Not a whole number of tokens, not a number as the temperature, or one out of range.
    """
    if isinstance(tokens, bool) or not isinstance(tokens, int):
        raise ConfigError(f"Expected a whole number of tokens, but got {tokens!r}.", "Give one, such as 200.")
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        raise ConfigError(f"Expected a number as the temperature, but got {temperature!r}.", "Give one, such as 0.8.")
    LENGTHS.check("tokens", tokens, 200)
    TEMPERATURES.check("temperature", temperature, TEMPERATURE)
