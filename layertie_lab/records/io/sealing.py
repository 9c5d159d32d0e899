"""Safetensors files with a digest over everything in them, tensors and header alike."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from ...core.errors import RecordError
from ...core.plain import fits, parse_object
from .regular import open_regular

# A torch.Tensor. This room names no torch, so that reading a run needs none; safetensors brings it with the tensors.
Tensor: TypeAlias = Any

EARLIER = "Use an earlier checkpoint; resuming without naming one does so by itself."
"""What to do about a checkpoint that cannot be used."""
_BLANK = "0" * 64
_FIELD = b'"digest":"'
_SEAL = "seal"
_BLOCK = 1 << 22
_LARGEST_HEADER = 1 << 30


def write(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str], *, sync: bool = True) -> None:
    """Write a file that `read` will check; with `sync` it then survives a power failure.

    The digest stands in the header, in front of the data it covers, so the file is written with a blank one first.

    Raises:
        RecordError: Tensors that share memory, or of a kind that cannot be stored.
        OSError: The disk refuses.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        plain = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        save_file(plain, path, metadata={**header, _SEAL: _seal(header), "digest": _BLANK})
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise RecordError(f"Expected tensors that safetensors can store, but it says: {error}.") from None
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
    except (RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise RecordError(
            f"Expected dense tensors that share no memory, but safetensors says: {said[:300]}",
            "Save each storage once, under one name.",
        ) from None
    with open(path, "r+b") as file:
        place = 8 + _digest_place(_raw_header(file, path), path)
        file.seek(place)
        file.write(_digest(path, place))
        file.flush()
        if sync:
            os.fsync(file.fileno())


def read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The text values and the tensors (on the CPU, each with its own memory), after checking the digest.

    Raises:
        RecordError: The file is damaged or gone.
    """
    from safetensors import SafetensorError

    try:
        for _ in range(10):
            before = _identity(path)
            try:
                found = _read(path)
            except (RecordError, SafetensorError):
                found = None
            # Between the reads a writer may have put a new file in its place; then look again.
            if _identity(path) == before:
                if found is None:
                    break
                return found
    except OSError as error:
        raise damaged(path, f"it cannot be read ({error.strerror})") from error
    raise damaged(path)


def read_header(path: Path) -> dict[str, str]:
    """The text values saved with the tensors, without reading these: only the header's own digest is checked.

    Raises:
        RecordError: The header is damaged.
        FileNotFoundError: No such file.
        OSError: It cannot be read, or is no regular file.
    """
    with open_regular(path, buffering=-1) as file:
        return _values(_raw_header(file, path), path)


def _identity(path: Path) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns, status.st_size


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]] | None:
    """As `read`; None where the digest does not fit."""
    from safetensors import safe_open

    with open_regular(path, buffering=-1) as file:
        raw = _raw_header(file, path)
    place = _digest_place(raw, path)
    if raw[place : place + len(_BLANK)] != _digest(path, 8 + place):
        return None
    with safe_open(path, framework="pt") as file:
        # A tensor as it comes lies at any address inside the file's mapping. A copy is aligned, so that kernels give
        # the same bits as before, and does not keep the file open.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - not a dict
    return _values(raw, path), tensors


def _values(raw: bytes, path: Path) -> dict[str, str]:
    try:
        values = parse_object(raw)["__metadata__"]
    except (ValueError, KeyError):
        raise damaged(path) from None
    if not fits(values, dict[str, str]):
        raise damaged(path)
    seal = values.pop(_SEAL, None)  # older files have none; the digest over everything then says the same, later
    if seal is not None and seal != _seal(values):
        raise damaged(path)
    return values


def _seal(header: Mapping[str, str]) -> str:
    """A digest of the text values alone: lists of checkpoints rest on them, and do not read the tensors."""
    text = json.dumps({name: value for name, value in header.items() if name != "digest"}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def damaged(path: Path, how: str = "it is damaged") -> RecordError:
    """The error about a file that is not as it was written."""
    return RecordError(
        f"Expected checkpoint {path} as it was written, but {how}.",
        EARLIER,
    )


def _raw_header(file: BinaryIO, path: Path) -> bytes:
    length = file.read(8)
    size = int.from_bytes(length, "little")
    if len(length) < 8 or size > _LARGEST_HEADER or len(raw := file.read(size)) < size:
        raise damaged(path)
    return raw


def _digest_place(raw: bytes, path: Path) -> int:
    """Where the digest begins in the header. Inside other values the quotes are escaped, so the match is the field."""
    place = raw.find(_FIELD)
    if place < 0:
        raise damaged(path)
    return place + len(_FIELD)


def _digest(path: Path, place: int) -> bytes:
    """SHA-256 in hexadecimal of the whole file, with the digest's own 64 bytes taken as blank."""
    sha = hashlib.sha256()
    with open_regular(path) as file:
        head = file.read(place)
        while len(head) < place and (more := file.read(place - len(head))):
            head += more
        sha.update(head)
        sha.update(_BLANK.encode())
        file.seek(place + len(_BLANK))
        while block := file.read(_BLOCK):
            sha.update(block)
    return sha.hexdigest().encode()
