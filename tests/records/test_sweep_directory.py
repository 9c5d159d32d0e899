"""A sweep's folder: names, settings, what fits an existing one, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from layertie_lab import RunConfig
from layertie_lab.core.errors import ConfigError, RecordError
from layertie_lab.records.sweeps import RESULTS, SweepDirectory, varied_settings


def config(policy: str = "random", seed: int = 1, **changes: Any) -> RunConfig:
    return RunConfig.preset("tiny", policy=policy, seed=seed, **changes)


def test_runs_are_named_after_what_differs(tmp_path: Path) -> None:
    configs = [
        config("random", seed, learning_rate=rate, replicate=replicate)
        for seed in (1, 2)
        for rate in (0.001, 0.01)
        for replicate in (0, 1)
    ]
    configs += [RunConfig.preset("tiny", algorithm="paper", seed=1, policy="cycle")]
    sweep = SweepDirectory.plan(tmp_path / "sweep", configs)
    assert list(sweep.runs)[:3] == [
        "random-learning-rate-0.001-seed1",
        "random-learning-rate-0.001-seed1-r1",
        "random-learning-rate-0.01-seed1",
    ]
    assert "cycle-paper-learning-rate-0.001-seed1" in sweep.runs
    frame = SweepDirectory.open(tmp_path / "sweep").results()
    assert frame.schema == {name: kind for name, (kind, _) in RESULTS.items()}
    assert frame["setting"].unique().to_list() in (
        ["learning_rate=0.001", "learning_rate=0.01"],
        ["learning_rate=0.01", "learning_rate=0.001"],
    )
    assert frame["status"].unique().to_list() == ["planned"]
    assert frame["validation_loss"].null_count() == frame.height


def test_what_differs_between_algorithms_is_no_setting() -> None:
    configs = [RunConfig.preset("tiny", algorithm=name, seed=s) for name in ("lab", "paper") for s in (1, 2)]
    assert varied_settings(configs) == []
    assert varied_settings([*configs, configs[0].replace(layers=5, sample_every=3)]) == ["model.layers"]


def test_a_plan_may_grow_but_not_change(tmp_path: Path) -> None:
    path = tmp_path / "sweep"
    SweepDirectory.plan(path, [config("random", 1)])
    grown = SweepDirectory.plan(path, [config("cycle", 1), config("random", 1), config("random", 2)])
    assert list(grown.runs) == ["random-seed1", "cycle-seed1", "random-seed2"]
    assert SweepDirectory.open(path).runs == grown.runs
    with pytest.raises(RecordError, match=r"random-seed1 has model.layers=4.*model.layers=5"):
        SweepDirectory.plan(path, [config("random", 1, layers=5)])
    with pytest.raises(RecordError, match="--resume"):
        SweepDirectory.plan(path, [config("random", 2)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no sweep.json"),
        ("not json", "damaged"),
        ("[]", "damaged"),
        (json.dumps({"format": 99, "runs": {}}), "format 1, but"),
        (json.dumps({"format": 1, "runs": {"a": {"model": {"layers": 1}}}}), "layers to be between 2 and 1024"),
    ],
)
def test_opening_what_is_no_sweep(content: str | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(RecordError, match=words):
        SweepDirectory.open(tmp_path)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one run"):
        SweepDirectory.plan(tmp_path / "sweep", [])
    with pytest.raises(ConfigError, match="random with seed 1 comes twice"):
        SweepDirectory.plan(tmp_path / "sweep", [config(), config()])
    assert not (tmp_path / "sweep").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thing.txt").touch()
    for name in ("other", "other/thing.txt"):
        with pytest.raises(RecordError, match="something else"):
            SweepDirectory.plan(tmp_path / name, [config()])


def test_a_plan_that_was_killed_while_it_was_written_is_made_again(tmp_path: Path) -> None:
    (tmp_path / ".sweep.json.0123456789ab.tmp").write_bytes(b"half")
    sweep = SweepDirectory.plan(tmp_path, [config()])
    sweep.lock()
    sweep.unlock()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["sweep.json", "writer.lock"]


def test_only_one_process_works_on_it(tmp_path: Path) -> None:
    first = SweepDirectory.plan(tmp_path / "sweep", [config()])
    second = SweepDirectory.open(tmp_path / "sweep")
    first.lock()
    with pytest.raises(RecordError, match="only writer"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


def test_every_column_has_a_meaning() -> None:
    assert all(meaning and isinstance(kind(), pl.DataType) for kind, meaning in RESULTS.values())
