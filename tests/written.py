"""Stands between a run and its disk: counts what changes the disk under a folder, and acts before any one of them.

What Python opens, writes, syncs, renames, makes, links, cuts and removes is caught where the standard library is asked
for it, and what safetensors writes as a whole. Files are written a piece at a time, as the program asks.
"""

from __future__ import annotations

import builtins
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch

ROOM = frozenset({"open", "write", "sync", "make", "link", "tensors", "rename"})
"""What a full disk refuses; it lets files be cut and removed."""

Before = Callable[[int, str, Path, bytes], None]
"""Called with (number from 0, what, which file, what is about to be written) before each change."""


class Disk:
    """Watches a folder's changes while it is patched in.

    Args:
        folder: What lies elsewhere is not watched.
        patch: Undone by pytest.

    Attributes:
        changes: How many there were.
        turn: Held around each, since several threads write.
        opened: Which files are open, by descriptor.
        before: Called before each; it may raise OSError to refuse it.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.changes = str(folder), 0
        self.turn = threading.RLock()
        self.before: Before = lambda number, what, path, data: None
        self.opened: dict[int, Path] = {}
        opened = builtins.open

        def open_(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            if set(mode) <= set("rbt") or not self._is_ours(file):
                return opened(file, mode, *rest, **more)
            with self.turn:
                if not (os.path.exists(file) and mode in ("r+b", "ab", "a+b")):
                    self.change("open", file)
                return _Watched(opened(file, mode, *rest, **more), Path(file), self)

        for module in (builtins, io):
            patch.setattr(module, "open", open_)
        for what, name in (
            ("rename", "replace"), ("rename", "rename"), ("make", "mkdir"), ("link", "link"), ("remove", "unlink"),
            ("remove", "rmdir"), ("remove", "remove"), ("mode", "chmod"),
        ):  # fmt: skip
            self._watch(patch, what, name)
        synced = os.fsync

        def fsync(descriptor: int) -> None:
            # Only the descriptors of files that were opened here are known by name; the rest are folders.
            path = self.opened.get(descriptor, Path(self.folder))
            with self.turn:
                self.change("sync", path)
                synced(descriptor)

        patch.setattr(os, "fsync", fsync)
        saved = safetensors.torch.save_file

        def save_file(tensors: Any, filename: Any, metadata: Any = None) -> None:
            with self.turn:
                try:
                    self.change("tensors", filename)
                except OSError as error:
                    with opened(filename, "wb") as file:
                        file.write(b"half of it")
                    raise safetensors.SafetensorError(f"I/O error: {error} (os error {error.errno})") from error
                saved(tensors, filename, metadata)

        patch.setattr(safetensors.torch, "save_file", save_file)

    def _watch(self, patch: pytest.MonkeyPatch, what: str, name: str) -> None:
        real = getattr(os, name)

        def watched(path: Any, *rest: Any, **more: Any) -> Any:
            target = rest[0] if what in ("rename", "link") else path
            if not self._is_ours(target) or (what == "remove" and not os.path.lexists(path)):
                return real(path, *rest, **more)
            with self.turn:
                self.change(what, target)
                return real(path, *rest, **more)

        patch.setattr(os, name, watched)

    def _is_ours(self, path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and os.path.abspath(os.fspath(path)).startswith(self.folder)

    def change(self, what: str, path: Any, data: bytes = b"") -> None:
        """One is about to be made; with the turn held, so that it stands alone."""
        number, self.changes = self.changes, self.changes + 1
        self.before(number, what, Path(path), data)


class _Watched:
    """A file open for writing."""

    def __init__(self, file: Any, path: Path, disk: Disk) -> None:
        self._file, self._path, self._disk = file, path, disk
        disk.opened[file.fileno()] = path

    def write(self, data: Any) -> int:
        with self._disk.turn:
            self._disk.change("write", self._path, bytes(data) if not isinstance(data, str) else data.encode())
            written = self._file.write(data)
            self._file.flush()
        return written

    def writelines(self, pieces: Any) -> None:
        for piece in pieces:
            self.write(piece)

    def truncate(self, *size: int) -> int:
        with self._disk.turn:
            self._disk.change("cut", self._path)
            return self._file.truncate(*size)

    def close(self) -> None:
        if not self._file.closed:
            self._disk.opened.pop(self._file.fileno(), None)
        self._file.close()

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
