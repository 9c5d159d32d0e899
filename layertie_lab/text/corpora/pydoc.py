"""The corpora pydoc and pydoc-distinct: prose that every Python brings along. No network, no download."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sys
from collections.abc import Iterator
from typing import Any

from ...core.errors import CorpusError
from ..sources import Corpus, Source, divide, limit_note
from ..texts import Collector
from .registry import CORPORA, CorpusDescription

PYTHON = f"{platform.python_implementation()} {platform.python_version()}"
"""Which Python this is; its texts differ from version to version."""
REMEDY = "Use a path to a UTF-8 file or folder as the corpus."
_BLANK = re.compile(r"\n\s*\n")


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


@CORPORA.register(
    CorpusDescription(
        "pydoc-distinct",
        "Python's help topics, each paragraph once",
        about="Python's help topics without paragraphs that occurred before, about 375 kB: held-out text is no copy of "
        "training text (in pydoc, 17 % of the test split's longer lines are)",
        reads="the version of Python",
        offline=True,
    )
)
def pydoc_distinct() -> Source:
    """The topics of Python's built-in help, by name, without paragraphs that occurred before.

    Topics quote one another. Of the lines of 30 characters or more in `pydoc`, 17 % of the test split's stand in the
    training split too, 1.0 % of the validation split's and 0.6 % of the reward split's; here it is none, 1.2 % (3
    lines) and 0.4 % (1 line), and no paragraph (CPython 3.11.7). Paragraphs are what blank lines part, compared
    without the space around them.
    """
    return Source(lambda: [*_identity(), "each paragraph once"], _read_once)


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
    collector = Collector(limit)
    whole = 0
    for topic in _topics():
        data = f"{topic}\n\n".encode()
        whole += len(data)
        collector.add(data)
        collector.end_document()
    what = f"the help topics of {PYTHON} (pydoc_data.topics, {whole:,} bytes, by name)"
    return _divided("pydoc", what, collector, limit)


def _read_once(limit: int) -> Corpus:
    _identity()
    collector = Collector(limit)
    whole = kept = left_out = 0
    seen: set[str] = set()
    for topic in _topics():
        whole += len(f"{topic}\n\n".encode())
        new = []
        for paragraph in _BLANK.split(topic):
            if (words := paragraph.strip()) not in seen:
                seen.add(words)
                new.append(paragraph)
            else:
                left_out += 1
        if new:
            data = "".join(f"{paragraph}\n\n" for paragraph in new).encode()
            kept += len(data)
            collector.add(data)
            collector.end_document()
    what = (
        f"the help topics of {PYTHON}, each paragraph once (pydoc_data.topics, by name; of {whole:,} bytes, {kept:,} "
        f"are kept, and {whole - kept:,} in {left_out:,} paragraphs that had occurred before are left out)"
    )
    return _divided("pydoc-distinct", what, collector, limit)


def _topics() -> Iterator[str]:
    """The topics, by name, without blank lines at either end."""
    # Half a megabyte of module, read only by whoever reads the corpus: the list of corpora starts every command.
    from pydoc_data.topics import topics

    return (topics[name].strip("\n") for name in sorted(topics))


def _divided(name: str, what: str, collector: Collector, limit: int) -> Corpus:
    text = collector.text()
    splits, parts = divide({"train": text})
    notes = (limit_note(what, text.size, limit),) if collector.full else ()
    return Corpus(name, f"{what}, {text.size:,} bytes read", splits, parts, notes=notes, documents=collector.documents)
