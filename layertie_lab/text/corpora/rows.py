"""Text from one column of a file of rows: CSV, TSV, JSON lines, Parquet.

polars is imported in the functions: only runs of such a file wait for it.
"""

from __future__ import annotations

import csv
import difflib
import os
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ...core.errors import CorpusError
from ...core.paths import shown
from ...core.plain import kind_of, parse_object
from ..sources import Corpus, Source, divide, limit_note
from ..texts import Collector
from .files import identity_of, unreadable

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""Suffixes of the files whose columns are read."""
PREFERRED = "text"
"""The column that is suggested where there is one of that name."""
_LOOKED_AT = 100
"""Rows from which it is told what a column holds."""
_AT_ONCE = 1024
_SHOWN = 12
_NUMBER = re.compile(r"[-+]?[\d.,]+([eE][-+]?\d+)?%?")

Row = Mapping[str, Any]
Rows = Generator[Row, None, None]


@dataclass(frozen=True)
class Column:
    """A column of a file of rows.

    Args:
        name: As the file has it.
        is_text: Whether it holds text, as far as its first rows say.
        prose: Whether some of that text is of several words.
        sample: The beginning of its first text; "" where there is none.
    """

    name: str
    is_text: bool
    prose: bool
    sample: str


def holds_rows(path: str | os.PathLike[str]) -> bool:
    """Whether a path names a file of rows, by its suffix."""
    return os.path.splitext(path)[1].lower() in SUFFIXES and not os.path.isdir(path)


def rows_source(path: str, column: str, name: str) -> Source:
    """A column of a file of rows as a corpus, each text on lines of its own.

    Args:
        path: Of a file that exists.
        column: Its name.
        name: As the config says it.
    """
    return Source(
        lambda: [*identity_of(path), "column", column],
        lambda limit: _read(Path(path), column, name, limit),
        os.path.abspath(path),
    )


def columns_of(path: str | os.PathLike[str]) -> tuple[Column, ...]:
    """The columns of a file of rows, in its order.

    Raises:
        CorpusError: It cannot be read as what its suffix says, or has no rows.
    """
    names, rows = _open(Path(path))
    with closing(rows):
        first = list(islice(rows, _LOOKED_AT))
    names = names or list(dict.fromkeys(name for row in first for name in row))
    if not first or not names:
        raise CorpusError(f"Expected rows in {shown(path)}, but it has none.", "Choose a file that holds some text.")
    return tuple(_column(name, [row.get(name) for row in first]) for name in names)


def suggested(columns: Iterable[Column]) -> str:
    """The column to read where nobody has named one: the one called text, else the first of prose, else of text.

    "" where none holds text.
    """
    texts = [column for column in columns if column.is_text]
    named = [column for column in texts if column.name.lower() == PREFERRED]
    prose = [column for column in texts if column.prose]
    return next((column.name for column in (*named, *prose, *texts)), "")


def unnamed_column(path: str) -> CorpusError:
    """The refusal of a file of rows of which no column is named.

    Raises:
        CorpusError: The file cannot be read.
    """
    columns = columns_of(path)
    best = suggested(columns)
    remedy = f"Set the column of the text to {best} (--column {best})." if best else "Choose another file."
    return CorpusError(
        f"Expected the name of the column that is read of {shown(path)}, which holds rows, but none is named; it has "
        f"{_listed(column.name for column in columns)}.",
        remedy,
    )


def no_rows(corpus: str, column: str) -> CorpusError:
    """The refusal of a column of what has none."""
    return CorpusError(
        f"Expected a file of rows ({', '.join(SUFFIXES)}) to read the column {column!r} of, but got {shown(corpus)}.",
        "Leave the column out. That of a Hugging Face data set stands in its name: hf:NAME::COLUMN.",
    )


def _column(name: str, values: list[Any]) -> Column:
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    texts = [] if all(_NUMBER.fullmatch(text.strip()) for text in texts) else texts
    sample = " ".join(texts[0].split())[:80] if texts else ""
    return Column(name, bool(texts), any(len(text.split()) > 2 for text in texts), sample)


def _read(path: Path, column: str, name: str, limit: int) -> Corpus:
    collector, number, without, has_words = Collector(limit), 0, 0, False
    names, rows = _open(path)
    with closing(rows):
        for number, row in enumerate(rows, start=1):
            if not names and number == _LOOKED_AT and not collector.documents:
                break  # objects of JSON need not all have it, but some have
            if names and column not in row:
                raise _no_such(path, column, names)
            value = row.get(column)
            if value is None or (isinstance(value, str) and not value.strip()):
                without += 1
                continue
            if not isinstance(value, str):
                raise CorpusError(
                    f"Expected text in the column {column} of {shown(path)}, but row {number:,} has {_kind(value)}.",
                    "Choose a column of text.",
                )
            has_words = has_words or not _NUMBER.fullmatch(value.strip())
            if not has_words and len(collector.documents) == _LOOKED_AT:
                break
            text = value.replace("\r\n", "\n")
            collector.add((text if text.endswith("\n") else text + "\n").encode("utf-8", "replace"))
            collector.end_document()
            if collector.full:
                break
    if not collector.documents:
        columns = columns_of(path)
        if column not in [each.name for each in columns]:
            raise _no_such(path, column, [each.name for each in columns])
        raise CorpusError(
            f"Expected text in the column {column} of {shown(path)}, but none of its rows has any.",
            "Choose another column.",
        )
    if not has_words:
        raise CorpusError(
            f"Expected text in the column {column} of {shown(path)}, but it holds numbers.", "Choose a column of text."
        )
    text = collector.text()
    splits, parts = divide({"train": text})
    notes = [f"{without:,} of the {number:,} rows read have no text in the column {column}."] if without else []
    what = f"the column {column} of the file {path.name}"
    if collector.full:
        notes.append(limit_note(what, text.size, limit))
    kept = len(collector.documents)
    facts = f"{what}, {kept:,} row{'s' * (kept != 1)} of text, {text.size:,} bytes"
    return Corpus(name, facts, splits, parts, notes=tuple(notes), documents=collector.documents)


# -- one reader for each kind -----------------------------------------------------------------------------------------


def _open(path: Path) -> tuple[list[str], Rows]:
    """The names of the columns ([] where rows name theirs themselves), and the rows in their order.

    Raises:
        CorpusError: It is not what its suffix says.
    """
    suffix = path.suffix.lower()
    try:
        if not path.stat().st_size:
            raise CorpusError(f"Expected rows in {shown(path)}, but it is empty.", "Choose a file that holds some.")
    except OSError as error:
        raise unreadable(error) from error
    if suffix in (".jsonl", ".ndjson"):
        return [], _json_rows(path)
    return _frame_rows(path, {".csv": ",", ".tsv": "\t"}.get(suffix))


def _frame_rows(path: Path, separator: str | None) -> tuple[list[str], Rows]:
    """Rows of a table that polars reads: parted by a separator, or Parquet for None."""
    import polars as pl

    def rows(scan: pl.LazyFrame) -> Rows:
        try:
            # All columns: of a row with one cell too many, a single column would be cut off without a word.
            for batch in scan.collect_batches(chunk_size=_AT_ONCE, maintain_order=True):
                yield from batch.iter_rows(named=True)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _unlike(path, separator, error) from error

    try:
        if separator is None:
            scan = pl.scan_parquet(path)
        else:
            scan = pl.scan_csv(path, separator=separator, infer_schema=False)
        names = scan.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unlike(path, separator, error) from error
    return names, rows(scan)


def _json_rows(path: Path) -> Rows:
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                bare = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if not bare.strip():
                    continue
                try:
                    yield parse_object(bare)
                except ValueError as error:
                    raise CorpusError(
                        f"Expected one JSON object per line in {shown(path)}, but line {number:,} is none "
                        f"({_reason(error)}).",
                        "Correct that line, or choose another file.",
                    ) from None
    except OSError as error:
        raise unreadable(error) from error


def _reason(error: ValueError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error).partition(":")[0]


def _unlike(path: Path, separator: str | None, error: Exception) -> CorpusError:
    """The error of a table that is not what its suffix says."""
    if isinstance(error, OSError) and error.strerror:
        return unreadable(error)
    words = str(error).strip()
    if separator is None:
        return CorpusError(
            f"Expected a Parquet file in {shown(path)}, but it cannot be read as one ({words.splitlines()[0][:150]}).",
            "Choose another file, or give it the suffix of what it is.",
        )
    kind = "a CSV file" if separator == "," else "a file of cells parted by tabs"
    if "utf-8" in words:
        return CorpusError(
            f"Expected UTF-8 text in {shown(path)}, but it is in another encoding, or no text.",
            "Save it as UTF-8 (CSV UTF-8 in a spreadsheet), or choose another file.",
        )
    found = _ragged(path, separator) or f"it cannot be read as one ({words.splitlines()[0][:150]})"
    return CorpusError(
        f"Expected {kind} in {shown(path)}, but {found}.",
        'Put cells that hold the separator or a line end into quotes ("), or save plain text as .txt.',
    )


def _ragged(path: Path, separator: str) -> str:
    """What is wrong with the first row that has another number of cells than the head; "" where that is not it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, delimiter=separator)
            head = next(rows)
            for row in rows:
                if len(row) > len(head):
                    return f"the row that ends on line {rows.line_num:,} has {len(row)} cells, and its head {len(head)}"
    except (OSError, UnicodeDecodeError, csv.Error, StopIteration):
        return ""
    return ""


def _no_such(path: Path, column: str, names: list[str]) -> CorpusError:
    near = difflib.get_close_matches(column, names, n=1)
    remedy = f"Did you mean {near[0]}?" if near else "Choose one of these."
    return CorpusError(f"Expected a column out of {_listed(names)} of {shown(path)}, but got {column!r}.", remedy)


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:_SHOWN]) + (f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else "")


def _kind(value: Any) -> str:
    return kind_of(value) if isinstance(value, bool | int | float | list | dict) else f"a {type(value).__name__}"
