"""All rows, one after the other, with progress."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ..core.config import RunConfig
from ..core.version import __version__
from ..records.io.store import Store
from ..text.dataset import TokenData, prepare
from . import agents, audit, inside, live, records, training, twins
from .pairing import Row

Say = Callable[[str], None]


def rows(device: str, *, quick: bool, only: str, say: Say) -> Iterator[Row]:
    """Measure and yield row after row.

    Args:
        device: cpu, cuda or mps.
        quick: Fewer rounds: wider intervals in less time.
        only: Measure only the groups whose name contains this text; "" = all.
        say: Called with what is measured next.

    Raises:
        LayertieError: The device is absent.
    """
    rounds = 8 if quick else 24
    config = training.default_config(device)
    data = prepare(config.text, config.model.context, Store())
    for name, group in groups(config, data, rounds).items():
        if only in name:
            say(name)
            yield from group()


def groups(config: RunConfig, data: TokenData, rounds: int) -> dict[str, Callable[[], Iterator[Row]]]:
    """What can be measured, by name."""
    return {
        "plain loops": lambda: training.against_plain_loops(config, data, rounds),
        "owner": lambda: training.owner_against_shared(config, data, rounds),
        "session": lambda: training.session_against_its_steps(config, data, rounds),
        "overhead": lambda: training.decision_overhead(config, data, rounds),
        "live": lambda: live.watched_against_unwatched(config, max(4, rounds // 3)),
        "audit": lambda: audit.audit_share(config, data, rounds),
        "agent": lambda: agents.agent_cost(rounds),
        "evidence": lambda: agents.evidence_share(config, data, rounds),
        "fork": lambda: twins.fork_cost(config, data, rounds),
        "twins": lambda: twins.twins_against_their_steps(config, data, rounds),
        "views": lambda: inside.views_in_steps(config, data, rounds),
        "looking back": lambda: inside.snapshots_and_scrubbing(config, data, rounds),
        "cursor": lambda: records.cursor_cost(rounds),
    }


def machine(device: str) -> dict[str, Any]:
    """Hardware and versions, to be kept with the rows."""
    found: dict[str, Any] = {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "layertie_lab": __version__,
        "device": device,
    }
    if torch.device(device).type == "cuda":
        found["gpu"] = torch.cuda.get_device_name()
    return found
