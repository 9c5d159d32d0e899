"""Studies: stated before, run in processes, kept through cancels and kills, refused where they cannot be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from branching import other_answer, small

from layertie_lab import Session
from layertie_lab.core.errors import ConfigError, LayertieError, RecordError, StorageError
from layertie_lab.counterfactual.interim import GroupSequential
from layertie_lab.counterfactual.judging import is_decided, verdict_of, verdicts_of_run
from layertie_lab.counterfactual.runner import StudyRunner
from layertie_lab.counterfactual.spec import StudySpec
from layertie_lab.counterfactual.study import Study
from layertie_lab.records import register
from layertie_lab.records import studies as records
from layertie_lab.records.state.checkpoints import list_checkpoints

PLAN = GroupSequential((2, 3, 4), (0.01, 0.015, 0.03))


@pytest.fixture(scope="module")
def run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudySpec]:
    """A run with a stored moment before decision 5 (layer 2), and a study of it."""
    path = tmp_path_factory.mktemp("studies") / "run"
    with Session(small(text_file), path) as session:
        session.run(4)
        session.save("decision-00005")
        proposal = session.propose()
        spec = StudySpec(
            statement="It matters.",
            decision=proposal.decision,
            layer=proposal.layer,
            step=session.step,
            proposed=proposal.choice,
            answered=other_answer(session),
            config_hash=session.config.hash,
            horizon=12,
            marks=(4, 8),
            plan=PLAN,
        )
    return path, spec


def state(run: tuple[Path, StudySpec], **changes: Any) -> Study:
    path, spec = run
    checkpoint = next(c for c in list_checkpoints(records.RunDirectory.open(path)) if c.name == "decision-00005")
    return Study.write(path, replace(spec, **changes), checkpoint)


def finish(study: Study, **options: Any) -> list[dict[str, Any]]:
    runner = StudyRunner(study, **options)
    runner.start()
    progress = runner.wait(120)
    assert (progress.state, progress.error) == ("done", "")
    return study.replicates()


def numbers(replicates: list[dict[str, Any]], first: int = 1) -> list[dict[str, Any]]:
    """What must be equal in two studies with the same keys: all but the time taken."""
    return [{name: value for name, value in values.items() if name != "seconds"} for values in replicates]


def test_a_study_is_stated_run_and_judged(run: tuple[Path, StudySpec]) -> None:
    study, heard = state(run), []
    assert Study.open(study.path).spec == study.spec
    assert study.replicates() == []
    assert verdict_of(study.spec, []) is None
    found = finish(study, workers=2, on_change=heard.append)
    assert [values["replicate"] for values in found] == list(study.spec.numbers)
    assert heard[-1].state == "done"
    assert heard[-1].replicates == 4
    verdict = verdict_of(study.spec, found)
    assert verdict is not None
    assert verdict.replicates == 4 or verdict.decided
    # Another study's replicates have other keys, so that a second study of the same question is a fresh one.
    again = state(run)
    assert set(again.spec.numbers).isdisjoint(study.spec.numbers)


def test_the_trunk_may_be_open_and_is_not_touched(run: tuple[Path, StudySpec]) -> None:
    path, _ = run
    files = {name: (path / name).read_bytes() for name in ("events.jsonl", "config.json")}
    with Session.resume(path):
        finish(state(run), should_stop=lambda found: len(found) == 2)
    assert files == {name: (path / name).read_bytes() for name in files}


def test_it_stops_when_the_plan_says_so(run: tuple[Path, StudySpec]) -> None:
    # With so wide a band any difference is too small to matter.
    study = state(run, smallest_difference=10.0, expected="no difference that matters")
    found = finish(study, workers=1, should_stop=lambda some: is_decided(study, some))
    assert len(found) == 2
    verdict = verdict_of(study.spec, found)
    assert verdict is not None
    assert verdict.outcome == "no difference that matters"
    assert verdict.as_expected


@pytest.mark.slow
def test_cancelled_half_way_it_keeps_what_has_finished_and_goes_on(run: tuple[Path, StudySpec]) -> None:
    study = state(run)
    runner = StudyRunner(study, workers=1, on_change=lambda progress: progress.replicates == 2 and runner.cancel())
    runner.start()
    start = time.monotonic()
    assert runner.wait(60).state == "cancelled"
    assert time.monotonic() - start < 60
    kept = study.replicates()
    assert 2 <= len(kept) < 4
    assert finish(study)[: len(kept)] == kept
    assert not study.running


_PARENT = """
import sys
from layertie_lab.counterfactual.runner import StudyRunner
from layertie_lab.counterfactual.study import Study
runner = StudyRunner(Study.open(sys.argv[1]), workers=1)
runner.start()
runner.wait()
"""


@pytest.mark.parametrize("who", [pytest.param("parent", marks=pytest.mark.slow), "child"])
def test_a_kill_loses_only_the_replicate_under_way(run: tuple[Path, StudySpec], who: str) -> None:
    study = state(run, horizon=40, marks=(20,))
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(_PARENT), str(study.path)])
    try:
        end = time.monotonic() + 60
        while len(study.replicates()) < 1:
            assert time.monotonic() < end, "no replicate came"
            time.sleep(0.01)
        (child,) = children(study.path)
        os.kill(parent.pid if who == "parent" else child, signal.SIGKILL)
        parent.wait(30)
    finally:
        parent.kill()
    kept = study.replicates()
    assert 1 <= len(kept) < 4
    end = time.monotonic() + 10
    while children(study.path):
        assert time.monotonic() < end, "the twins' process outlived its parent"
        time.sleep(0.02)
    found = finish(study)
    assert found[: len(kept)] == kept
    # A study that was never interrupted, with the same keys.
    whole = Study(study.path.with_name("uninterrupted"), study.statement, study.config, study.stated_at)
    whole.path.mkdir(exist_ok=True)
    for name in ("statement.json", "moment.safetensors"):
        (whole.path / name).unlink(missing_ok=True)
        os.link(study.path / name, whole.path / name)
    direct = [in_this_process(study, number) for number in study.spec.numbers]
    assert numbers(found) == direct
    assert verdict_of(study.spec, found) == verdict_of(study.spec, direct)


def in_this_process(study: Study, number: int) -> dict[str, Any]:
    from layertie_lab.counterfactual.replicates import Replicates

    (values,) = numbers([Replicates(study.path, study.spec.threads).answer(number, lambda steps: None)])
    return json.loads(json.dumps(values))


def children(study: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"layertie_lab.counterfactual.replicates:Replicates" in words and str(study).encode() in words:
            found.append(int(process.name))
    return found


def test_an_edited_statement_is_refused(run: tuple[Path, StudySpec]) -> None:
    study = state(run)
    file = study.path / "statement.json"
    values = json.loads(file.read_text())
    values["statement"]["smallest_difference"] = 1.0
    file.chmod(0o644)
    file.write_text(json.dumps(values))
    with pytest.raises(RecordError, match=r"changed afterwards.*state a new one"):
        Study.open(study.path)
    found, damaged = Study.all_of(study.run)
    assert study.name not in [study.name for study in found]
    assert len(damaged) == 1
    # With its hash made to fit the register still knows better.
    values["hash"] = register.digest_of(values["time"], values["statement"], values["config"])
    file.write_text(json.dumps(values))
    with pytest.raises(RecordError, match="changed afterwards"):
        Study.open(study.path)
    for path in study.path.iterdir():
        path.unlink()
    study.path.rmdir()


def test_what_cannot_be_is_refused_before_anything_runs(
    run: tuple[Path, StudySpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, spec = run
    before = len(list((path / "studies").glob("study-*")))
    for changes, error, words in (
        ({"metric": "beauty"}, ConfigError, "a metric out of last"),
        ({"statement": " "}, ConfigError, "a hypothesis in a sentence"),
        ({"metric": "probe"}, ConfigError, "a text for the probe"),
        ({"answered": spec.proposed}, ConfigError, "two different actions"),
        ({"config_hash": "0" * 16}, RecordError, "a statement about a run with config"),
        ({"decision": 7}, RecordError, "the moment before decision 7"),
    ):
        with pytest.raises(error, match=words):
            state(run, **changes)
    monkeypatch.setattr(records.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(StorageError, match="MB of room"):
        state(run)
    assert len(list((path / "studies").glob("study-*"))) == before


@pytest.mark.slow
def test_what_only_the_moment_knows_ends_the_study_with_a_sentence(run: tuple[Path, StudySpec]) -> None:
    for changes, words in (
        ({"answered": 3}, "an action from 0 to 2"),
        ({"after": "recorded", "answers": (0,)}, "recorded actions"),
        ({"metric": "probe", "probe": "short"}, "a probe of at least"),
    ):
        runner = StudyRunner(state(run, **changes), workers=1)
        runner.start()
        progress = runner.wait(60)
        assert progress.state == "failed"
        assert words in progress.error
    with pytest.raises(LayertieError, match="has not been started"):
        runner.start()
    with pytest.raises(ConfigError, match="0 processes or more"):
        StudyRunner(state(run), workers=-1)


def test_a_study_that_holm_takes_back_goes_on(run: tuple[Path, StudySpec], tmp_path: Path) -> None:
    path = shutil.copytree(run[0], tmp_path / "run", ignore=shutil.ignore_patterns("studies"))
    plan = GroupSequential((4, 8), (0.01, 0.03), rule="t")
    study = state((path, run[1]), plan=plan, smallest_difference=0.0)
    noise = [0.004, -0.004, 0.001, -0.001] * 2
    came = [
        {
            "replicate": number,
            "proposed": {"metrics": {"last": 2.0}},
            "answered": {"metrics": {"last": 2.012 + wobble}},
        }
        for number, wobble in zip(study.spec.numbers, noise, strict=True)
    ]
    assert is_decided(study, came[:4])
    for _ in range(3):
        state((path, run[1]), plan=plan)
    # The verdict at 4 does not survive four hypotheses; that at 8 does.
    assert not is_decided(study, came[:4])
    assert is_decided(study, came)
    for values in came[:4]:
        study.append(values)
    verdict = verdicts_of_run(Study.all_of(path)[0])[study.name]
    assert verdict is not None
    assert (verdict.outcome, verdict.taken_back, verdict.analyses_left) == ("not decided yet", True, (8,))
