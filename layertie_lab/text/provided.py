"""Texts that somebody hands in, in place of a corpus: lists of strings, columns of frames, rows of `datasets`.

None of those libraries is imported: what is handed in is asked for its texts one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..core.config import TextConfig
from ..core.errors import CorpusError
from .dataset import TokenData, tokens_of
from .sources import Corpus, divide, limit_note, room_for
from .splits import divided
from .texts import Collector, Text

_FORMS = (
    "Hand in a list of strings, a column of strings (frame['text'] of polars or pandas), rows of `datasets`, or a "
    "mapping of train, and perhaps validation and test, to one of these; or set text.corpus to a file or a name."
)
_OFFICIAL = ("train", "validation", "test")


def token_data(given: object, config: TextConfig, context: int) -> TokenData:
    """The tokens of what was handed in, made as those of a corpus are.

    Args:
        given: Texts, each of which gets lines of its own: a list of str, any other iterable of them such as a polars or
            pandas column, or rows of `datasets` (the column "text", or the only one of strings). A mapping of train,
            validation and test to such texts keeps its splits; else what is missing is cut from the end of train.
            `TokenData` is taken as it is.
        config: Tokenizer and limit; its corpus is not read.
        context: Sequence length in tokens; every split must hold at least one sequence.

    Raises:
        CorpusError: Something else, no text in it, or too little.
    """
    if isinstance(given, TokenData):
        return given
    splits = dict(given) if isinstance(given, Mapping) else {"train": given}
    if "train" not in splits or not {*splits} <= {*_OFFICIAL}:
        raise CorpusError(
            f"Expected texts for train, and perhaps validation and test, but got {', '.join(map(str, splits))}.", _FORMS
        )
    texts: dict[str, Text] = {}
    notes: list[str] = []
    counts: dict[str, int] = {}
    documents: Sequence[int] = ()
    room = config.limit_bytes
    # Evaluation splits first, so that a long train split cannot leave them without room.
    for split in sorted(splits, key=_OFFICIAL.index, reverse=True):
        limit = room_for(split, config.limit_bytes, room) if len(splits) > 1 else config.limit_bytes
        collector, counts[split] = _collected(splits[split], split, limit)
        texts[split], documents = collector.text(), collector.documents  # of train, which comes last
        room -= texts[split].size
        if collector.full:
            of = f"the {split} texts that were handed in"
            notes.append(limit_note(of, texts[split].size, config.limit_bytes, official=len(splits) > 1))
    cut, parts = divide(texts)
    read = sum(text.size for text in texts.values())
    many = sum(counts.values())
    what = f"{many:,} text{'s' * (many > 1)}, {read:,} bytes"
    official = tuple(texts) if len(texts) > 1 else ()
    corpus = Corpus("handed in", what, cut, parts, official, tuple(notes), documents)
    return tokens_of(divided(corpus, config), config, context)


def _collected(given: object, split: str, limit: int) -> tuple[Collector, int]:
    """The texts, and how many there are."""
    collector, count = Collector(limit), 0
    for text in _texts(given, split):
        collector.add((text if text.endswith("\n") else text + "\n").encode("utf-8", "replace"))
        collector.end_document()
        count += 1
        if collector.full:
            break
    if not count:
        raise CorpusError(f"Expected texts for {split}, but what was handed in holds none.", _FORMS)
    return collector, count


def _texts(given: object, split: str) -> Iterator[str]:
    """Each text; missing ones are passed over, as in the hub's data sets."""
    # A frame gives the names of its columns, one after the other, which are strings too.
    if isinstance(given, str | bytes) or hasattr(given, "columns") or not isinstance(given, Iterable):
        raise CorpusError(f"Expected texts for {split}, but got {_named(given)}.", _FORMS)
    column = None
    for value in given:
        if isinstance(value, Mapping):
            column = _column(value) if column is None else column
            value = value[column]
        if isinstance(value, str):
            yield value
        elif not _is_missing(value):
            raise CorpusError(f"Expected texts for {split}, but one of them is {_named(value)}.", _FORMS)


def _column(row: Mapping[str, Any]) -> str:
    strings = [name for name, value in row.items() if isinstance(value, str)]
    if "text" in strings or len(strings) == 1:
        return "text" if "text" in strings else strings[0]
    raise CorpusError(
        f"Expected a column of text, but the rows have {', '.join(strings) or 'none'}.",
        "Hand in one column: rows['NAME'], or rows.select_columns('NAME').",
    )


def _is_missing(value: object) -> bool:
    """None, not-a-number, or the missing value of pandas."""
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)


def _named(value: object) -> str:
    return f"one string ({value[:40]!r})" if isinstance(value, str) else f"{type(value).__name__} {value!r:.40}"
