"""Whether what lies in a run's folder belongs to that run: a state, a look back, a branch may have been copied from
another.

What is stored of a run says with which settings it was made, how long the log was then, and which digest its last line
carried. A line's digest depends on all lines before it, so that no other log carries it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ...core.errors import RecordError
from ..directory import RunDirectory
from ..io.chain import carried
from ..io.lines import line_before, whole_size
from .recovery import check_settings, first_damage

OTHER_LOG = "it rests on another log than lies beside it: it is another run's, or from before this one was cut"


class LogGround:
    """A log that something may rest on.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def holds(self, offset: int, digest: str) -> bool:
        """Whether the line that ends at `offset` carries a digest; True where that cannot be told.

        It cannot of a log that is shorter, gone or damaged, which whoever reads the log says.

        Args:
            offset: In bytes.
            digest: As the writer had it.
        """
        try:
            return offset > whole_size(self._path) or self._carries(offset, digest) or self._is_damaged
        except OSError:
            return True

    def _carries(self, offset: int, digest: str) -> bool:
        line = line_before(self._path, offset)
        return line is not None and carried(line) == digest

    @cached_property
    def _is_damaged(self) -> bool:
        try:
            return first_damage(self._path) is not None
        except RecordError:
            return True


class Ground:
    """A run, as what was stored of it is held against it. Make one for a few files: it reads what it needs once.

    Args:
        directory: The run.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._log = LogGround(directory.events)

    def misfit(self, meta: Mapping[str, Any]) -> str:
        """Why a state is not of this run, as the end of a sentence; "" where it is, or where that cannot be told.

        Args:
            meta: What was saved with it: config_hash, offset and log_digest, each where its version knew of it.
        """
        made_with, offset, digest = (meta.get(name) for name in ("config_hash", "offset", "log_digest"))
        if isinstance(made_with, str) and made_with != self._config_hash and self._settings_are_the_logs:
            return f"it is another run's: of config {made_with}, and this run has {self._config_hash}"
        if isinstance(digest, str) and type(offset) is int and not self._log.holds(offset, digest):
            return OTHER_LOG
        return ""

    @cached_property
    def _config_hash(self) -> str:
        return self._directory.config.hash

    @cached_property
    def _settings_are_the_logs(self) -> bool:
        # Otherwise config.json is what is another's, which whoever reads the log says.
        try:
            check_settings(self._directory)
        except RecordError:
            return False
        return True
