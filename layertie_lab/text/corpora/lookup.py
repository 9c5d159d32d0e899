"""From what a config says to its text: a corpus by name, a path, or a Hugging Face data set."""

from __future__ import annotations

import difflib
import os
import re

from ...core.config import TextConfig
from ...core.errors import CorpusError
from ...core.paths import refuse_other_kinds, shown
from ..sources import Corpus, Source
from ..splits import read
from .files import local_source, missing, refuse_other_formats
from .hub import HubName, hub_source
from .registry import CORPORA, builtin_corpora, offline_corpora
from .rows import holds_rows, no_rows, rows_source, unnamed_column


def source_of(corpus: str, column: str = "") -> Source:
    """The source that a config's `corpus` and `column` name.

    In this order: a corpus' own name (a file of the same name is reached as ./NAME), a path that exists (also one
    that begins with hf: or a Windows drive), a Hugging Face data set.

    Args:
        corpus: As the config says it.
        column: Of a file of rows; "" reads such a file as plain text, as runs from before do (`refuse_unread`).

    Raises:
        CorpusError: None of these, or a column of what has none.
    """
    if column:
        path = _path(corpus)
        if not path and corpus not in CORPORA and not corpus.startswith("hf:"):
            raise missing(corpus)
        if not holds_rows(path):
            raise no_rows(corpus, column)
        refuse_other_kinds(path)
        return rows_source(path, column, corpus)
    if corpus in CORPORA:
        return CORPORA.get(corpus)()
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", corpus):
        raise CorpusError(
            f"Expected text on this machine, but {shown(corpus)} is a URL, and URLs are not read.",
            "Download it and name the file; a data set of the Hugging Face hub is written hf:NAME.",
        )
    path = os.path.expanduser(corpus)
    if corpus.strip() and os.path.exists(path):
        return local_source(path, corpus)
    if corpus.startswith("hf:"):
        return hub_source(HubName.parse(corpus[3:]), corpus)
    if any(mark in corpus for mark in ("/", "\\")) or os.path.splitext(corpus)[1]:
        raise missing(corpus)
    names = [name for name, _ in builtin_corpora()]
    near = difflib.get_close_matches(corpus.lower(), names, n=2, cutoff=0.5)
    raise CorpusError(
        f"Expected a corpus out of {', '.join(names)}, a path, or hf:NAME, but got {shown(corpus)!r}.",
        f"Did you mean {' or '.join(near)}?" if near else f"Without a network, use {' or '.join(offline_corpora())}.",
    )


def refuse_unread(config: TextConfig) -> None:
    """Refuse a corpus that would not be read as what it is, for a new run; one from before goes on as it read it.

    Raises:
        CorpusError: A file of rows without the name of a column, or another format (`refuse_other_formats`).
        PathError: Neither a file nor a folder.
    """
    path = _path(config.corpus)
    if not path or config.column:
        return
    refuse_other_kinds(path)
    if holds_rows(path):
        raise unnamed_column(path)
    refuse_other_formats(path)


def _path(corpus: str) -> str:
    """The path that a corpus is, if it is that of something that exists; else ""."""
    path = os.path.expanduser(corpus)
    return path if corpus not in CORPORA and corpus.strip() and os.path.exists(path) else ""


def at_place(corpus: str, place: str | os.PathLike[str]) -> str:
    """The same corpus where its text lies now, as a config says it: an absolute path, or one of a folder of rows.

    Args:
        corpus: As the config said it at first.
        place: Path of the text.
    """
    path = os.path.abspath(os.path.expanduser(place))
    if not corpus.startswith("hf:") or os.path.exists(corpus) or not os.path.isdir(path):
        return path
    rows = HubName.parse(corpus[3:])
    parts = [part or "" for part in (rows.config, rows.column, rows.split)]
    return ":".join([f"hf:{path}", *parts]).rstrip(":")


def load_corpus(config: TextConfig) -> Corpus:
    """Read a corpus, divided into splits that never overlap.

    Raises:
        CorpusError: Unknown, missing, empty, not UTF-8, or not to be reached.
    """
    return read(source_of(config.corpus, config.column), config)
