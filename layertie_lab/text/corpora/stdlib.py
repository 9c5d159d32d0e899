"""The corpus stdlib: source code that every Python brings along. No network, no download."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from ...core.errors import CorpusError
from ..sources import Corpus, Source, divide, limit_note
from ..texts import Collector
from .pydoc import PYTHON, REMEDY
from .registry import CORPORA, CorpusDescription

# Tests repeat one another; idlelib and turtledemo are programs, not the library; the bundled and installed packages
# differ from machine to machine, as do _sysconfigdata and sitecustomize; pydoc_data is the other corpus.
_LEFT_OUT = {
    "__pycache__", "_bundled", "dist-packages", "idle_test", "idlelib", "pydoc_data", "site-packages", "test", "tests",
    "turtledemo",
}  # fmt: skip


@CORPORA.register(
    CorpusDescription(
        "stdlib",
        "Python's standard library",
        about="Python source code: the standard library's own modules, about 10 MB",
        reads="the version of Python",
        offline=True,
    )
)
def stdlib() -> Source:
    """The standard library's own modules, by path."""
    return Source(_identity, _read)


def _files() -> list[tuple[str, str, int]]:
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
        raise CorpusError(f"Expected the standard library's sources in {root}, but none are there.", REMEDY)
    return sorted(found)


def _identity() -> list[Any]:
    return [sys.version, [[relative, size] for relative, _, size in _files()]]


def _read(limit: int) -> Corpus:
    collector = Collector(limit)
    files = _files()
    unreadable = 0
    for _, path, _ in files:
        try:
            data = Path(path).read_bytes().decode("utf-8").replace("\r\n", "\n").encode()
        except UnicodeDecodeError:
            unreadable += 1
            continue
        collector.add(data if data.endswith(b"\n") else data + b"\n")
        collector.end_document()
        if collector.full:
            break
    text = collector.text()
    splits, parts = divide({"train": text})
    whole = sum(size for _, _, size in files)
    what = f"the standard library's sources of {PYTHON} ({len(files)} files, {whole:,} bytes, by path)"
    notes = [limit_note(what, text.size, limit)] if collector.full else []
    if unreadable:
        notes.append(f"{unreadable} files of the standard library are not UTF-8 and were left out.")
    return Corpus(
        "stdlib", f"{what}, {text.size:,} bytes read", splits, parts, notes=tuple(notes), documents=collector.documents
    )
