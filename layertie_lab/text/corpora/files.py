"""Text from a local file or folder."""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import CorpusError
from ...core.paths import refuse_other_kinds, shown
from ..sources import Corpus, Source, divide, limit_note, room_for
from ..texts import PIECE, Collector, Text

SUFFIXES = (
    ".txt", ".text", ".tokens", ".md", ".markdown", ".rst", ".org", ".tex", ".html", ".xml", ".csv", ".tsv", ".json",
    ".jsonl", ".log", ".py", ".c", ".h", ".cpp", ".hpp", ".rs", ".go", ".java", ".js", ".ts", ".r", ".jl", ".sql",
)  # fmt: skip
"""What is taken for text in a folder (a file named by itself may have any suffix)."""
ROWS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow")
"""What holds rows of a table by its suffix: as plain text, its quotes, commas and braces are read too."""
_BEGINNINGS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "packed (a zip, or an office document)",
    b"\x1f\x8b": "packed (gzip)",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"PAR1": "Parquet",
}
"""How files that are no UTF-8 begin -> what they are."""
_LOOKED_AT = 1 << 12
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", ".7z")
"""What is packed by its suffix."""
_OFFICIAL = {
    "train": re.compile(r"(^|[._-])train(ing)?([._-]|$)"),
    "validation": re.compile(r"(^|[._-])(valid|validation|val|dev)([._-]|$)"),
    "test": re.compile(r"(^|[._-])test([._-]|$)"),
}


def local_source(path: str, name: str) -> Source:
    """A file, or a folder of files, as a corpus.

    A folder is read in alphabetical order of its files' paths; hidden files and folders are left out. If it holds
    exactly three text files, named for train, validation and test, they are kept as the official splits.

    Args:
        path: Of something that exists.
        name: As the config says it.

    Raises:
        PathError: It is neither a regular file nor a folder, from which one could read for ever.
    """
    refuse_other_kinds(path)
    where = os.path.abspath(path)
    return Source(lambda: identity_of(path, SUFFIXES), lambda limit: _read(path, name, limit), where)


def refuse_other_formats(path: str) -> None:
    """Refuse a file that is no plain text, for a new run; one from before goes on as it read it.

    Args:
        path: Of something that exists.

    Raises:
        CorpusError: It is packed or Arrow by its suffix, or begins with bytes that no text has.
    """
    suffix = os.path.splitext(path)[1].lower()
    if os.path.isdir(path):
        return
    if suffix in PACKED:
        raise CorpusError(
            f"Expected plain text, but {shown(path)} is packed ({suffix}).", "Unpack it, and name what it holds."
        )
    if suffix in ROWS:
        raise CorpusError(
            f"Expected plain text, but {shown(path)} holds rows ({suffix}).",
            "Put it into a folder of its own and write hf:FOLDER, or hf:FOLDER::COLUMN for one of several columns; or "
            "save its text as a .txt file.",
        )
    start = _start(path)
    # ASCII in UTF-16 without a mark is UTF-8 as well: each second byte is a NUL.
    if b"\0" in start:
        raise CorpusError(
            f"Expected plain text, but {shown(path)} has NUL bytes, which no text has.", _remedy(start, "Save it as")
        )


def missing(path: str) -> CorpusError:
    """The error for a path where nothing is."""
    parent = Path(path).expanduser().parent
    there = sorted(entry.name for entry in parent.iterdir()) if parent.is_dir() and os.access(parent, os.R_OK) else []
    near = difflib.get_close_matches(Path(path).name, there, n=3)
    found = f"Close names there: {', '.join(near)}." if near else "Check the path."
    hub = f" A Hugging Face data set is written hf:{path}." if re.fullmatch(r"[\w.-]+/[\w.-]+", path) else ""
    return CorpusError(f"Expected a text file or folder at {path}, but nothing is there.", found + hub)


def identity_of(path: str, suffixes: tuple[str, ...] | None = None) -> list[Any]:
    """What changes whenever the text under a path may have changed.

    Args:
        path: A file, or a folder of files.
        suffixes: Of the files in a folder that count; the others are only counted. Default: all files.

    Returns:
        The full path, then (name, bytes, time of the last write, of the last change) of each file, then the number of
        other files.

    Raises:
        CorpusError: A file that cannot be looked at.
    """
    root = Path(path).resolve()
    every = [root] if root.is_file() else sorted(_walk(root))
    files = [file for file in every if suffixes is None or file == root or file.suffix.lower() in suffixes]
    try:
        states = [(file.relative_to(root).as_posix(), file.stat()) for file in files]
    except OSError as error:
        raise unreadable(error) from error
    seen = [[name, state.st_size, state.st_mtime_ns, state.st_ctime_ns] for name, state in states]
    return [str(root), seen, len(every) - len(files)]


def is_private(path: str) -> bool:
    """Whether others on this machine may not read a text, by its own permissions or those of a folder above it.

    Args:
        path: A file, or a folder of files.
    """
    if os.name == "nt":  # permissions there are not in the mode
        return False
    root = Path(path).resolve()
    try:
        files = [root] if root.is_file() else list(_walk(root))
        folders = {folder for file in files for folder in file.parents}
        readable = all(file.stat().st_mode & stat.S_IROTH for file in files)
        return not (readable and all(folder.stat().st_mode & stat.S_IXOTH for folder in folders))
    except OSError:
        return True


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _read(path: str, name: str, limit: int) -> Corpus:
    root = Path(path)
    if root.is_file():
        return _divided(name, f"the file {root.name}", {"train": [root]}, limit, ())
    if not root.is_dir():
        raise CorpusError(f"Expected a file or folder at {path}, but it is neither.", "Name a plain text file.")
    every = list(_walk(root))
    files = sorted((p for p in every if p.suffix.lower() in SUFFIXES), key=lambda p: p.relative_to(root).as_posix())
    if not files:
        raise CorpusError(
            f"Expected text files in the folder {path}, but none of its {len(every)} files is one "
            f"(looked for {', '.join(SUFFIXES[:5])} and source code).",
            f"Name a single file, or write hf:{path} for a folder of parquet, arrow or JSON rows.",
        )
    other = len(every) - len(files)
    notes = (f"{other} files of the folder {root.name} are not text by their suffix and were left out.",) * bool(other)
    rows = sorted({path.suffix.lower() for path in files if path.suffix.lower() in ROWS})
    if rows:
        notes = (*notes, f"Files of the folder {root.name} that hold rows ({', '.join(rows)}) are read as plain text.")
    official = _official(files)
    what = f"the folder {root.name} ({len(files)} files{', one per split' if official else ', by path'})"
    return _divided(name, what, official or {"train": files}, limit, notes)


def _official(files: list[Path]) -> dict[str, list[Path]]:
    """Split -> its one file, or {} unless there is exactly one file for each of train, validation and test."""
    found = {
        split: [file for file in files if pattern.search(file.stem.lower())] for split, pattern in _OFFICIAL.items()
    }
    each_once = sorted(file for group in found.values() for file in group) == sorted(files)
    return found if len(files) == 3 and each_once and all(found.values()) else {}


def _divided(name: str, what: str, files: dict[str, list[Path]], limit: int, notes: tuple[str, ...]) -> Corpus:
    texts: dict[str, Text] = {}
    documents: Sequence[int] = ()
    room = limit
    # Evaluation splits first, so that a long train split cannot leave them without room.
    for split in sorted(files, key=lambda split: split == "train"):
        collector = Collector(room_for(split, limit, room))
        for file in files[split]:
            _collect(file, collector)
            collector.end_document()
            if collector.full:
                break
        texts[split] = collector.text()
        documents = collector.documents  # of train, which comes last
        room -= texts[split].size
        if not texts[split].size:
            raise CorpusError(f"Expected text in {what}, but it is empty.", "Name a file that holds UTF-8 text.")
        if collector.full:
            of = what if len(files) == 1 else files[split][0].name
            notes = (*notes, limit_note(of, texts[split].size, limit, official=len(files) > 1))
    splits, parts = divide(texts)
    size = sum(path.stat().st_size for paths in files.values() for path in paths)
    read = sum(text.size for text in texts.values())
    official = tuple(texts) if len(texts) > 1 else ()
    # What is read of a file has no byte order mark, shorter line ends, and an end of its last line: one number, the one
    # that the splits add up to.
    facts = f"{what}, {read:,} bytes" + (f" of {size:,}" if read < size and notes else "")
    older = f"{what}, {size:,} bytes, {read:,} read"
    return Corpus(name, facts, splits, parts, official=official, notes=notes, documents=documents, older=older)


def _collect(file: Path, collector: Collector) -> None:
    """Read one file as UTF-8, without a byte order mark, line ends as \\n, the last line ended."""
    position, tail, ended = 0, b"", True
    try:
        with file.open("rb") as stream:
            if stream.read(3) == b"\xef\xbb\xbf":
                position = 3
            stream.seek(position)
            while not collector.full:
                block = stream.read(PIECE)
                data = tail + block
                if not data:
                    break
                keep = _whole(data, file, position, last=not block)
                data, tail = data[:keep], data[keep:]
                position += keep
                ended = data.endswith(b"\n")
                collector.add(data.replace(b"\r\n", b"\n"))
                if not block:
                    break
    except OSError as error:
        raise unreadable(error) from error
    if not ended and not collector.full:
        collector.add(b"\n")


def _whole(data: bytes, file: Path, position: int, *, last: bool) -> int:
    """How much of a block can be used now: what is left may be half a character or half a line end."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if not last and error.reason == "unexpected end of data":
            return error.start
        raise CorpusError(
            f"Expected UTF-8 text in {file}, but byte {position + error.start:,} (0x{data[error.start]:02x}) is not.",
            _remedy(_start(file), "Convert the file to"),
        ) from None
    return len(data) - (not last and data.endswith(b"\r"))


def _start(path: str | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_LOOKED_AT)
    except OSError as error:
        raise unreadable(error) from error


def _remedy(start: bytes, change: str) -> str:
    """What to do with a file that is no UTF-8, by how it begins."""
    what = next((what for begins, what in _BEGINNINGS.items() if start.startswith(begins)), "")
    if not what and b"\0" in start:
        what = "UTF-16" if start.count(b"\0") > len(start) // 3 else "no text"
    looks = f"It looks like {what}. " if what and what != "no text" else "It may be no text. " if what else ""
    return f"{looks}{change} UTF-8, or name a text file."


def unreadable(error: OSError) -> CorpusError:
    """The error that says why the system does not read a file."""
    return CorpusError(
        f"Expected to read {error.filename}, but the system says: {error.strerror}.", "Check the path and permissions."
    )
