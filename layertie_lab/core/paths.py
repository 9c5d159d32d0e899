"""Words to paths: the one place where what somebody typed becomes a file or folder, or is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import LayertieError

SHOWN = 100
"""Most characters of a path in a sentence; a longer one shows its two ends."""


class PathError(LayertieError):
    """Words that name no file or folder that could be read or written."""


def path_of(words: str | os.PathLike[str]) -> Path:
    """The file or folder that words name, there or not yet; ~ is the home.

    Raises:
        PathError: No words, a character that no path has, a home that nobody has, a name that the system does not take
            or may not look at, or something there that is neither a file nor a folder.
    """
    typed = os.fspath(words)
    if not typed:
        raise PathError('Expected a path, but got "".', "Name a file or a folder.")
    if "\0" in typed:
        raise PathError(
            f"Expected a path, but {shown(typed)!r} has a NUL character, which no path can have.", "Leave it out."
        )
    try:
        typed.encode()
    except UnicodeEncodeError:
        # Tables and pages hold text alone, and names of runs and texts come into them.
        raise PathError(f"Expected a name in UTF-8, but got {shown(typed)!r}.", "Rename it.") from None
    expanded = os.path.expanduser(typed)
    if expanded.startswith("~") and not _is_there(expanded):
        raise PathError(
            f"Expected a path, but {shown(typed)} begins with a home that nobody has here.", f"Write ./{shown(typed)}."
        )
    refuse_other_kinds(expanded)
    return Path(expanded)


def refuse_other_kinds(path: str | os.PathLike[str]) -> None:
    """Refuse what is there, if it is neither a regular file nor a folder: a pipe or a device would be read for ever.

    Raises:
        PathError: It is such, or the system cannot look.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        raise unusable(path, error) from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise PathError(
            f"Expected a file or a folder at {shown(path)}, but it is {_kind(mode)}.", "Name a regular file or folder."
        )


def unusable(path: str | os.PathLike[str], error: OSError | ValueError) -> PathError:
    """The error that names a path and says what the system said of it."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return PathError(
        f"Expected to look at {shown(path)}, but the system says: {why}.", "Check the path and permissions."
    )


def shown(path: str | os.PathLike[str]) -> str:
    """A path for a sentence, its middle left out where it is long."""
    words = os.fspath(path)
    return words if len(words) <= SHOWN else f"{words[: SHOWN // 2]} ... {words[-SHOWN // 2 :]}"


def _is_there(path: str) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # characters that no path has
        return False


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "something else")
