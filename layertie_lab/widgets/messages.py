"""What a page may say to a widget: the shape of each kind of message, and the one reader that holds it to that.

A message comes from a browser, and what runs there is not ours to trust: a field may be missing, of another type, out
of range, or of any size. What a widget gets is plain values of the types that it has named, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..core.errors import LayertieError

Reader = Callable[[Any], Any]
"""Gives a field's value, or raises ValueError with the words for what was expected."""
Shape = Mapping[str, Reader]
"""Name of a field -> what reads it. Fields that are not named are left out."""

LONGEST_NAME = 1_000
"""Characters of a name, a path or a setting, at most."""
LONGEST_TEXT = 1_000_000
"""Characters of a text that a person types or pastes, at most."""
_MOST_ENTRIES = 1_000
_MOST_NUMBER = 1e300
_EXACT = 2**53
"""Beyond this a browser's numbers are not whole any more."""


def text(most: int = LONGEST_NAME) -> Reader:
    """A text of so many characters at most, each of them one that can be written (no half of a surrogate pair)."""

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("a text")
        if len(value) > most:
            raise ValueError(f"a text of at most {most:,} characters")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("a text of whole characters") from None
        return value

    return read


def whole(least: int = 0, most: int = _EXACT) -> Reader:
    """A whole number of a range, both ends included."""

    def read(value: Any) -> int:
        if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
            value = int(value)  # some hosts turn all numbers into floats
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return read


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def scalar(most: int = LONGEST_NAME) -> Reader:
    """What a field of a form holds: a text, true or false, or a finite number."""
    written = text(most)

    def read(value: Any) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            if not abs(value) < _MOST_NUMBER:  # no number that is none either
                raise ValueError("a finite number")
            return value
        return written(value)

    return read


def optional(reader: Reader) -> Reader:
    """The same, or nothing: a missing field and null are None."""

    def read(value: Any) -> Any:
        return None if value is None else reader(value)

    return read


def table(reader: Reader) -> Reader:
    """Values under names that the browser chooses."""
    name = text()

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or len(value) > _MOST_ENTRIES:
            raise ValueError(f"at most {_MOST_ENTRIES:,} values by name")
        return {name(key): reader(each) for key, each in value.items()}

    return read


def anything(value: Any) -> Any:
    """Whatever came, to be read further by whoever asked."""
    return value


def read(message: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """The fields of a message that its shape names, each of its type.

    Raises:
        LayertieError: One is missing, of another type, or out of range.
    """
    found: dict[str, Any] = {}
    for name, reader in shape.items():
        try:
            found[name] = reader(message.get(name))
        except ValueError as error:
            raise LayertieError(
                f"Expected {error} as {name}, but the page sent {shown(message.get(name))}.", "Reload the page."
            ) from None
    return found


def shown(value: Any) -> str:
    """A value of a message in a few words, whatever it is."""
    if isinstance(value, str | bytes | list | dict):
        return f"{type(value).__name__} of length {len(value)}" if len(value) > 40 else ascii(value)[:200]
    return ascii(value)[:60] if isinstance(value, int | float | bool | None) else type(value).__name__
