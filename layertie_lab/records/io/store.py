"""The cache of prepared arrays (tokens), shared by all runs on a machine."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import re
import shutil
import tempfile
import uuid
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import ConfigError, StorageError
from ...core.plain import parse_object
from .disk import storage_error, sync_directory
from .regular import open_regular, read_regular

_FORMAT = 1
_INDEX = "entry.json"
_SAMPLED = 64
_BLOCK = 1 << 16

Entry = tuple[dict[str, np.ndarray], dict[str, Any]]


class Store:
    """Arrays and JSON under text keys, opened as read-only memory maps.

    An entry appears in one step (a finished folder is renamed into place), so that any number of processes may load and
    save the same key at once. A damaged entry counts as absent and is rebuilt by whoever asked. Where the cache cannot
    be written, a temporary folder takes its place until the process ends, and `notes` says so.

    What was not used for longest goes when the entries together take more than `most_bytes`.

    Args:
        root: The cache's folder; by default $LAYERTIE_CACHE, else the user's cache folder of the system.
        most_bytes: Of all entries; by default $LAYERTIE_CACHE_GB, else 4 GB.

    Raises:
        ConfigError: LAYERTIE_CACHE_GB is no number.
    """

    def __init__(self, root: str | Path | None = None, most_bytes: int | None = None) -> None:
        self.root = Path(root) if root is not None else default_root()
        self.most_bytes = default_most_bytes() if most_bytes is None else most_bytes
        self.notes: list[str] = []
        self._fallback: Path | None = None

    def load(self, key: str) -> Entry | None:
        """(arrays as read-only memory maps, meta), or None where there is no whole entry."""
        for root in self._roots():
            folder = root / _folder_name(key)
            if not folder.is_dir():
                continue
            entry = _open(folder, key)
            if entry is not None:
                with suppress(OSError):  # a cache that is only read
                    os.utime(folder / _INDEX)  # when it was used last
                return entry
            self.notes.append(f"The cache entry {folder} was damaged and is built again.")
            _discard(folder)
        return None

    def save(
        self, key: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any], *, private: bool = False
    ) -> Entry:
        """Keep arrays and JSON, and return them as `load` does.

        Where another process was first, its entry is returned.

        Args:
            key: Any text.
            arrays: By name (letters, digits, `_`, `-`); no object arrays.
            meta: JSON with text keys.
            private: Whether it is made of something that others on this machine may not read: neither may they read it
                here.

        Raises:
            StorageError: Neither the cache nor a temporary folder has room; the message names both.
        """
        try:
            entry = self._publish(self.root, key, arrays, meta, private)
            self._make_room(self.root / _folder_name(key))
            return entry
        except OSError as error:
            first = storage_error(self.root, error)
        try:
            if self._fallback is None:
                self._fallback = Path(tempfile.mkdtemp(prefix="layertie-cache-"))
                # At exit and no earlier: arrays handed out may live longer than this object.
                atexit.register(shutil.rmtree, self._fallback, ignore_errors=True)
            entry = self._publish(self._fallback, key, arrays, meta, private)
        except OSError as error:
            second = storage_error(Path(tempfile.gettempdir()), error)
            size = sum(array.nbytes for array in arrays.values())
            raise StorageError(
                f"Expected room for {size / 1e6:,.1f} MB of prepared text. {first.message} {second.message}",
                "Free some space, or set LAYERTIE_CACHE to a folder that can be written.",
            ) from error
        self.notes.append(
            f"{first.message} Prepared text is kept in {self._fallback} until this process ends. "
            "Set LAYERTIE_CACHE to a folder that can be written to keep it."
        )
        return entry

    def _roots(self) -> list[Path]:
        return [self.root, *([self._fallback] if self._fallback else [])]

    def _make_room(self, kept: Path) -> None:
        """Remove entries that were not used for longest, until the others are small enough; never the one just made."""
        entries: list[tuple[float, int, Path]] = []
        with suppress(OSError):  # another process tidies up as well
            for folder in self.root.iterdir():
                if folder.name.startswith(".") or not (folder / _INDEX).is_file():
                    continue
                size = sum(file.stat().st_size for file in folder.iterdir())
                entries.append(((folder / _INDEX).stat().st_mtime, size, folder))
        room = self.most_bytes - sum(size for _, size, _ in entries)
        for _, size, folder in sorted(entries):
            if room >= 0:
                return
            if folder != kept:
                _discard(folder)
                room += size

    def _publish(
        self, root: Path, key: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any], private: bool
    ) -> Entry:
        folder = root / _folder_name(key)
        temporary = root / f".{folder.name}.{uuid.uuid4().hex[:12]}.tmp"
        root.mkdir(parents=True, exist_ok=True)
        # Nobody else enters the folder, from before there is anything in it.
        temporary.mkdir(mode=0o700 if private else 0o777)
        try:
            index: dict[str, Any] = {"format": _FORMAT, "key": key, "meta": dict(meta), "arrays": {}}
            for name, array in arrays.items():
                file = temporary / f"{name}.npy"
                _write_array(file, array)
                index["arrays"][name] = {"bytes": file.stat().st_size, "check": _check(file)}
            with open(temporary / _INDEX, "xb") as out:
                out.write(json.dumps(index).encode())
                out.flush()
                os.fsync(out.fileno())
            if private:
                for file in temporary.iterdir():
                    file.chmod(0o600)
            for _ in range(3):
                try:
                    os.rename(temporary, folder)
                    sync_directory(root)
                except OSError:
                    if not folder.is_dir():
                        raise
                    # Someone else was first. Theirs is as good as ours, unless it is damaged.
                entry = _open(folder, key)
                if entry is not None:
                    return entry
                _discard(folder)
            raise OSError(None, f"the entry {folder} is damaged again and again")
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def default_most_bytes() -> int:
    """$LAYERTIE_CACHE_GB, else 4 GB.

    Raises:
        ConfigError: It is no number.
    """
    words = os.environ.get("LAYERTIE_CACHE_GB") or "4"
    try:
        found = float(words)
    except ValueError:
        found = -1.0
    if not 0.0 <= found < 1e9:
        raise ConfigError(f"Expected LAYERTIE_CACHE_GB to be a size in GB, but it is {words[:40]!r}.", "Set one, as 4.")
    return int(found * 1e9)


def default_root() -> Path:
    """$LAYERTIE_CACHE, else the user's cache folder of the system."""
    if chosen := os.environ.get("LAYERTIE_CACHE"):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("layertie_lab", appauthor=False))


def _folder_name(key: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")[:40]
    return f"{readable}-{hashlib.blake2b(key.encode(), digest_size=10).hexdigest()}"


def _write_array(path: Path, array: np.ndarray) -> None:
    # np.save writes through C's fwrite, whose errors lose their number; these writes keep it.
    array = np.ascontiguousarray(array).reshape(array.shape)
    with open(path, "xb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.reshape(-1).view(np.uint8).data if array.size else b"")
        file.flush()
        os.fsync(file.fileno())


def _open(folder: Path, key: str) -> Entry | None:
    """The entry, or None where anything about it is not as it was written."""
    try:
        index = parse_object(read_regular(folder / _INDEX))
        if index["format"] != _FORMAT or index["key"] != key:
            return None
        arrays: dict[str, np.ndarray] = {}
        for name, expected in index["arrays"].items():
            file = folder / f"{name}.npy"
            if file.stat().st_size != expected["bytes"] or _check(file) != expected["check"]:
                return None
            arrays[name] = np.load(file, mmap_mode="r", allow_pickle=False)
        return arrays, index["meta"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _check(path: Path) -> int:
    """A checksum of a small file, or of evenly spread blocks of a large one: what a crash leaves is holes and ends."""
    size = path.stat().st_size
    check = 0
    with open_regular(path) as file:
        if size <= _SAMPLED * _BLOCK:
            return zlib.crc32(file.read())
        for block in range(_SAMPLED):
            file.seek((size - _BLOCK) * block // (_SAMPLED - 1))
            check = zlib.crc32(file.read(_BLOCK), check)
    return check


def _discard(folder: Path) -> None:
    """Take a damaged entry out of the way in one step, then remove it."""
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.old")
    try:
        os.rename(folder, aside)
    except OSError:
        return  # read-only, or someone else was first; the caller builds another entry either way
    shutil.rmtree(aside, ignore_errors=True)
