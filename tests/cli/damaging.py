"""Ways to damage a file of a run, drawn from a seed."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path, random.Random], None]
_NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_VALUE = re.compile(rb'(?<=:)\s*(-?\d+(\.\d+)?([eE][-+]?\d+)?|"[^"\\]*"|true|false|null|\[\]|\{\})')
_DEEP = b"[" * 100_000
_OTHERS = (
    b"null",
    b"[]",
    b"{}",
    b'"x"',
    b"true",
    b"-1",
    b"1e999",
    b"NaN",
    b"-Infinity",
    b"9" * 400,
    b'"\\ud800"',
    b"[[]]",
)


def _write(path: Path, data: bytes) -> None:
    """As another file: what lay there may be linked from elsewhere."""
    path.unlink()
    path.write_bytes(data)


def truncate(path: Path, draw: random.Random) -> None:
    """Cut short, half of the time between two lines."""
    data = path.read_bytes()
    end = draw.randrange(len(data)) if data else 0
    if draw.random() < 0.5:
        end = data.rfind(b"\n", 0, end) + 1
    _write(path, data[:end])


def flip(path: Path, draw: random.Random) -> None:
    """One bit, anywhere."""
    data = bytearray(path.read_bytes())
    if data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    _write(path, bytes(data))


def other_digit(path: Path, draw: random.Random) -> None:
    """One digit for another."""
    data = bytearray(path.read_bytes())
    digits = [place for place, byte in enumerate(data[: 1 << 20]) if 48 <= byte < 58]
    if digits:
        place = draw.choice(digits)
        data[place] = draw.choice([digit for digit in range(48, 58) if digit != data[place]])
    _write(path, bytes(data))


def zero(path: Path, draw: random.Random) -> None:
    """A stretch of zeros, or nothing but zeros."""
    data = bytearray(path.read_bytes())
    start = draw.choice([0, draw.randrange(len(data) or 1)])
    size = draw.choice([len(data), 512, 4])
    data[start : start + size] = bytes(len(data[start : start + size]))
    _write(path, bytes(data))


def other_type(path: Path, draw: random.Random) -> None:
    """One value for one of another type, as after another program has written it."""
    data = path.read_bytes()
    found = list(_VALUE.finditer(data[: 1 << 20]))
    if not found:
        return flip(path, draw)
    match = draw.choice(found)
    return _write(path, data[: match.start(1)] + draw.choice(_OTHERS) + data[match.end(1) :])


def not_finite(path: Path, draw: random.Random) -> None:
    """One number for one that JSON has not got, or that no float holds."""
    data = path.read_bytes()
    found = list(_NUMBER.finditer(data[: 1 << 20]))
    if not found:
        return flip(path, draw)
    match = draw.choice(found)
    return _write(path, data[: match.start()] + draw.choice([b"NaN", b"Infinity", b"1e999"]) + data[match.end() :])


def deep(path: Path, draw: random.Random) -> None:
    """Nested as no file is: all of it, one value, or one more line."""
    data = path.read_bytes()
    found = list(_VALUE.finditer(data[: 1 << 20]))
    how = draw.randrange(3)
    if how == 0 or not found:
        return _write(path, draw.choice([_DEEP, _DEEP + b"]" * len(_DEEP), b'{"a":' * 2_000 + b"1" + b"}" * 2_000]))
    if how == 1:
        return _write(path, data + b'{"kind":' + _DEEP + b"]" * len(_DEEP) + b"}\n")
    match = draw.choice(found)
    nested = b"[" * 200 + b"]" * 200
    return _write(path, data[: match.start(1)] + nested + data[match.end(1) :])


def lines_moved(path: Path, draw: random.Random) -> None:
    """A line left out, given twice, or two exchanged; or all of them backwards."""
    lines = path.read_bytes().splitlines(keepends=True)
    if len(lines) < 2:
        return flip(path, draw)
    one, other = draw.sample(range(len(lines)), 2)
    how = draw.randrange(4)
    if how == 0:
        del lines[one]
    elif how == 1:
        lines.insert(other, lines[one])
    elif how == 2:
        lines[one], lines[other] = lines[other], lines[one]
    else:
        lines.reverse()
    return _write(path, b"".join(lines))


def other_format(path: Path, draw: random.Random) -> None:
    """Of another version."""
    data = path.read_bytes()
    changed, count = re.subn(rb'("format":\s*)\d+', rb"\g<1>99", data)
    if not count:  # a file without a number of its own: a name that no version knows
        changed = re.sub(rb"^\{", b'{"later": 1, ', data, count=1, flags=re.MULTILINE)
    _write(path, changed)


def link(path: Path, draw: random.Random) -> None:
    """A link: to itself, to nothing, out of the run, or to the very file."""
    away = path.with_name("elsewhere.tmp")
    shutil.copyfile(path, away)
    path.unlink()
    path.symlink_to(draw.choice([path, path.with_name("nowhere"), Path("/etc/hostname"), Path("/dev/zero"), away]))


def pipe(path: Path, draw: random.Random) -> None:
    """A named pipe, at whose end nobody writes."""
    path.unlink()
    os.mkfifo(path)


def folder(path: Path, draw: random.Random) -> None:
    """A folder in its place."""
    path.unlink()
    path.mkdir()


DAMAGES: tuple[Damage, ...] = (
    truncate,
    flip,
    other_digit,
    zero,
    other_type,
    not_finite,
    deep,
    lines_moved,
    other_format,
    link,
    pipe,
    folder,
)
