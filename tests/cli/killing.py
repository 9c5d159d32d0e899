"""Commands in processes of their own that are killed, asked to end, or run side by side."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

SMALL = ["--scale=tiny", "--layers=3", "--width=16", "--context=16", "--batch-size=4", "--threads=1"]
"""A run whose decisions take some hundredths of a second."""


def start(words: Sequence[str]) -> subprocess.Popen[str]:
    """`layertie` with these words."""
    return subprocess.Popen(
        [sys.executable, "-m", "layertie_lab", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def ended(process: subprocess.Popen[str], *statuses: int) -> str:
    """What it printed, once it has ended with one of these statuses and without a trace."""
    printed, errors = process.communicate(timeout=300)
    assert process.returncode in (statuses or (0,)), (process.returncode, errors)
    assert "Traceback" not in errors, errors
    return printed


def appears(path: Path, process: subprocess.Popen[str], timeout: float = 120.0) -> bool:
    """Wait until a file has something in it; False where the process has ended before."""
    end = time.monotonic() + timeout
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < end, f"{path} did not appear"
        if process.poll() is not None:
            return False
        time.sleep(0.005)
    return True


def strike(process: subprocess.Popen[str], sent: int = signal.SIGKILL) -> bool:
    """Send it a signal, and wait until it and all that it started are gone; whether it was still there."""
    if process.poll() is not None:
        process.communicate(timeout=120)  # closes what it wrote to
        return False
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sent)
    process.communicate(timeout=120)
    _, alive = psutil.wait_procs(below, timeout=30)
    assert alive == [], "what a killed command started ends with it"
    return process.returncode != 0


def drawn() -> random.Random:
    """A source of moments, whose seed is printed."""
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    return random.Random(seed)


def replicates(study: Path) -> list[dict[str, Any]]:
    """A study's replicates, without what the clock says of them."""
    lines = (study / "replicates.jsonl").read_text().splitlines()
    found = sorted((json.loads(line) for line in lines), key=lambda one: one["replicate"])
    return [{name: value for name, value in one.items() if name not in ("seconds", "digest")} for one in found]


def unfinished(folder: Path) -> list[Path]:
    """Files that somebody began to write."""
    return [path for path in folder.rglob(".*") if path.name.startswith(".tmp") or path.name.endswith(".tmp")]
