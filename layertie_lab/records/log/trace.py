"""The trace of an unexpected error, beside the run that it stopped."""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path

from ..io.disk import write_atomically, writing


def write_trace(run: Path, error: BaseException) -> Path | None:
    """Write an error's trace into `RUN/traces/`.

    Args:
        run: The run directory.
        error: The error, with its traceback.

    Returns:
        The file; None if there is no such directory.

    Raises:
        StorageError: It cannot be written.
    """
    if not run.is_dir():
        return None
    folder = run / "traces"
    with writing(folder):
        folder.mkdir(exist_ok=True)
    file = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{time.monotonic_ns() % 1_000_000:06d}.txt"
    write_atomically(file, "".join(traceback.format_exception(error)).encode())
    return file
