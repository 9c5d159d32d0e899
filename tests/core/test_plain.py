"""JSON read strictly: depth, finite numbers, whole characters, declared types."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from layertie_lab.core.errors import RecordError
from layertie_lab.core.events import EVENTS, Opened, Stepped, parse
from layertie_lab.core.plain import DEPTH, fits, of_type, parse_json, parse_object


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * (DEPTH + 1) + "1" + "}" * (DEPTH + 1),
        "NaN",
        '{"a": -Infinity}',
        "[1e999]",
        '{"a": [-1E+400]}',
        "1" + "0" * 400 + ".0",
        "9" * 5_000,
        "9" * 400,
        '{"a": [-1' + "0" * 309 + "]}",
        '"\\ud800"',
        '{"\\udc00": 1}',
        b"\xff",
        b'{"a": 1',
    ],
)
def test_what_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):  # in words: it ends in a sentence about a file
        parse_json(text)


def test_what_is_read() -> None:
    deepest = json.loads("[" * DEPTH + "]" * DEPTH)
    for value in (
        None,
        1,
        1e300,
        "é\U0001f600",
        "[" * 200 + '\\"{',
        [[1], {"a": "\U0001f600"}],
        deepest,
    ):
        assert parse_json(json.dumps(value)) == value
        assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value
    assert parse_json("[NaN, Infinity]", finite=False)[1] == float("inf")
    assert parse_json(str(1 << 128)) == 1 << 128  # the counter of a generator
    with pytest.raises(ValueError, match="too large"):
        parse_json("9" * 400, finite=False)
    for text in ("[]", "1", "null", '"x"'):
        with pytest.raises(ValueError, match="and no object"):
            parse_object(text)


@dataclass
class Inner:
    x: float


@dataclass
class Outer:
    kind: Literal["a", "b"]
    count: int
    parts: list[int]
    named: dict[str, float] | None
    inner: Inner | None = None
    more: list[Inner] = field(default_factory=list)


WHOLE = {"kind": "a", "count": 1, "parts": [0, 2], "named": {"x": 1}, "inner": {"x": 2.5}, "more": [{"x": 0}]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "c"),
        ("kind", None),
        ("count", True),
        ("count", 1.0),
        ("count", 1 << 63),
        ("parts", [1, True]),
        ("parts", [1, 1.5]),
        ("parts", [1 << 70]),
        ("parts", {}),
        ("named", {"x": "1"}),
        ("named", {"x": float("inf")}),
        ("named", []),
        ("inner", {"x": None}),
        ("inner", {}),
        ("inner", {"x": 1, "y": 2}),
        ("more", [{"x": 1}, 1]),
        ("unknown", 1),
    ],
)
def test_values_of_other_types_are_refused(name: str, value: Any) -> None:
    assert of_type(dict(WHOLE), Outer) == WHOLE
    with pytest.raises(ValueError, match=name):
        of_type(WHOLE | {name: value}, Outer)
    assert fits(WHOLE, Outer)
    assert not fits(WHOLE | {name: value}, Outer)


def test_what_is_missing_and_what_came_later() -> None:
    for name in ("kind", "count", "parts", "named"):
        with pytest.raises(ValueError, match=f"{name} is missing"):
            of_type({key: value for key, value in WHOLE.items() if key != name}, Outer)
    assert of_type(WHOLE | {"later": 1}, Outer, more=True) == WHOLE


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_no_field_of_an_event_takes_another_type(kind: type) -> None:
    """Each field of each kind, with a value of no type that an event has."""
    known = Opened(0, 0, "0", [0], [0], 1, 1, 1, 1, 1.0, 1.0, {"train": 1}, "x").to_dict()
    known |= Stepped(1, 1, 0.5, 0.1, 2.0).to_dict()
    for name in kind.__dataclass_fields__:
        values = {"event": kind.event} | {key: known[key] for key in known if key in kind.__dataclass_fields__}
        for odd in ([[]], {"a": {}}, [None]):
            with pytest.raises(RecordError):
                parse(json.dumps(values | {name: odd}))
