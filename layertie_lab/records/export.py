"""Tables as files for other programs."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from ..core.errors import RecordError
from .io.output import write_outputs

FORMATS = ("parquet", "csv")


def export(tables: Mapping[str, pl.DataFrame], directory: str | Path, format: str = "parquet") -> list[Path]:
    """Write each table to a file of its own; earlier ones of the same kind are replaced.

    Args:
        tables: Name -> frame. Empty ones are written too, with their columns.
        directory: Where to; made when missing.
        format: parquet or csv.

    Returns:
        The files, in the order of the tables.

    Raises:
        RecordError: Another format, a directory that is a file or lies inside a run, or files that are something else.
        StorageError: They cannot be written.
    """
    if format not in FORMATS:
        raise RecordError(f"Expected a format out of {', '.join(FORMATS)}, but got {format!r}.", "Choose one of these.")
    return write_outputs(
        Path(directory), {f"{name}.{format}": frame_bytes(table, format) for name, table in tables.items()}
    )


def frame_bytes(frame: pl.DataFrame, format: str) -> bytes:
    """A frame as the content of a parquet or csv file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer) if format == "parquet" else frame.write_csv(buffer)
    return buffer.getvalue()
