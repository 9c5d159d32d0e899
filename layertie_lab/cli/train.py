"""`layertie train`: a new run in this process, shown live, saved on Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from ..agent.policies.registry import POLICIES
from ..core.errors import ConfigError
from ..session.session import Session
from . import arguments
from .long_run import preparing, run_to_end, unused


def train(command: arguments.Train, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Train a new run to the end of its budget; (summary, exit code)."""
    config = command.config
    if POLICIES.describe(config.agent.policy).by_hand:
        raise ConfigError(
            f"Expected a policy that acts by itself, but got policy={config.agent.policy}, and nobody is asked on the "
            f"command line.",
            "Use the explorer (marimo run apps/explorer.py) or the notebook to act, or another policy.",
        )
    directory = command.directory or unused(Path("runs"), f"{config.scale}-{config.algorithm}-seed{config.seed}")
    with preparing(progress, command.quiet, "preparing text and model", directory):
        session = Session(config, directory)
    return run_to_end(session, None, progress, quiet=command.quiet, json=command.json)
