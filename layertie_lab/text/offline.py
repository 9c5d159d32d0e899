"""The corpora that every Python brings along: no network, no download."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import sysconfig
from pathlib import Path
from typing import Any

from ..core.errors import CorpusError
from .sources import Corpus, Source, divide, limit_note
from .texts import Collector

PYDOC = "English prose about Python: the topics of its built-in help, about 465 kB"
STDLIB = "Python source code: the standard library's own modules, about 10 MB"

# Tests repeat one another; idlelib and turtledemo are programs, not the library; the bundled and installed packages
# differ from machine to machine, as do _sysconfigdata and sitecustomize; pydoc_data is the other corpus.
_LEFT_OUT = {
    "__pycache__", "_bundled", "dist-packages", "idle_test", "idlelib", "pydoc_data", "site-packages", "test", "tests",
    "turtledemo",
}  # fmt: skip
_PYTHON = f"{platform.python_implementation()} {platform.python_version()}"
_REMEDY = "Use a path to a UTF-8 file or folder as the corpus."


def _pydoc_identity() -> list[Any]:
    spec = importlib.util.find_spec("pydoc_data.topics") if importlib.util.find_spec("pydoc_data") else None
    if spec is None:
        raise CorpusError(
            f"Expected the help topics (pydoc_data) of {_PYTHON}, but this Python comes without them.", _REMEDY
        )
    origin = spec.origin or ""
    return [sys.version, os.path.getsize(origin) if os.path.isfile(origin) else None]


def _read_pydoc(limit: int) -> Corpus:
    _pydoc_identity()
    from pydoc_data.topics import topics

    collector = Collector(limit)
    whole = 0
    for name in sorted(topics):
        data = (topics[name].strip("\n") + "\n\n").encode()
        whole += len(data)
        collector.add(data)
    text = collector.text()
    splits, parts = divide({"train": text})
    what = f"the help topics of {_PYTHON} (pydoc_data.topics, {whole:,} bytes, by name)"
    notes = (limit_note(what, text.size, limit),) if collector.full else ()
    return Corpus("pydoc", f"{what}, {text.size:,} bytes read", splits, parts, notes=notes)


def _stdlib_files() -> list[tuple[str, str, int]]:
    """(relative path, path, size) of the standard library's sources, in alphabetical order."""
    root = sysconfig.get_paths()["stdlib"]
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _LEFT_OUT and not name.startswith(("config-", "."))]
        for name in names:
            if name.endswith(".py") and not name.startswith(("_sysconfigdata", "sitecustomize")):
                path = os.path.join(folder, name)
                found.append((Path(path).relative_to(root).as_posix(), path, os.path.getsize(path)))
    if not found:
        raise CorpusError(f"Expected the standard library's sources in {root}, but none are there.", _REMEDY)
    return sorted(found)


def _stdlib_identity() -> list[Any]:
    return [sys.version, [[relative, size] for relative, _, size in _stdlib_files()]]


def _read_stdlib(limit: int) -> Corpus:
    collector = Collector(limit)
    files = _stdlib_files()
    unreadable = 0
    for _, path, _ in files:
        try:
            data = Path(path).read_bytes().decode("utf-8").replace("\r\n", "\n").encode()
        except UnicodeDecodeError:
            unreadable += 1
            continue
        collector.add(data if data.endswith(b"\n") else data + b"\n")
        if collector.full:
            break
    text = collector.text()
    splits, parts = divide({"train": text})
    whole = sum(size for _, _, size in files)
    what = f"the standard library's sources of {_PYTHON} ({len(files)} files, {whole:,} bytes, by path)"
    notes = [limit_note(what, text.size, limit)] if collector.full else []
    if unreadable:
        notes.append(f"{unreadable} files of the standard library are not UTF-8 and were left out.")
    return Corpus("stdlib", f"{what}, {text.size:,} bytes read", splits, parts, notes=tuple(notes))


OFFLINE: dict[str, tuple[str, Source]] = {
    "pydoc": (PYDOC, Source(_pydoc_identity, _read_pydoc)),
    "stdlib": (STDLIB, Source(_stdlib_identity, _read_stdlib)),
}
"""Name -> (description, source)."""
