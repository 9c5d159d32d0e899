"""What a session does with answers, losses and states that it cannot use: it says what and why, and stays usable."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.agent.observation import observation_size
from layertie_lab.agent.policies.external import ExternalPolicy
from layertie_lab.agent.policies.registry import make_policy
from layertie_lab.core.errors import AgentError, ConfigError, DivergedError, LayertieError, RecordError
from layertie_lab.records.directory import RunDirectory

ALGORITHMS = ("lab", "paper", "official-code")


def small(text: Path, **changes: Any) -> RunConfig:
    defaults = {
        "corpus": str(text),
        "layers": 4,
        "width": 16,
        "context": 16,
        "batch_size": 4,
        "decisions": 6,
        "evaluation_windows": 4,
        "evaluate_every": 0,
        "sample_every": 0,
        "sample_tokens": 4,
    }
    return RunConfig.preset("tiny", **(defaults | changes))


class Fixed:
    """An outside model that always acts alike."""

    def __init__(self, action: Any) -> None:
        self.action = action

    def predict(self, observation: np.ndarray, deterministic: bool = False) -> tuple[Any, None]:
        return self.action, None


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (np.array(3), "Expected an action from 0 to 1 for layer 1, but got 3"),
        (np.array(-1), "but got -1"),
        (np.array(0.5), "but got 0.5"),
        (np.array([0, 1]), "Expected one action from the model, but got 2"),
    ],
)
def test_an_outside_policys_illegal_answer_changes_nothing(
    action: np.ndarray, said: str, text_file: Path, tmp_path: Path
) -> None:
    with Session(small(text_file), tmp_path / "run") as session:
        before = {name: value.clone() for name, value in session.model.state()[0].items()}
        own = session.components.policy
        session.state.components = replace(session.components, policy=ExternalPolicy(Fixed(action)))
        with pytest.raises(LayertieError, match=said) as caught:
            session.run(1)
        assert caught.value.remedy
        assert (session.decision, session.step, session.phase) == (0, 0, "propose")
        assert all(value.equal(before[name]) for name, value in session.model.state()[0].items())
        # A person may answer in its place, and the run goes on with a policy that keeps to the rules.
        session.state.components = replace(session.components, policy=own)
        session.commit(1)
        assert session.ties[1] == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_loss_that_is_no_number_stops_the_run_and_leaves_it_savable(
    algorithm: Any, text_file: Path, tmp_path: Path
) -> None:
    config = small(text_file, algorithm=algorithm)
    with Session(config, tmp_path / "run") as session:
        session.run(1)
        session.begin(0)
        session.advance()
        forward = session.model.forward
        session.model.forward = lambda *arguments: forward(*arguments) * math.nan
        before = {name: value.clone() for name, value in session.model.state()[0].items()}
        for _ in range(2):
            with pytest.raises(
                DivergedError, match=r"Expected a finite loss at step 6, but got a loss of nan"
            ) as caught:
                session.run()
            assert "learning rate" in caught.value.remedy
            assert (session.step, session.decision, session.pending_steps) == (5, 2, 3)
        assert all(value.equal(before[name]) for name, value in session.model.state()[0].items())
        assert session.save("before-the-end") is not None
    steps = load_run(tmp_path / "run").steps
    assert len(steps) == 5
    assert steps["loss"].is_finite().all()
    with Session.resume(tmp_path / "run") as resumed:  # here the loss is finite again
        assert (resumed.step, resumed.decision) == (8, 2)
        resumed.run()


def test_a_run_that_diverges_by_itself_says_where_it_did(text_file: Path, tmp_path: Path) -> None:
    with Session(small(text_file, learning_rate=1e20, gradient_clip=0.0), tmp_path / "run") as session:
        with pytest.raises(DivergedError, match=r"at step \d+, but got"):
            session.run()
        assert session.save() is not None
        stopped_at = session.step
    with pytest.raises(DivergedError, match=f"at step {stopped_at + 1}, but got"):
        Session.resume(tmp_path / "run")


@pytest.mark.parametrize("policy", ["lab", "paper", "official-code", "annealing", "hill-climbing", "ucb"])
def test_an_observation_of_another_depth_is_refused(policy: Any, text_file: Path) -> None:
    session = Session(small(text_file))
    session.state.components = replace(
        session.components, policy=make_policy(small(text_file, layers=6, policy=policy))
    )
    with pytest.raises(LayertieError, match="Expected") as caught:
        session.run(1)
    assert "6" in str(caught.value)
    assert (session.decision, session.phase) == (0, "propose")


def test_a_model_for_observations_of_another_depth_is_refused(text_file: Path) -> None:
    class Deeper(Fixed):
        observation_space = Box(0.0, 1.0, (observation_size(6),), np.float32)

    session = Session(small(text_file))
    session.state.components = replace(session.components, policy=ExternalPolicy(Deeper(0)))
    with pytest.raises(AgentError, match=r"Expected observations of 26 numbers, .* but got 18") as caught:
        session.run(1)
    assert caught.value.remedy


@pytest.mark.parametrize("changes", [{"hidden": 32}, {"layers": 6}])
def test_a_q_networks_checkpoint_of_another_size_is_refused(
    changes: dict[str, Any], text_file: Path, tmp_path: Path
) -> None:
    config = small(text_file, algorithm="official-code")
    with Session(config, tmp_path / "run") as session:
        session.run(2)
    other = make_policy(config.replace(**changes))
    before = {name: value.clone() for name, value in other.state()[0].items()}
    with pytest.raises(AgentError, match=r"Expected first\.weight of the Q-network to have shape"):
        other.load(*session.components.policy.state())
    assert all(torch.equal(value, before[name]) for name, value in other.state()[0].items())
    # The same through a run whose settings were edited.
    RunDirectory.open(tmp_path / "run").replace_config(config.replace(**changes))
    with pytest.raises(RecordError, match="was begun with") as caught:
        Session.resume(tmp_path / "run")
    assert "config.json was edited" in caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "said", "remedy"),
    [
        (
            {"on_untie": "alias", "moments": "keep", "chain": "follow"},
            'chain="snapshot" with on_untie="alias"',
            "snapshot",
        ),
        ({"on_untie": "alias", "chain": "snapshot"}, 'moments="keep" or "reset" with on_untie="alias"', "keep"),
        ({"moments": "keep"}, 'moments="scaled" or "clone" or "reset" or "rebuild" with on_untie="clone"', "scaled"),
        ({"split": "test"}, "does not see the test split", "validation"),
        ({"selection_split": "test"}, "chosen on validation", "validation"),
    ],
)
def test_contradictory_settings_are_refused(changes: dict[str, Any], said: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        RunConfig.preset("tiny", **changes)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("by", [3, None, "", " ", "a\nb"])
def test_who_acts_is_a_line_of_text(by: Any, text_file: Path, tmp_path: Path) -> None:
    with Session(small(text_file), tmp_path / "run") as session:
        session.begin(0)
        for act in (session.commit, session.begin):
            with pytest.raises(LayertieError, match="Expected a name of who acts, a line of text"):
                act(0, by=by)
        assert session.pending_steps > 0  # the decision under way is as it was
        session.complete()
    assert load_run(tmp_path / "run").decisions["by"].to_list() == ["human"]


def test_what_cannot_be_called_is_told_nothing(text_file: Path) -> None:
    nobody: Any = 3
    with pytest.raises(LayertieError, match="Expected a function that takes an event or a notice, but got 3"):
        Session(small(text_file)).subscribe(nobody)
