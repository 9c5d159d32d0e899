"""What a run will take, before it is made: memory is refused with its figure, and a lost model ends its run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.core.errors import ConfigError, DivergedError
from layertie_lab.models.counts import untied_parameters
from layertie_lab.models.memory import model_memory
from layertie_lab.session import evaluator as evaluators
from layertie_lab.session import requirements
from layertie_lab.session.meter import Meter
from layertie_lab.session.requirements import check_memory, expected_seconds, free_memory, least_memory

CPU = torch.device("cpu")


def small(text: Path, **changes: object) -> RunConfig:
    settings = {"layers": 3, "width": 16, "context": 16, "batch_size": 2, "decisions": 4, "evaluation_windows": 2}
    return RunConfig.preset("tiny", corpus=str(text), **{**settings, **changes})


@pytest.mark.parametrize("algorithm", ["lab", "paper"])
def test_the_estimate_is_what_the_model_as_it_starts_is_predicted_to_take(algorithm: str, text_file: Path) -> None:
    session = Session(small(text_file, algorithm=algorithm))
    found = least_memory(session.config, session.data.vocabulary_size, len(session.ties.independent_layers), CPU)
    predicted = model_memory(session.model, session.config.training.batch_size)
    assert found["weights"] == predicted["parameters"]
    assert found["gradients and optimizer state"] == predicted["gradients"] + predicted["optimizer"]
    assert found["activations"] == predicted["activations"]
    assert found["weights"] < 4 * untied_parameters(session.model)


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 65_536, "heads": 1, "mlp_ratio": 64},
        {"batch_size": 65_536, "context": 4_000},
        {"accumulate": 65_536, "batch_size": 65_536},
        {"layers": 1_024},
    ],
)
def test_what_cannot_fit_is_refused_before_anything_is_made(
    changes: dict[str, int], text_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"fits into the [\d.,]+ [GM]B of memory .* at least [\d.,]+ [GM]B"):
        Session(small(text_file, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_free_counts(text_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small(text_file)
    needed = sum(least_memory(config, 64, 3, CPU).values())
    monkeypatch.setattr(requirements, "free_memory", lambda device: needed)
    check_memory(config, 64, 3, CPU)
    monkeypatch.setattr(requirements, "free_memory", lambda device: needed - 1)
    with pytest.raises(ConfigError, match=r"Lower model\.width"):
        check_memory(config, 64, 3, CPU)
    assert free_memory(CPU) > 0


def test_the_time_of_a_run_is_told_from_its_first_evaluations(text_file: Path) -> None:
    config, meter = small(text_file, evaluate_every=0), Meter(CPU)
    assert expected_seconds(config, meter, 10) is None
    meter.evaluation_seconds, meter.evaluated_sequences = 2.0, 4
    sequences = 3 * config.training.steps_per_decision * config.training.batch_size + config.reward.windows
    assert expected_seconds(config, meter, 10) == pytest.approx(10 * sequences * 0.5)
    session = Session(small(text_file))
    assert session.meter.evaluated_sequences
    assert expected_seconds(session.config, session.meter, 10)


def test_a_lost_model_ends_its_run_and_the_agent_learns_nothing_from_it(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[float] = []
    with Session(small(text_file, learning_rate=1e4, gradient_clip=0.0), tmp_path / "run") as session:
        monkeypatch.setattr(session.components.policy, "learn", lambda told, key: learned.append(told.reward))
        with pytest.raises(DivergedError, match=r"of at most 80 nats per token at step \d+.*the run has diverged"):
            session.run()
        best = dict(session.best)
    assert not learned
    assert best["validation"] < 80
    run = load_run(tmp_path / "run")
    assert run.steps["loss"].max() < 80
    assert run.status != "finished"


def test_a_loss_behind_the_reward_that_is_lost_is_told_with_its_decision(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Session(small(text_file), tmp_path / "run") as session:
        session.run(1)
        monkeypatch.setattr(evaluators, "has_diverged", lambda loss: True)
        with pytest.raises(DivergedError, match="the run has diverged at decision 2"):
            session.run(1)
        assert load_run(tmp_path / "run").decisions.height == 1
