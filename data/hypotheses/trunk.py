"""The run that the hypotheses are about, with moments kept: `python data/hypotheses/trunk.py RUN DECISION ...`.

`layertie train --scale laptop --corpus pydoc --decisions 200 --seed 1`, on one thread, with the moment before each of
the decisions kept, so that `layertie twins RUN --decision DECISION` can ask about it.
"""

import sys
from pathlib import Path

from layertie_lab import RunConfig, Session
from layertie_lab.records.tree import moment_name


def main(run: Path, decisions: list[int]) -> None:
    """Train it, and say what the agent proposes at each of them."""
    # The lab agent as it was then, and its optimizer state after a re-tie.
    was = {"learner": "linear", "moments": "clone"}
    config = RunConfig.preset(
        "laptop", corpus="pydoc", splits="bytes", decisions=200, seed=1, threads=1, checkpoint_seconds=600.0
    )
    config = config.replace(**was)
    session = Session(config, directory=run)
    for decision in sorted(decisions):
        session.run(decision - 1 - session.decision)
        session.save(moment_name(decision))
        proposal = session.propose()
        print(
            f"decision {decision}, step {session.step}: layer {proposal.layer}, map {list(session.ties)}, the agent "
            f"proposes {proposal.choice}",
            flush=True,
        )
    session.run(config.decisions - session.decision)
    session.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(word) for word in sys.argv[2:]])
