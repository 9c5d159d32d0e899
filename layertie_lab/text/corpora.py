"""The registry of corpora, behind one call."""

from __future__ import annotations

import difflib
import os

from ..core.config import TextConfig
from ..core.errors import CorpusError
from .files import local_source, missing
from .hub import SHORT_NAMES, HubName, hub_source
from .offline import OFFLINE
from .sources import Corpus, Source

__all__ = ["Corpus", "builtin_corpora", "load_corpus", "offline_corpora", "source_of"]


def builtin_corpora() -> list[tuple[str, str]]:
    """(name, description) of every corpus that has a name of its own; those that need no network come first."""
    return [(name, description) for name, (description, _) in (OFFLINE | SHORT_NAMES).items()]


def offline_corpora() -> list[str]:
    """The names that work without a network, on every machine."""
    return list(OFFLINE)


def source_of(corpus: str) -> Source:
    """The source that a config's `corpus` names.

    In this order: a name of the registry (a file of the same name is reached as ./NAME), a path that exists (also one
    that begins with hf: or a Windows drive), a Hugging Face data set.

    Raises:
        CorpusError: None of these.
    """
    if corpus in OFFLINE:
        return OFFLINE[corpus][1]
    if corpus in SHORT_NAMES:
        return hub_source(SHORT_NAMES[corpus][1], corpus)
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
        f"Expected a corpus out of {', '.join(names)}, a path, or hf:NAME, but got {corpus!r}.",
        f"Did you mean {' or '.join(near)}?" if near else f"Without a network, use {' or '.join(OFFLINE)}.",
    )


def load_corpus(config: TextConfig) -> Corpus:
    """Read a corpus, divided into splits that never overlap.

    Raises:
        CorpusError: Unknown, missing, empty, not UTF-8, or not to be reached.
    """
    return source_of(config.corpus).read(config.limit_bytes)
