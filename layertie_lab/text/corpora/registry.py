"""The corpora that have a name of their own. Each is registered where it is defined:

@CORPORA.register(CorpusDescription("mine", "My letters", about="Letters, 2 MB", offline=True))
def mine() -> Source: ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...core.descriptions import Description, Registry
from ..sources import Source


@dataclass(frozen=True)
class CorpusDescription(Description):
    """What a corpus says of itself; `about` is what it holds, with its size.

    Args:
        offline: Whether it works without a network, on every machine.
    """

    offline: bool = False


CORPORA: Registry[CorpusDescription, Callable[[], Source]] = Registry(
    "corpus",
    [
        f"layertie_lab.text.corpora.{module}"
        for module in ("pydoc", "stdlib", "wikitext", "lambada", "one_billion_words")
    ],
    "layertie_lab.corpora",
)
"""Name -> what gives its source; a package brings its own in the entry-point group `layertie_lab.corpora`."""


def builtin_corpora() -> list[tuple[str, str]]:
    """(name, what it holds) of every corpus that has a name of its own; those that need no network come first."""
    return [(each.name, each.about) for each in sorted(CORPORA, key=lambda each: not each.offline)]


def offline_corpora() -> list[str]:
    """The names that work without a network, on every machine."""
    return [each.name for each in CORPORA if each.offline]
