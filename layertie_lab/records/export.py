"""A run's tables as files for other programs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import RecordError
from .disk import write_atomically, writing

if TYPE_CHECKING:
    from .reader import Run

FORMATS = ("parquet", "csv")


def export(run: Run, directory: str | Path, format: str = "parquet") -> list[Path]:
    """Write each of a run's tables to a file of its own; files of these names are replaced.

    Args:
        run: The run, as far as it was read (`Run.refresh` reads on).
        directory: Where to; made when missing.
        format: parquet or csv.

    Returns:
        The files, in the order of `Run.tables`. Empty tables are written too, with their columns.

    Raises:
        RecordError: Another format, or a directory that is a file.
        StorageError: They cannot be written.
    """
    if format not in FORMATS:
        raise RecordError(f"Expected a format out of {', '.join(FORMATS)}, but got {format!r}.", "Choose one of these.")
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise RecordError(f"Expected a folder to export to, but {directory} is a file.", "Choose another folder.")
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for table in run.tables:
        buffer = io.BytesIO()
        frame = run.table(table)
        frame.write_parquet(buffer) if format == "parquet" else frame.write_csv(buffer)
        files.append(directory / f"{table}.{format}")
        write_atomically(files[-1], buffer.getvalue())
    return files
