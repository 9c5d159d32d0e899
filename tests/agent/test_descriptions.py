"""What policies and rewards say of themselves is true of them, and one in a file of its own is found everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from walks import Walk, config_of

from layertie_lab.agent.policies.registry import POLICIES, make_policy
from layertie_lab.agent.rewards.measurement import Measurement
from layertie_lab.agent.rewards.registry import REWARDS

POLICY = """
from layertie_lab.agent.descriptions import PolicyDescription
from layertie_lab.agent.policies.registry import POLICIES
from layertie_lab.agent.protocol import StatelessPolicy

NEAREST = PolicyDescription(
    "nearest", "Nearest owner", about="Ties each layer to the one before it.", unit="layers",
    meaning="minus the distance to the source", reads="the distance alone", values="returns", draws=True,
    learning={"distance": "distance to the source"},
)

@POLICIES.register(NEAREST)
class Nearest(StatelessPolicy):
    description = NEAREST

    def propose(self, state, key):
        values = [source - state.layer for source in range(state.layer + 1)]
        return state.proposal(self.greedy(state), q_values=values, epsilon=0.5)

    def greedy(self, state):
        return state.nearest(state.layer - 1)

    def learn(self, transition, key):
        return {"distance": float(transition.state.layer - transition.choice)}
"""
REWARD = """
from layertie_lab.agent.descriptions import RewardDescription
from layertie_lab.agent.rewards.measurement import StatelessReward
from layertie_lab.agent.rewards.registry import REWARDS

THRIFT = RewardDescription("thrift", "Thrift", about="Minus the parameters that train.", unit="minus share", level=True)

@REWARDS.register(THRIFT)
class Thrift(StatelessReward):
    description = THRIFT

    def value(self, measurement):
        return -measurement.share
"""
PROGRAM = """
import json, sys
from layertie_lab import RunConfig, Session, load_run
from layertie_lab.explorer import live_panels
from layertie_lab.inspection.moment import Inspection
from layertie_lab.inspection.views.reasons import Reasons
from layertie_lab.inspection.views.reasons_found import reasons

corpus, run = sys.argv[1:]
config = RunConfig.preset("tiny", policy="nearest", kind="thrift", decisions=4, threads=1, corpus=corpus)
with Session(config, run) as session:
    session.run()
panels = live_panels.panels(config)
found = reasons(Inspection.of(run, 2), {}, lambda done: None)
print(json.dumps({
    "panels": {title: json.dumps(spec) for title, spec in panels.items() if title in ("Reward", "Epsilon")},
    "choices": load_run(run).decisions["choice"].to_list(),
    "rewards": load_run(run).decisions["reward"].to_list(),
    "words": " ".join(Reasons().words(found["facts"])),
}))
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which another package is installed, with a policy and a reward, a file and a line each."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "their_policy.py").write_text(POLICY)
    (folder / "their_reward.py").write_text(REWARD)
    information = folder / "theirs.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (information / "entry_points.txt").write_text(
        "[layertie_lab.policies]\nnearest = their_policy\n[layertie_lab.rewards]\nthrift = their_reward\n"
    )
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(folder)]), "COLUMNS": "400"}


def python(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_more_policy_and_reward_are_in_help(elsewhere: dict[str, str]) -> None:
    told = " ".join(python(elsewhere, "-m", "layertie_lab", "train", "--help").split())
    # Names are broken where the line ends.
    assert ",nearest}" in told.replace(" ", "").replace("\u2502", "")
    assert "nearest: Ties each layer to the one before it." in told
    assert "improvement-over-trend,thrift}" in told
    assert "thrift: Minus the parameters that train." in told
    swept = " ".join(python(elsewhere, "-m", "layertie_lab", "sweep", "--help").split())
    assert swept.replace(" ", "").replace("\u2502", "").count(",nearest}") == 3


def test_one_more_policy_and_reward_are_in_log_charts_and_reasons(
    elsewhere: dict[str, str], text_file: Path, tmp_path: Path
) -> None:
    found = json.loads(python(elsewhere, "-c", PROGRAM, str(text_file), str(tmp_path / "run")))
    assert found["choices"] == [0, 1, 2, 0]
    assert all(-1 <= reward < 0 for reward in found["rewards"])
    assert "reward (minus share)" in found["panels"]["Reward"]
    assert "Minus the parameters that train. One mark per decision" in found["panels"]["Reward"]
    assert "Epsilon" in found["panels"]
    assert "The agent (nearest) proposed: tied to 2" in found["words"]
    assert "depend on the distance alone" in found["words"]
    assert "A value is minus the distance to the source (layers)." in found["words"]
    assert "distance to the source +1" in found["words"]
    handed_in = json.loads((tmp_path / "run" / "config.json").read_text())["handed_in"]
    assert handed_in["policy"] == {"name": "nearest", "path": "their_policy.Nearest"}
    assert handed_in["reward"] == {"name": "thrift", "path": "their_reward.Thrift"}


@pytest.mark.parametrize("name", POLICIES.names)
def test_what_a_policy_says_of_its_values_is_true(name: str) -> None:
    said = POLICIES.describe(name)
    assert said.title
    assert said.about.endswith((".", ")"))
    assert said.reads
    assert bool(said.unit) == bool(said.meaning) == (said.values != "none")
    walk = Walk(make_policy(config_of(name)))
    own = walk.policy.description
    assert (own.name, own.values) == (name, said.values)
    proposals = walk.go(24)
    for proposal in proposals:
        assert (proposal.q_values is None) == (said.values == "none")
        if said.values == "changes":
            assert proposal.q_values is not None
            assert proposal.q_values[proposal.legal.index(proposal.present)] == 0
    if said.draws:
        epsilons = [proposal.epsilon for proposal in proposals]
        assert all(epsilon is not None for epsilon in epsilons)
        assert epsilons[-1] < epsilons[0]
    told = set().union(*walk.learning)
    assert set(own.learning) <= told


@pytest.mark.parametrize("name", REWARDS.names)
def test_what_a_reward_says_of_itself_is_true(name: str) -> None:
    said = REWARDS.describe(name)
    assert said.title
    assert said.about.endswith(".")
    assert said.meaning
    assert said.reads
    assert said.axis == f"reward ({said.unit})"
    reward = REWARDS.get(name)()
    assert reward.description is said

    def value(loss: float, decision: int) -> float:
        return reward.value(Measurement(loss, 4 * decision, decision, 50, 100))

    reward.start(Measurement(3.0, 0, 0, 50, 100))
    # A loss that falls steadily, then stands still: a level stays, a change goes to 0, and below it over a trend.
    falling = [value(3.0 - 0.1 * decision, decision) for decision in range(1, 20)]
    still = value(3.0 - 0.1 * 19, 20)
    assert (still == falling[-1]) == said.level
    assert (still < -0.05) == (said.level or said.detrended)
