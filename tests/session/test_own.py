"""A policy, a reward and texts of one's own: recorded by name and import path, asked for again, never mixed up."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from own_components import Alternating, MinusLoss, NoLearning, Other

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.agent.descriptions import PolicyDescription
from layertie_lab.agent.policies.registry import POLICIES
from layertie_lab.agent.rewards.registry import REWARDS
from layertie_lab.core.errors import AgentError, ConfigError, LayertieError, RecordError
from layertie_lab.inspection.moment import Inspection
from layertie_lab.session.moment import Moment

TEXTS = [f"Line {number}: {number * number} and {number * 7919 % 1000}." for number in range(400)]


def config(**changes: Any) -> RunConfig:
    return RunConfig.preset("tiny", decisions=6, threads=1, **changes)


def lines(run: Path) -> list[dict[str, Any]]:
    """What a run decided and learned, without what was measured of the machine."""
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [event for event in events if event["event"] in ("decided", "finished", "step", "outcome", "stepped")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one's own parts, in one go."""
    path = tmp_path_factory.mktemp("own") / "whole"
    with Session(config(), path, policy=Alternating, reward=MinusLoss, data=TEXTS) as session:
        session.run()
    return path


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """The same run, stopped half way."""
    with Session(config(), tmp_path / "half", policy=Alternating, reward=MinusLoss, data=TEXTS) as session:
        session.run(3)
    return tmp_path / "half"


def test_a_run_goes_under_their_names_and_the_log_has_what_they_did(whole: Path) -> None:
    run = load_run(whole)
    assert (run.config.agent.policy, run.config.reward.kind) == ("alternating", "minus-loss")
    assert [row["choice"] for row in run.decisions.to_dicts()] == [0, 2, 0, 1, 0, 3]
    assert all(row["reward"] < 0 for row in run.decisions.to_dicts())
    handed_in = json.loads((whole / "config.json").read_text())["handed_in"]
    assert handed_in["policy"] == {"name": "alternating", "path": "own_components.Alternating"}
    assert handed_in["reward"] == {"name": "minus-loss", "path": "own_components.MinusLoss"}
    assert run.opened is not None
    assert "handed in: 400 texts" in run.opened.corpus


@pytest.mark.parametrize("policy", [Alternating, Alternating(), lambda config, told: Alternating()])
def test_a_run_that_is_resumed_with_them_goes_on_exactly(whole: Path, half: Path, policy: Any) -> None:
    with Session.resume(half, policy=policy, reward=MinusLoss()) as session:
        session.run()
    assert lines(half) == lines(whole)
    assert len(lines(half)) > 6


def test_an_object_stays_as_it_was_handed_in() -> None:
    policy = Alternating()
    with Session(config(), policy=policy, data=TEXTS) as session:
        session.run(2)
        assert session.components.policy.state()[1] == {"learned": 2}
        twin = session.fork()
        twin.run(1)
        assert session.components.policy.state()[1] == {"learned": 2}
    assert policy.learned == 0


def test_the_policy_is_told_what_kind_of_reward_it_gets() -> None:
    with Session(config(), policy=Alternating, reward=MinusLoss, data=TEXTS) as session:
        policy = session.components.policy
        assert isinstance(policy, Alternating)
        assert policy.told == MinusLoss.description
    with Session(config(), policy=Alternating, data=TEXTS) as session:
        policy = session.components.policy
        assert isinstance(policy, Alternating)
        assert policy.told == REWARDS.describe("improvement")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, ("policy alternating (own_components.Alternating)", "neither", "policy=...", "Session.resume")),
        ({"policy": Alternating}, ("reward minus-loss (own_components.MinusLoss)", "neither", "reward=...")),
        (
            {"policy": Other, "reward": MinusLoss},
            ("alternating (own_components.Alt", "but got other (own_components.O"),
        ),
        (
            {"policy": Alternating, "reward": MinusLoss, "data": TEXTS[:-1]},
            ("Expected the text", "handed in is not it"),
        ),
    ],
)
def test_resuming_without_them_or_with_others_is_refused(half: Path, given: Any, said: tuple[str, ...]) -> None:
    before = (half / "events.jsonl").read_bytes()
    with pytest.raises(RecordError) as refused:
        Session.resume(half, **given)
    assert all(words in str(refused.value) for words in said), refused.value
    assert (half / "events.jsonl").read_bytes() == before


def test_a_run_of_ours_is_not_resumed_with_a_policy_of_ones_own(tmp_path: Path) -> None:
    with Session(config(), tmp_path / "run", data=TEXTS) as session:
        session.run(1)
    assert json.loads((tmp_path / "run" / "config.json").read_text()).get("handed_in", {}) == {}
    with pytest.raises(RecordError, match=r"policy lab that .* but got alternating \(own_components"):
        Session.resume(tmp_path / "run", policy=Alternating)


def test_moments_of_the_session_have_them_and_those_on_disk_ask_for_them(half: Path, tmp_path: Path) -> None:
    with Session(config(), tmp_path / "run", policy=Alternating, reward=MinusLoss, data=TEXTS) as session:
        session.run(2)
        carried = pickle.loads(pickle.dumps(Moment.of(session)))
        expected = session.propose()
        with carried.open() as branch:
            assert branch.propose() == expected
            branch.run(1)
    with pytest.raises(RecordError, match="alternating"):
        Moment.stored(half)
    # What does not ask the agent can be looked at all the same.
    inspection = Inspection.of(half)
    assert inspection.decision == 3
    with pytest.raises(RecordError, match="alternating"):
        _ = inspection.policy


def test_one_that_is_registered_is_named_and_not_handed_in(tmp_path: Path) -> None:
    registered = PolicyDescription("registered", "Registered")

    class Registered(Alternating):
        description = registered

    POLICIES.register(registered)(Registered)
    with Session(config(policy="registered"), tmp_path / "run", data=TEXTS) as session:
        session.run(2)
    recorded = json.loads((tmp_path / "run" / "config.json").read_text())["handed_in"]
    assert recorded["policy"]["name"] == "registered"
    assert recorded["policy"]["path"].startswith("test_own.")
    with Session.resume(tmp_path / "run") as session:
        session.run(1)
        assert session.components.policy.state()[1] == {"learned": 3}


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"policy": NoLearning}, AgentError, "own_components.NoLearning lacks greedy, learn, state, load"),
        ({"policy": object()}, AgentError, "lacks propose"),
        ({"policy": MinusLoss()}, AgentError, "lacks propose"),
        ({"policy": lambda: Alternating()}, AgentError, "the run's config and the description of its reward"),
        ({"reward": Alternating()}, AgentError, "lacks start, value"),
        ({"reward": 3}, AgentError, "lacks start"),
        ({"data": "pydoc"}, LayertieError, "one string"),
    ],
)
def test_what_is_none_is_refused(given: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Session(config(), **given)


def test_a_name_that_is_taken_is_refused() -> None:
    class Lab(Alternating):
        description = PolicyDescription("lab", "Not the lab's")

    with pytest.raises(ConfigError, match=r"no other policy has, but 'lab' is layertie_lab\.agent\.policies\.lab"):
        Session(config(), policy=Lab)


def test_a_name_that_nobody_registered_costs_no_text() -> None:
    with pytest.raises(ConfigError, match=r"Expected a policy out of lab, lab-1, paper, .* but got 'labb'"):
        Session(config(policy="labb", corpus="/nowhere.txt"))
    with pytest.raises(ConfigError, match=r"Expected a reward out of negative-perplexity, .* but got 'nice'"):
        Session(config(kind="nice", corpus="/nowhere.txt"))


def test_the_policy_in_the_readme_runs() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    blocks = [block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "NearestOwner" in block]
    found: dict[str, Any] = {"RunConfig": RunConfig, "Session": Session}
    exec(blocks[0].replace('"laptop"', '"tiny", threads=1'), found)
    found["session"].run(3)
    assert found["session"].ties.sources == (0, 0, 2, 2)


@pytest.mark.parametrize("kind", ["policy", "reward"])
def test_a_name_in_place_of_a_component_is_refused_and_says_where_it_belongs(kind: str) -> None:
    with pytest.raises(AgentError, match=f"Expected a {kind}, or a class or function .* but got the name 'random'"):
        Session(config(), data=TEXTS, **{kind: "random"})


def test_a_policy_that_proposes_a_number_is_refused() -> None:
    class Number(Alternating):
        description = PolicyDescription("number", "A number")

        def propose(self, state: Any, key: Any) -> Any:
            return 0

    with pytest.raises(AgentError, match=r"policy number to propose with state\.proposal\(action\), but it gave 0"):
        Session(config(), policy=Number, data=TEXTS).propose()
