"""Rows about what the agent itself costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

from ..agent.policies.evidence import LOOKS
from ..agent.synthetic.trials import try_agent
from ..core.config import RunConfig
from ..session.evidence import with_evidence
from ..session.session import Session
from ..text.dataset import TokenData
from .pairing import Row, interleaved, row

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


def evidence_share(config: RunConfig, data: TokenData, rounds: int) -> Iterator[Row]:
    """What measuring ties takes of a run of the lab agent, as a share of its decisions' time.

    A look, which it takes `LOOKS` times, beside a decision of its own, which holds its steps, its reward, proposing and
    learning.
    """
    for layers in (12, 48):
        session = Session(config.replace(layers=layers), data=data)
        state = session.state
        told = with_evidence(session.evaluator.agent_state(), state, session.evaluator)
        costs, agreement = told.tie_costs, told.agreement
        assert costs is not None
        assert agreement is not None

        def look(costs: Callable[[], object] = costs, agreement: Callable[[], object] = agreement) -> None:
            costs()
            agreement()

        def decide(session: Session = session) -> None:
            session.commit(session.propose().choice)

        measured = interleaved(look, decide, max(4, rounds // 3))
        looks = len(LOOKS) / config.decisions
        yield row(
            f"lab agent, measuring ties / decisions of a run of {config.decisions}, {layers} x {config.model.width}",
            measured[:, 0] / measured[:, 1] * looks,
            at_most=0.1,
            look_in_decisions=float((measured[:, 0] / measured[:, 1]).mean()),
        )


def milliseconds(layers: int, rounds: int) -> list[float]:
    """CPU milliseconds per decision over the first passes, one figure per seed."""
    config = RunConfig.preset("laptop", layers=layers)
    return [try_agent(config, "B", PASSES * (layers - 1), seed).milliseconds for seed in range(rounds)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(milliseconds(int(sys.argv[1]), int(sys.argv[2]))))
