"""Tables as files for other programs."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from ..core.errors import RecordError
from .io.disk import write_atomically, writing

FORMATS = ("parquet", "csv")


def export(tables: Mapping[str, pl.DataFrame], directory: str | Path, format: str = "parquet") -> list[Path]:
    """Write each table to a file of its own; files of these names are replaced.

    Args:
        tables: Name -> frame. Empty ones are written too, with their columns.
        directory: Where to; made when missing.
        format: parquet or csv.

    Returns:
        The files, in the order of the tables.

    Raises:
        RecordError: Another format, or a directory that is a file.
        StorageError: They cannot be written.
    """
    if format not in FORMATS:
        raise RecordError(f"Expected a format out of {', '.join(FORMATS)}, but got {format!r}.", "Choose one of these.")
    return write_files(directory, {f"{name}.{format}": frame_bytes(table, format) for name, table in tables.items()})


def frame_bytes(frame: pl.DataFrame, format: str) -> bytes:
    """A frame as the content of a parquet or csv file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer) if format == "parquet" else frame.write_csv(buffer)
    return buffer.getvalue()


def write_files(directory: str | Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files of these names to a folder, each in one step; files that are there are replaced.

    Args:
        directory: Where to; made when missing.
        contents: Name -> content.

    Raises:
        RecordError: The directory is a file.
        StorageError: They cannot be written.
    """
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise RecordError(f"Expected a folder to write to, but {directory} is a file.", "Choose another folder.")
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_atomically(directory / name, content)
    return [directory / name for name in contents]
