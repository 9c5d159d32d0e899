"""Sweeps: what is planned, what a stop or a kill leaves, and what one bad run does to the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from layertie_lab import RunConfig, Session
from layertie_lab.agent.policies.registry import POLICIES
from layertie_lab.core.errors import ConfigError, RecordError
from layertie_lab.records.sweeps import SweepDirectory
from layertie_lab.workers.sweep import BASELINES, Progress, plan, sweep

SMALL: dict[str, Any] = dict(layers=3, width=16, context=16, batch_size=4, evaluate_every=3, threads=1)


def base(text: Path, **changes: Any) -> RunConfig:
    return RunConfig.preset("tiny", corpus=str(text), **{"decisions": 6} | SMALL | changes)


def test_algorithms_are_presets_and_the_rest_runs_under_the_bases_semantics() -> None:
    given = RunConfig.preset("tiny", learning_rate=0.02, decisions=9)
    names = ["lab", "paper", "official-code", "annealing", "random-matched"]
    configs = {c.agent.policy: c for c in plan(given, names, [7], baselines=False)}
    assert list(configs) == names
    for name in ("lab", "paper", "official-code"):
        expected = RunConfig.preset("tiny", algorithm=name, learning_rate=0.02, decisions=9, seed=7, threads=1)
        # A sweep keeps no states to look back at, unless asked to.
        assert configs[name] == expected.replace(snapshot_mebibytes=0)
    assert configs["annealing"].algorithm == "lab"
    under = plan(RunConfig.preset("tiny", algorithm="paper"), ["annealing", "lab"], [1], baselines=False)
    assert (under[0].ties.gradient, under[1].ties.gradient) == ("owner", "shared")


def test_random_and_the_fixed_patterns_come_by_themselves() -> None:
    policies = [c.agent.policy for c in plan(RunConfig.preset("tiny"), ["lab", "cycle"], [1])]
    assert policies[:2] == ["lab", "cycle"]
    assert set(policies) == {"lab", *BASELINES}
    assert len(policies) == len(set(policies))
    assert set(BASELINES) <= set(POLICIES.names)


def test_settings_are_crossed_and_seeds_come_first() -> None:
    vary = {"learning_rate": [0.001, 0.01], "layers": [3, 5]}
    configs = plan(RunConfig.preset("tiny"), ["random"], [1, 2], vary=vary, baselines=False)
    assert len({c.hash for c in configs}) == 8
    assert {(c.training.learning_rate, c.model.layers) for c in configs} == {
        (r, n) for r in (0.001, 0.01) for n in (3, 5)
    }
    assert all(c.training.threads == 1 for c in configs)


def test_a_map_is_for_the_policy_map_alone() -> None:
    mapped = RunConfig.preset("tiny", policy="map", map="0 0 2 2")
    configs = plan(mapped, ["lab", "map", "paper"], [1], baselines=False)
    assert [(c.agent.policy, c.agent.map) for c in configs] == [("lab", ""), ("map", "0 0 2 2"), ("paper", "")]
    vary = {"agent__map": ["0 0 0 0", "0 1 2 3"], "learning_rate": [0.001, 0.01]}
    configs = plan(RunConfig.preset("tiny"), ["lab", "map"], [1, 2], vary=vary, baselines=False)
    assert len({c.hash for c in configs}) == len(configs) == 4 + 8
    assert {c.agent.map for c in configs if c.agent.policy == "map"} == {"0 0 0 0", "0 1 2 3"}
    assert len(plan(mapped, ["map"], [1])) == 1 + len(BASELINES)
    with pytest.raises(ConfigError, match="the policy map in a sweep with a map, but got lab"):
        plan(mapped, ["lab"], [1], baselines=False)


@pytest.mark.parametrize(
    ("policies", "seeds", "vary", "words"),
    [
        (["lab"], [], {}, "at least one seed"),
        (["labb"], [1], {}, "but got 'labb'"),
        (["human"], [1], {}, "a sweep asks nobody"),
        (["lab"], [1], {"layers": []}, "at least one value of layers"),
        (["lab"], [1], {"layerz": [3]}, "setting's name"),
        (["lab"], [1], {"layers": [1]}, "between 2 and 1024"),
        (["lab"], [1], {"seed": [1, 2]}, "--seeds"),
        (["lab"], [1], {"agent.policy": ["paper"]}, "--policies"),
    ],
)
def test_refused_plans(policies: list[str], seeds: list[int], vary: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        plan(RunConfig.preset("tiny"), policies, seeds, vary=vary)


def test_refused_calls(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="0 or more processes"):
        sweep([RunConfig.preset("tiny")], tmp_path / "sweep", processes=-1)
    with pytest.raises(RecordError, match=r"no sweep\.json"):
        sweep(None, tmp_path)
    with pytest.raises(ConfigError, match="at least one run"):
        sweep([], tmp_path / "sweep")


def test_runs_equal_sessions_and_a_bad_one_does_not_end_the_others(text_file: Path, tmp_path: Path) -> None:
    good = plan(base(text_file), ["lab", "random"], [1], baselines=False)
    bad = good[0].replace(corpus=str(tmp_path / "missing.txt"))
    seen: list[Progress] = []
    swept = sweep([bad, *good], tmp_path / "sweep", processes=2, watch=seen.append)
    assert not swept.stopped
    assert len(swept.failures) == 1
    assert "missing.txt" in next(iter(swept.failures.values()))
    done = swept.results.filter(status="finished")
    assert done["policy"].to_list() == ["lab", "random"]
    assert seen[-1].finished == 2
    assert seen[-1].decisions == done["decisions"].sum() == 12
    session = Session(good[0], tmp_path / "alone")
    session.run()
    summary = session.summary()
    session.close()
    row = done.to_dicts()[0]
    log = Path("events.jsonl")
    assert (tmp_path / "alone" / log).read_bytes() == (tmp_path / "sweep" / row["run"] / log).read_bytes()
    assert row["validation_loss"] == pytest.approx(summary["final_validation_loss"], abs=1e-12)
    for column in ("owners", "blocks", "trainable_parameters", "untied_parameters", "perplexity", "bits_per_byte"):
        assert row[column] == pytest.approx(summary[column])
    assert row["steps"] == 24
    assert row["seconds"] > 0


def test_a_run_whose_loss_is_not_finite_has_diverged(text_file: Path, tmp_path: Path) -> None:
    config = base(text_file).replace(learning_rate=1e30, gradient_clip=0.0)
    swept = sweep(plan(config, ["lab"], [1], baselines=False), tmp_path / "sweep", processes=1)
    assert "finite" in swept.failures["lab-seed1"]
    assert swept.results.select("status", "validation_loss").rows() == [("diverged", None)]


@pytest.mark.slow
def test_a_stopped_sweep_goes_on(text_file: Path, tmp_path: Path) -> None:
    configs = plan(base(text_file, decisions=120), ["random"], [1], baselines=False)
    folder, log = tmp_path / "sweep", tmp_path / "sweep" / "random-seed1" / "events.jsonl"
    stopped = sweep(
        configs, folder, processes=1, should_stop=lambda: log.exists() and log.read_bytes().count(b'"came"') > 2
    )
    assert stopped.stopped
    assert not stopped.failures
    row = stopped.results.to_dicts()[0]
    assert row["status"] == "stopped"
    assert 0 < row["decisions"] < 120
    assert row["validation_loss"] is None
    finished = sweep(None, folder)
    assert finished.results["decisions"].to_list() == [120]
    assert finished.results["status"].to_list() == ["finished"]
    began = time.monotonic()
    assert sweep(configs, folder).results.equals(finished.results)
    assert time.monotonic() - began < 1.0, "nothing was left to do, so no process was to be started"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_again_and_again_it_ends_as_if_it_had_not_been(text_file: Path, tmp_path: Path) -> None:
    words = [
        "sweep",
        "--scale",
        "tiny",
        "--corpus",
        str(text_file),
        "--layers",
        "3",
        "--width",
        "16",
        "--context",
        "16",
        "--batch-size",
        "4",
        "--decisions",
        "100",
        "--policies",
        "lab",
        "official-code",
        "--no-baselines",
        "--seeds",
        "1",
        "--processes",
        "2",
        "--checkpoint-seconds",
        "0.2",
        "--quiet",
        "--json",
    ]
    code = "import sys; from layertie_lab.cli import main; sys.exit(main())"
    for attempt in range(40):
        child = subprocess.Popen(
            [sys.executable, "-c", code, *words, "--directory", str(tmp_path / "sweep")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        try:
            child.wait(timeout=4 + attempt)
            break
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.communicate()
            time.sleep(2.5)  # the orphans save and end
    _, errors = child.communicate()
    assert child.returncode == 0, errors.decode()
    assert attempt > 0, "it was never killed"
    given = RunConfig.preset(
        "tiny",
        corpus=str(text_file),
        layers=3,
        width=16,
        context=16,
        batch_size=4,
        decisions=100,
        checkpoint_seconds=0.2,
    )
    for config in plan(given, ["lab", "official-code"], [1], baselines=False):
        name = f"{config.agent.policy}-seed{config.seed}"
        with Session(config, tmp_path / "whole" / name) as session:
            session.run()
        logs = [(tmp_path / root / name / "events.jsonl").read_bytes() for root in ("sweep", "whole")]
        assert logs[0] == logs[1]


@pytest.mark.slow
@pytest.mark.parametrize("kept", [2_000_000, 0], ids=["kept", "not kept"])
def test_a_sweep_that_goes_on_reads_what_it_read(
    kept: int, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = text_file.read_text(encoding="utf-8")
    text, home = tmp_path / "prose.txt", tmp_path / "sweep"
    text.write_text(words, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    configs = plan(base(Path("prose.txt"), keep_text_bytes=kept), ["random"], [1, 2], baselines=False)
    names = list(SweepDirectory.plan(home, configs).runs)
    for name, config in zip(names, configs, strict=True):
        with Session(config, tmp_path / "whole" / name) as session:
            session.run()
    with Session(configs[0], home / names[0]) as session:
        session.run(2)
    # One has begun and one has not, when the text becomes another one and the sweep is opened from elsewhere.
    text.write_text(words[9_000:] + words[:9_000], encoding="utf-8")
    monkeypatch.chdir("/")
    found = sweep(None, home, processes=1)
    if not kept:
        assert set(found.failures) == set(names)
        assert all("holds another one" in why and "--text PATH" in why for why in found.failures.values())
        (tmp_path / "moved.txt").write_text(words, encoding="utf-8")
        with pytest.raises(RecordError, match="holds another one"):
            sweep(None, home, text=text)
        found = sweep(None, home, processes=1, text=tmp_path / "moved.txt")
    assert not found.failures
    for name in names:
        log = (tmp_path / "whole" / name / "events.jsonl").read_bytes()
        assert (home / name / "events.jsonl").read_bytes() == log
