"""From words typed to an exit code.

A command is a class in `arguments`, which declares its flags, and a function of its name in the file of its name:
`(command, progress, output) -> (result as plain values, exit code)`. Progress goes to standard error, output to
standard output. Only the file of the command that was typed is loaded: torch and polars are not for `--help`.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.console import Console

from ..core.errors import LayertieError
from ..core.measures import in_words
from ..core.paths import unusable
from ..core.version import __version__
from . import arguments
from .console import output, progress, refused, tolerant_streams


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The words after `layertie`; default those of the process.

    Returns:
        0 done; 1 the run failed (diverged, out of memory); 2 a bad setting or unreadable input; 130 interrupted.
    """
    typed = list(sys.argv[1:] if argv is None else argv)
    with tolerant_streams():
        if typed == ["--version"]:
            output().print(_version(), soft_wrap=True)
            return 0
        return _run(typed, progress())


def _version() -> str:
    """The package's version, and those of what its results depend on most; nothing of it is loaded."""
    versions = {"Python": platform.python_version()}
    for name in ("torch", "polars", "altair", "marimo"):
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return f"layertie_lab {__version__} ({', '.join(f'{name} {number}' for name, number in versions.items())})"


def _run(typed: list[str], told: Console) -> int:
    try:
        command = arguments.parse(typed)
        result, code = _dispatch(command, told)
        if result is not None and command.json:
            print(json.dumps(in_words(result), allow_nan=False), flush=True)
    except LayertieError as error:
        refused(told, str(error))
        return error.exit_code
    except BrokenPipeError:
        # The reader (`| head`) has gone; what it did not want needs no message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        refused(told, str(unusable(error.filename, error)))
        return 2
    except KeyboardInterrupt:
        told.print("Interrupted.")
        return 130
    return code


def _dispatch(command: arguments.Command, told: Console) -> tuple[dict[str, Any] | None, int]:
    """Call the function of the command's name in the file of that name: `arguments.Twins` is `twins.twins`."""
    name = type(command).__name__.lower()
    return getattr(import_module(f".{name}", __package__), name)(command, told, output())
