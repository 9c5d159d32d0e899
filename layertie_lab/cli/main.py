"""From words typed to an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
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
    # A pipe has no width; a name that is cut is of no use to whoever reads it.
    output = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    if isinstance(command, arguments.Train):
        from .train import train

        return train(command, progress)
    if isinstance(command, arguments.Resume):
        from .train import resume

        return resume(command, progress)
    if isinstance(command, arguments.Runs):
        from .show import runs

        return runs(command, output), 0
    if isinstance(command, arguments.Show):
        from .show import show

        return show(command, output, progress), 0
    if isinstance(command, arguments.Export):
        from .show import export

        return export(command, output), 0
    if isinstance(command, arguments.Audit):
        from .audit import audit

        return audit(command, progress, output), 0
    if isinstance(command, arguments.Sweep):
        from .sweep import sweep

        return sweep(command, progress, output)
    if isinstance(command, arguments.Twins):
        from .twins import twins

        return twins(command, progress, output)
    if isinstance(command, arguments.Branch):
        from .branch import branch

        return branch(command, progress, output)
    if isinstance(command, arguments.Replay):
        from .replay import replay

        return replay(command, progress)
    if isinstance(command, arguments.Compare):
        from .compare import compare

        return compare(command, progress, output), 0
    from .bench import bench

    return bench(command, progress, output)


def _escaped(error: LayertieError) -> str:
    from rich.markup import escape

    return escape(str(error))
