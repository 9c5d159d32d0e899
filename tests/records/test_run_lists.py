"""What runs there are, at a fixed cost each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from made_up_runs import decision, lines, opened, story, write_run

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import RecordError
from layertie_lab.core.events import Sampled
from layertie_lab.records import runs as runs_module
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.io import lines as lines_module
from layertie_lab.records.log.reader import load_run
from layertie_lab.records.log.writer import EventWriter
from layertie_lab.records.runs import checked, list_runs, summarize


def test_statuses_and_what_is_passed_over(tmp_path: Path) -> None:
    write_run(tmp_path / "finished", story(6, finished=True))
    write_run(tmp_path / "stopped", story(5))
    write_run(tmp_path / "fresh", [])
    failed, again = (write_run(tmp_path / name, story(5)) for name in ("failed", "again"))
    for directory in (failed, again):
        directory.telemetry.write_text('{"kind":"process","time":1.0}\n{"kind":"failed","time":2.0}\n')
    diverged = write_run(tmp_path / "diverged", story(5))
    diverged.telemetry.write_text(
        '{"kind":"process","time":1.0}\n{"kind":"failed","time":2.0,"error":"DivergedError"}\n'
    )
    with again.telemetry.open("a") as file:
        file.write('{"kind":"timing","time":3.0,"decision":5}\n{"kind":"closed","time":4.0}\n')
    damaged = write_run(tmp_path / "damaged", story(6, finished=True))
    damaged.events.write_bytes(damaged.events.read_bytes() + b"\0\0\n")
    torn = write_run(tmp_path / "torn", story(6, finished=True))
    torn.events.write_bytes(torn.events.read_bytes() + b'{"event"')
    (write_run(tmp_path / "newer", story(1)).path / "config.json").write_text('{"format": 99}')
    (tmp_path / "no run").mkdir()
    (tmp_path / "file").write_text("")
    config = RunConfig.preset("laptop", algorithm="paper", decisions=77)
    running = RunDirectory.create(tmp_path / "running", config)
    writer = EventWriter(running)
    for event in [*story(4, config=config), decision(5)[0]]:
        writer.append(event)
    writer.flush()
    found = {run.name: run for run in list_runs(tmp_path)}
    writer.close()
    assert {name: run.status for name, run in found.items()} == {
        "finished": "finished",
        "stopped": "stopped",
        "fresh": "stopped",
        "damaged": "damaged",
        "torn": "finished",
        "newer": "damaged",
        "running": "running",
        "failed": "failed",
        "diverged": "diverged",
        "again": "stopped",
    }
    for name in ("failed", "diverged", "again", "stopped", "finished"):
        assert load_run(tmp_path / name).status == found[name].status
    run = found["running"]
    assert (run.scale, run.algorithm, run.budget, run.note) == ("laptop", "paper", 77, "")
    assert (run.decisions, run.step, run.validation_loss) == (4, 8, 2.25)
    assert (found["finished"].decisions, found["finished"].step) == (6, 12)
    assert (found["fresh"].decisions, found["fresh"].validation_loss) == (0, None)
    assert "near the end of" in found["damaged"].note
    assert "newer version" in found["newer"].note
    assert found["finished"].path == tmp_path / "finished"


def test_a_check_reads_the_whole_log_and_finds_damage_in_its_middle(tmp_path: Path) -> None:
    whole, damaged = (write_run(tmp_path / name, story(6, finished=True)) for name in ("whole", "damaged"))
    parts = damaged.events.read_bytes().split(b"\n")
    parts[8] = b"\0" * len(parts[8])
    damaged.events.write_bytes(b"\n".join(parts))
    found = {run.name: run for run in list_runs(tmp_path)}
    assert {run.status for run in found.values()} == {"finished"}  # the ends of both are whole
    assert checked(found["whole"]) == found["whole"]
    seen = checked(found["damaged"])
    assert seen.status == load_run(damaged.path, damaged="keep").status == "damaged"
    assert f"line 9 of {damaged.events}" in seen.note
    assert f"layertie repair {damaged.path}" in seen.note
    (whole.path / "config.json").write_text('{"format": 99}')
    assert "newer version" in checked(summarize(whole.path)).note


def test_the_one_that_changed_last_comes_first(tmp_path: Path) -> None:
    for number, name in enumerate(["b", "c", "a"]):
        run = write_run(tmp_path / name, story(1))
        for file in (run.events, run.config_file):
            os.utime(file, (1_000 + number, 1_000 + number))
    assert [(run.name, run.modified) for run in list_runs(tmp_path)] == [("a", 1002.0), ("c", 1001.0), ("b", 1000.0)]


def test_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_runs(tmp_path / "missing") == []
    write_run(tmp_path / "runs" / "one", story(1))
    assert [run.name for run in list_runs(tmp_path / "runs" / "one")] == ["one"]
    monkeypatch.chdir(tmp_path)
    assert [run.name for run in list_runs()] == ["one"]
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="cannot be listed"):
        list_runs(tmp_path / "file")


def test_a_long_log_costs_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "run", story(4))
    filler = [Sampled(8, 4, "", "x" * 1_000)]
    counted = []
    real = runs_module.parse
    monkeypatch.setattr(runs_module, "parse", lambda line: counted.append(len(line)) or real(line))
    for copies in (10, 900, 1_200, 5_000):
        run.events.write_bytes(lines([*story(4), *filler * copies]))
        counted.clear()
        summary = summarize(run.path)
        assert sum(counted) <= lines_module._LAST
        assert (summary.decisions, summary.validation_loss) == ((4, 2.25) if copies < 1_000 else (0, None))
        assert summary.step == 8


@pytest.mark.parametrize("block", [1, 7, 100, 1 << 16])
def test_blocks_of_any_size_give_the_same_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(lines_module, "_BLOCK", block)
    file = tmp_path / "log"
    for data in (b"", b"torn", b"a\n", b"a\ntorn", b"a\nbb\nccc\n", b"a\nbb\n\nccc\nto"):
        file.write_bytes(data)
        assert list(lines_module.lines_from_end(file)) == data.split(b"\n")[:-1][::-1]
    assert list(lines_module.lines_from_end(tmp_path / "none")) == []


def test_a_run_that_is_just_being_opened(tmp_path: Path) -> None:
    assert summarize(write_run(tmp_path / "run", [opened()]).path).decisions == 0
    assert summarize(write_run(tmp_path / "run2", [opened(), decision(1)[0]]).path).decisions == 0


@pytest.mark.parametrize("lost", ["missing", "empty"])
def test_a_run_that_lost_its_log_is_damaged(tmp_path: Path, lost: str) -> None:
    directory = write_run(tmp_path / "run", [])
    assert list_runs(tmp_path)[0].status == "stopped"
    directory.checkpoints.mkdir(exist_ok=True)
    (directory.checkpoints / "rolling-000001.safetensors").touch()
    directory.events.unlink(missing_ok=True)
    if lost == "empty":
        directory.events.touch()
    (run,) = list_runs(tmp_path)
    assert run.status == "damaged"
    assert f"is {lost}, though there are checkpoints" in run.note
    assert "start the run again from its config.json" in run.note
    with pytest.raises(RecordError, match=f"is {lost}, though"):
        load_run(tmp_path / "run")
