"""Rows about what the agent itself costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from ..agent.synthetic.trials import try_agent
from ..core.config import RunConfig
from .pairing import Row, row

LIMIT = 5.0
"""Milliseconds that proposing and learning may take per decision."""
PASSES = 12
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def agent_cost(rounds: int) -> Iterator[Row]:
    """CPU time of the lab agent per decision, proposal and learning, as a share of `LIMIT`, on one core.

    The worths come from a landscape (`synthetic.landscapes`, B), so that nothing else takes time. Measured in
    a process with one thread: linear algebra with several spins while it waits, which would count.
    """
    for layers in (12, 48):
        command = [sys.executable, "-m", "layertie_lab.bench.agents", str(layers), str(rounds)]
        made = subprocess.run(command, env=os.environ | _ONE_THREAD, check=True, stdout=subprocess.PIPE)
        spent = json.loads(made.stdout)
        yield row(
            f"lab agent, CPU time per decision / {LIMIT:g} ms, {layers} layers",
            [each / LIMIT for each in spent],
            at_most=1.0,
            milliseconds=sorted(spent)[len(spent) // 2],
        )


def milliseconds(layers: int, rounds: int) -> list[float]:
    """CPU milliseconds per decision over the first passes, one figure per seed."""
    config = RunConfig.preset("laptop", layers=layers)
    return [try_agent(config, "B", PASSES * (layers - 1), seed).milliseconds for seed in range(rounds)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(milliseconds(int(sys.argv[1]), int(sys.argv[2]))))
