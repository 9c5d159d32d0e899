"""Messages as no page of ours would send them: of other types, sizes and kinds, made from the shapes of a widget."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from layertie_lab.widgets.panel import Panel

HUGE = "x" * 1_200_000
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    7,
    2**31,
    2**63,
    2**64,
    -(2**63),
    10**24,
    10**400,
    0.5,
    -0.0,
    1e300,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    " ",
    "0",
    "-1",
    "1e999",
    "nan",
    "present",
    "decision-1",
    "decision-x",
    "0 1 1",
    "\u00b2",
    "9" * 5_000,
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a\0b",
    "\ud800",
    "\u202e\u0007\x1b[2J",
    "<script>alert(1)</script>",
    "[/]",
    "{0}",
    "%s",
    "x" * 300,
    "x" * 5_000,
    HUGE,
    "hf:",
    "hf:/etc",
    b"bytes",
    [],
    [1],
    ["a", None],
    {},
    {"a": 1},
    {"kind": "press"},
    (),
]
KINDS = ("ready", "ping", "call", "close", "eval", "__init__", "_hear", "", "\0", "press ", "PRESS")
PLAUSIBLE: dict[str, list[Any]] = {
    "command": ["step", "run", "pause", "commit", "save", "set_keep", "close", "call", "set_throttle"],
    "arguments": [
        {},
        {"choice": 0, "decision": 1},
        {"decisions": 2},
        {"keep": True},
        {"name": "../x"},
        {"finish": True},
    ],
    "path": ["text.corpus", "seed", "decisions", "agent.map", "model.layers", "scale", "algorithm", "ties.rules"],
    "name": ["", "this run", "mine", "own", "stage", "20200101-0000"],
    "format": ["csv", "json", "parquet", "exe"],
    "values": [
        {"moment": "decision-1", "answer": "0", "statement": "s", "plan": "two", "expected": "x"},
        {"moment": "present", "answer": "1", "horizon": "nan", "smallest_difference": "inf"},
        {"moment": "a-b-c", "answer": "99999999999999999999", "answers": "1 2 \u0663", "after": "recorded"},
        {"independent": "0, \u0663, -99", "most_owners": "1e9", "neighbours": "yes", "locked": "-0"},
        {"independent": True, "most_owners": 2.5, "neighbours": "", "locked": 0},
    ],
    "answers": [
        {},
        {"1": 0},
        {"1": 5},
        {"-1": 0},
        {"\u0663": 0},
        {"1e3": 1},
        {"0": 0},
        {str(n): 0 for n in range(999)},
    ],
    "text": ["some words of a probe text, long enough to be one", "\u0663" * 50, "\0" * 50],
}


def odd_messages(widget: Panel, draw: random.Random) -> Iterator[Any]:
    """Without end. About a third has the right kind and fields, with values from anywhere."""
    kinds = [*widget.HEARS]
    while True:
        what = draw.random()
        if what < 0.05 or not kinds:
            yield draw.choice(ODD)
        elif what < 0.1:
            yield {"kind": draw.choice([*KINDS, *ODD]), "id": draw.choice(ODD)}
        else:
            kind = draw.choice(kinds)
            message: dict[Any, Any] = {"kind": kind}
            for name in widget.HEARS[kind]:
                if draw.random() < 0.9:
                    message[name] = draw.choice([*PLAUSIBLE.get(name, []) * 4, *ODD])
                if isinstance(message.get(name), dict) and draw.random() < 0.5:
                    message[name] = _changed(message[name], draw)
            if draw.random() < 0.2:
                message[draw.choice(["id", "sent", "extra", "buttons"])] = draw.choice(ODD)
            if draw.random() < 0.05:
                message["deep"] = _deep(draw.randrange(900))
            yield message


def odd_states(widget: Panel, draw: random.Random) -> Iterator[dict[str, Any]]:
    """State as a page would send it to set attributes. Without end."""
    names = [*widget.keys, "no_such_thing"]
    while True:
        yield {name: draw.choice(ODD) for name in draw.sample(names, k=min(3, len(names)))}


def _changed(values: dict[Any, Any], draw: random.Random) -> dict[Any, Any]:
    changed = dict(values)
    for name in values:
        if draw.random() < 0.4:
            changed[name] = draw.choice(ODD)
    return changed


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value
