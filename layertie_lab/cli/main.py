"""From words typed to an exit code.

A command is a class in `arguments`, which declares its flags, and a function of its name in the file of its name:
`(command, progress, output) -> (result as plain values, exit code)`. Progress goes to standard error, output to
standard output. Only the file of the command that was typed is loaded: torch and polars are not for `--help`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rich.console import Console

from ..core.errors import LayertieError
from . import arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The words after `layertie`; default those of the process.

    Returns:
        0 done; 1 the run failed (diverged, out of memory); 2 a bad setting or unreadable input; 130 interrupted.
    """
    typed = list(sys.argv[1:] if argv is None else argv)
    progress = Console(stderr=True, highlight=False)
    try:
        command = arguments.parse(typed)
        result, code = _dispatch(command, progress)
        if result is not None and command.json:
            print(json.dumps(result, allow_nan=False), flush=True)
    except LayertieError as error:
        progress.print(f"[bold red]layertie:[/] {_escaped(error)}", soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        progress.print("Interrupted.")
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has gone; what it did not want needs no message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _dispatch(command: arguments.Command, progress: Console) -> tuple[dict[str, Any] | None, int]:
    """Call the function of the command's name in the file of that name: `arguments.Twins` is `twins.twins`."""
    # A pipe has no width; a name that is cut is of no use to whoever reads it.
    output = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    name = type(command).__name__.lower()
    return getattr(import_module(f".{name}", __package__), name)(command, progress, output)


def _escaped(error: LayertieError) -> str:
    from rich.markup import escape

    return escape(str(error))
