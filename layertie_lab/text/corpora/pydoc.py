"""The corpus pydoc: prose that every Python brings along. No network, no download."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from typing import Any

from ...core.errors import CorpusError
from ..sources import Corpus, Source, divide, limit_note
from ..texts import Collector
from .registry import CORPORA, CorpusDescription

PYTHON = f"{platform.python_implementation()} {platform.python_version()}"
"""Which Python this is; its texts differ from version to version."""
REMEDY = "Use a path to a UTF-8 file or folder as the corpus."


@CORPORA.register(
    CorpusDescription(
        "pydoc",
        "Python's help topics",
        about="English prose about Python: the topics of its built-in help, about 465 kB",
        reads="the version of Python",
        offline=True,
    )
)
def pydoc() -> Source:
    """The topics of Python's built-in help, by name."""
    return Source(_identity, _read)


def _identity() -> list[Any]:
    spec = importlib.util.find_spec("pydoc_data.topics") if importlib.util.find_spec("pydoc_data") else None
    if spec is None:
        raise CorpusError(
            f"Expected the help topics (pydoc_data) of {PYTHON}, but this Python comes without them.", REMEDY
        )
    origin = spec.origin or ""
    return [sys.version, os.path.getsize(origin) if os.path.isfile(origin) else None]


def _read(limit: int) -> Corpus:
    _identity()
    # Half a megabyte of module, read only by whoever reads the corpus: the list of corpora starts every command.
    from pydoc_data.topics import topics

    collector = Collector(limit)
    whole = 0
    for name in sorted(topics):
        data = (topics[name].strip("\n") + "\n\n").encode()
        whole += len(data)
        collector.add(data)
    text = collector.text()
    splits, parts = divide({"train": text})
    what = f"the help topics of {PYTHON} (pydoc_data.topics, {whole:,} bytes, by name)"
    notes = (limit_note(what, text.size, limit),) if collector.full else ()
    return Corpus("pydoc", f"{what}, {text.size:,} bytes read", splits, parts, notes=notes)
