"""SIGKILL at random moments: a resumed run ends with the same log and the same weights, bit for bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from layertie_lab import RunConfig, Session
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.state.checkpoints import load_checkpoint

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")

CHILD = """
import sys
from pathlib import Path
from layertie_lab import RunConfig, Session
import json
folder, config = Path(sys.argv[1]), RunConfig.from_dict(json.loads(sys.argv[2]))
session = Session.resume(folder) if (folder / "checkpoints").is_dir() and any((folder / "checkpoints").iterdir()) \
    else Session(config, folder)
print("begun", flush=True)
session.run()
session.save("end")
session.close()
"""


def run_and_kill(config: RunConfig, folder: Path, kills: int, seed: int) -> int:
    """Run in child processes, killing each at a random moment; how many kills hit a living child."""
    import json

    draw = random.Random(seed)
    hit = 0
    for attempt in range(kills + 200):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), json.dumps(config.to_dict())],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert child.stdout is not None
        if hit < kills:
            # A random moment of the run itself; the wait for imports and set-up is not where it gets interesting,
            # but every fifth kill falls there.
            if attempt % 5:
                child.stdout.readline()
            time.sleep(draw.uniform(0.0, 0.5))
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
                hit += 1
        _, errors = child.communicate()
        if child.returncode == 0:
            print(f"killed {hit} times")
            return hit
        assert child.returncode == -signal.SIGKILL, errors.decode()
    raise AssertionError("the run never ended")


def compare(config: RunConfig, tmp_path: Path, kills: int, seed: int) -> int:
    whole = Session(config, tmp_path / "whole")
    whole.run()
    whole.save("end")
    whole.close()
    hit = run_and_kill(config, tmp_path / "killed", kills, seed)
    logs = [(tmp_path / name / "events.jsonl").read_bytes() for name in ("whole", "killed")]
    assert logs[0] == logs[1]
    ends = [load_checkpoint(RunDirectory.open(tmp_path / name), "end") for name in ("whole", "killed")]
    assert ends[0].tensors.keys() == ends[1].tensors.keys()
    assert all(ends[0].tensors[name].equal(ends[1].tensors[name]) for name in ends[0].tensors)
    assert ends[0].meta == ends[1].meta
    return hit


def config_for(text: Path, **changes: object) -> RunConfig:
    return RunConfig.preset(
        "tiny",
        corpus=str(text),
        dropout=0.1,
        checkpoint_seconds=0.2,
        evaluate_every=4,
        sample_every=9,
        threads=1,
        **changes,
    )


def test_one_kill(text_file: Path, tmp_path: Path) -> None:
    compare(config_for(text_file, decisions=40), tmp_path, kills=1, seed=1)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("algorithm", "kills"),
    [
        pytest.param("lab", 20, marks=pytest.mark.slow),
        *(pytest.param(name, 6, marks=pytest.mark.slow) for name in ("paper", "official-code")),
        *(pytest.param(name, 20, marks=pytest.mark.long) for name in ("paper", "official-code")),
    ],
)
def test_many_kills(algorithm: str, kills: int, text_file: Path, tmp_path: Path) -> None:
    config = config_for(text_file, decisions=35 * kills, algorithm=algorithm)
    assert compare(config, tmp_path, kills=kills, seed=2) >= 0.75 * kills
