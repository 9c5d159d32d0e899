"""Plain values, as JSON holds them, read strictly: of bounded depth, finite, of the types that were declared.

What a run's files hold may have been damaged, written by another version or made up by somebody else. Whoever reads
them here gets the values that the file's own writer would write, or one `ValueError` that says why not.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import sys
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

DEPTH = 64
"""Lists and objects inside one another; the deepest file that is written here has 9."""
_MOST = 1 << 63
"""Whole numbers are below it in size: what a column of 64 bits holds."""
_HUGE = int(sys.float_info.max)
_OVERFLOWING = re.compile(r"[eE]\+?0*[1-9]\d\d|\d{300}")
"""Whether a number may be too large for a float: `json` reads 1e999 as infinity without a word."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str | bytes, *, finite: bool = True) -> Any:
    """The value that a JSON text holds.

    Args:
        text: In UTF-8 where it is bytes.
        finite: Refuse NaN and infinity, which JSON does not have. A state may hold them: that of a run that diverged.

    Raises:
        ValueError: No JSON, nested more than `DEPTH` deep, a number or a character that cannot be passed on.
    """
    words = text.decode() if isinstance(text, bytes) else text
    value = _decoded(words, _FINITE if finite else _ANY)
    if _OVERFLOWING.search(words):
        _check_leaves(value, finite)
    return value


def parse_object(text: str | bytes, *, finite: bool = True) -> dict[str, Any]:
    """As `parse_json`, of a text that holds an object.

    Raises:
        ValueError: As there, or it holds something else.
    """
    return _object(parse_json(text, finite=finite))


def parse_line(line: str | bytes) -> dict[str, Any]:
    """As `parse_object`, at half its price, of a line whose values are then checked by `of_type`.

    Raises:
        ValueError: As there, but that a number may be too large.
    """
    return _object(_decoded(line.decode() if isinstance(line, bytes) else line, _FINITE))


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain value is of a declared type: `list[int]`, `dict[str, float] | None`, a dataclass's fields, ...

    A whole number fits `float`, as JSON does not tell them apart; true and false fit `bool` alone.
    """
    return _checker(hint)(value)


def of_type(values: Any, cls: type, *, more: bool = False) -> dict[str, Any]:
    """The arguments of a dataclass from plain values, each checked.

    Args:
        values: Name -> value, as read.
        cls: The dataclass; fields with a default may be missing.
        more: Pass over names that it does not have, which later versions may have added.

    Raises:
        ValueError: No object, a value that is missing or of another type, or a name that is not known.
    """
    if not isinstance(values, dict):
        raise ValueError(f"it holds {kind_of(values)} and no object")
    known, needed = _fields(cls)
    for name, value in values.items():
        check = known.get(name)
        if check is not None:
            if not check(value):
                raise ValueError(f"{name} is {_shown(value)}")
        elif not more:
            raise ValueError(f"{name!r} is not known")
    for name in needed:
        if name not in values:
            raise ValueError(f"{name} is missing")
    return {name: value for name, value in values.items() if name in known} if more else values


def kind_of(value: Any) -> str:
    """A plain value's kind in words."""
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(value), "nothing")


def _decoded(words: str, decoder: json.JSONDecoder) -> Any:
    if words.count("[") + words.count("{") > DEPTH and _depth(words) > DEPTH:
        raise ValueError(f"it is nested more than {DEPTH} deep")
    try:
        value = decoder.decode(words)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if "\\" in words and _SURROGATE.search(words):
        _check_leaves(value, False)
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"it holds {kind_of(value)} and no object")
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number in JSON")


_FINITE, _ANY = json.JSONDecoder(parse_constant=_refuse), json.JSONDecoder()


@cache
def _fields(cls: type) -> tuple[dict[str, Callable[[Any], bool]], tuple[str, ...]]:
    hints = get_type_hints(cls)
    own = dataclasses.fields(cls)
    missing = dataclasses.MISSING
    needed = tuple(f.name for f in own if f.default is missing and f.default_factory is missing)
    return {f.name: _checker(hints[f.name]) for f in own}, needed


@cache
def _checker(hint: Any) -> Callable[[Any], bool]:
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        each = [_checker(argument) for argument in arguments]
        return lambda value: any(check(value) for check in each)
    if origin is Literal:
        return lambda value: type(value) is str and value in arguments
    if origin in (list, tuple):
        each_of = _all(arguments[0])
        return lambda value: type(value) in (list, tuple) and each_of(value)
    if origin in (dict, Mapping):
        each_of = _all(arguments[1])
        return lambda value: type(value) is dict and each_of(value.values())
    if dataclasses.is_dataclass(hint):
        known, needed = _fields(hint)  # type: ignore[arg-type]
        return lambda value: (
            type(value) is dict
            and all(name in value for name in needed)
            and all(name in known and known[name](inside) for name, inside in value.items())
        )
    raise TypeError(f"no plain value is of type {hint}")


def _all(hint: Any) -> Callable[[Any], bool]:
    """Whether all of several values are of a type; of whole numbers, as in tie maps, without a call for each."""
    if hint is int:
        return lambda values: (
            not values or ({*map(type, values)} == {int} and min(values) > -_MOST and max(values) < _MOST)
        )
    check = _checker(hint)
    return lambda values: all(map(check, values))


def _whole(value: Any) -> bool:
    return type(value) is int and -_MOST < value < _MOST


def _number(value: Any) -> bool:
    return (type(value) is float and math.isfinite(value)) or _whole(value)


_PLAIN: dict[Any, Callable[[Any], bool]] = {
    int: _whole,
    float: _number,
    str: lambda value: type(value) is str,
    bool: lambda value: type(value) is bool,
    None: lambda value: value is None,
    type(None): lambda value: value is None,
    Any: lambda value: True,
    dict: lambda value: type(value) is dict,
    list: lambda value: type(value) is list,
}


def _depth(words: str) -> int:
    """The deepest nesting of a JSON text, by its brackets outside of strings."""
    deepest = depth = 0
    inside = escaped = False
    for character in words:
        if inside:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                inside = False
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            if depth > DEPTH:  # deep enough to be refused
                return depth
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _check_leaves(value: Any, finite: bool) -> None:
    """Refuse what `json` reads and nobody can go on with: half a character, and (where asked) infinity.

    Whole numbers are read at any length; one that no float holds raises OverflowError wherever it is reckoned with.
    """
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            rest += [*one, *one.values()]
        elif isinstance(one, list):
            rest += one
        elif isinstance(one, str):
            one.encode()  # UnicodeEncodeError is a ValueError
        elif (isinstance(one, int) and abs(one) > _HUGE) or (
            finite and isinstance(one, float) and not math.isfinite(one)
        ):
            raise ValueError("it holds a number that is too large")


def _shown(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= 40 else f"{words[:40]}..."
