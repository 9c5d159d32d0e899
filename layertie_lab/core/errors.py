"""What the toolkit raises. Every message says what was expected, what came, and what to do."""

from __future__ import annotations

from typing import Any


class LayertieError(Exception):
    """Base of all errors a person can act on.

    Args:
        message: What went wrong, as a sentence (expected, actual).
        remedy: What to do about it, as a sentence.

    The command line prints `str(error)` and exits with `exit_code`.
    """

    exit_code = 2

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message} {remedy}".strip())

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own reduce would pass the joined sentence as `message` and lose the remedy.
        return type(self), (self.message, self.remedy)


class ConfigError(LayertieError):
    """A setting, or a combination of settings, that cannot be run."""


class TieError(LayertieError):
    """A tie map or an action that is not legal."""


class CorpusError(LayertieError):
    """Text that cannot be read, is too short, or cannot be reached."""


class RecordError(LayertieError):
    """A run directory, log or checkpoint that is damaged, missing or written by a newer version."""


class StorageError(LayertieError):
    """A disk that is full or cannot be written."""


class AnalysisError(LayertieError):
    """A question about a model or run that has no sound answer as asked."""


class OptionError(AnalysisError):
    """An option of a question that cannot be taken as it is.

    Args:
        option: Its name.
        message, remedy: As of any.
    """

    def __init__(self, option: str, message: str, remedy: str = "") -> None:
        self.option = option
        super().__init__(message, remedy)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.option, self.message, self.remedy)


class AgentError(LayertieError):
    """A policy, a reward or an environment that got or gave something it cannot work with."""


class DivergedError(LayertieError):
    """The loss is no longer a finite number. The session is still savable."""

    exit_code = 1


class DeviceMemoryError(LayertieError):
    """The device ran out of memory during a step. The session is still savable."""

    exit_code = 1


class CancelledError(LayertieError):
    """Somebody ended what was under way; it can be begun again."""

    exit_code = 130


class WorkerError(LayertieError):
    """The child process that trains has failed or is gone."""

    exit_code = 1
