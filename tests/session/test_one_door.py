"""The one door into a run: whatever happened to its text, it goes on bit for bit or is refused, in every way in."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from branching import other_answer

import layertie_lab
from layertie_lab import RunConfig, Session, Worker
from layertie_lab.cli import main
from layertie_lab.core.errors import RecordError
from layertie_lab.core.notices import TextNoted
from layertie_lab.counterfactual.interim import GroupSequential
from layertie_lab.counterfactual.replicates import Replicates
from layertie_lab.counterfactual.spec import StudySpec
from layertie_lab.counterfactual.study import Study
from layertie_lab.counterfactual.tree import branch_at
from layertie_lab.inspection.moment import Inspection
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.reads import IDENTITY, TOKENS, Reads, remember_place, text_facts
from layertie_lab.records.state.checkpoints import list_checkpoints
from layertie_lab.session.door import RunText
from layertie_lab.session.replay import Log, Replay
from layertie_lab.text.identity import TextIdentity

KEPT, NOT_KEPT = 2_000_000, 0
KILLED = """
import json, os, signal, sys
from layertie_lab import RunConfig, Session
session = Session(RunConfig.from_dict(json.loads(sys.argv[2])), sys.argv[1])
session.run(2)
session.begin(session.propose().choice, by="agent")
session.advance()
os.kill(os.getpid(), signal.SIGKILL)
"""


def bring_pydoc(patch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    """A Python whose built-in help has these topics, in this process and in its children."""
    package = folder / "pydoc_data"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "topics.py").write_text(f"topics = {{'all': {text!r}}}\n", encoding="utf-8")
    for name in ("pydoc_data", "pydoc_data.topics"):
        patch.delitem(sys.modules, name, raising=False)
    patch.syspath_prepend(str(folder))


@dataclass
class Base:
    """Runs that have begun, and what comes of them undisturbed.

    Args:
        home: Where they were begun.
        words: Their text.
        undisturbed: Way in -> what comes of it.
    """

    home: Path
    words: str
    undisturbed: dict[str, Any]

    @property
    def text(self) -> Path:
        return self.home / "data" / "prose.txt"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    def restore(self) -> None:
        self.text.write_text(self.words, encoding="utf-8")


def config_of(corpus: str, kept: int) -> RunConfig:
    return RunConfig.preset(
        "tiny",
        corpus=corpus,
        layers=3,
        width=16,
        context=16,
        batch_size=4,
        decisions=6,
        evaluation_windows=4,
        evaluate_every=2,
        sample_every=0,
        dropout=0.1,
        threads=1,
        checkpoint_seconds=1e6,
        keep_text_bytes=kept,
    )


def begin(home: Path, words: str, corpus: str, kept: int, patch: pytest.MonkeyPatch) -> Base:
    base = Base(home, words, {})
    base.text.parent.mkdir(parents=True)
    base.restore()
    patch.chdir(home)
    config = config_of(corpus, kept)
    with Session(config, base.runs / "whole") as session:
        session.run()
    with Session(config, base.runs / "begun") as session:
        session.run(3)
        session.save("decision-00004")
        proposal = session.propose()
        spec = StudySpec(
            statement="It matters.",
            decision=proposal.decision,
            layer=proposal.layer,
            step=session.step,
            proposed=proposal.choice,
            answered=other_answer(session),
            config_hash=config.hash,
            horizon=6,
            marks=(3,),
            plan=GroupSequential((2, 3), (0.01, 0.03)),
        )
    moment = next(c for c in list_checkpoints(RunDirectory.open(base.runs / "begun")) if c.name == "decision-00004")
    Study.write(base.runs / "begun", spec, moment)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(base.runs / "killed"), json.dumps(config.to_dict())],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    log = (base.runs / "whole" / "events.jsonl").read_bytes()
    base.undisturbed = {
        **dict.fromkeys(("resume", "recovery", "branch", "explorer"), log),
        "replay": (base.runs / "begun" / "events.jsonl").read_bytes(),
        "twins": WAYS["twins"](base.runs / "begun", None),
        "look": WAYS["look"](base.runs / "begun", None),
    }
    return base


def resume(run: Path, text: Path | None) -> bytes:
    with Session.resume(run, text=text) as session:
        session.run()
    return (run / "events.jsonl").read_bytes()


def branch(run: Path, text: Path | None) -> bytes:
    """Nothing is stored before decision 2, so that it is trained again; then the agent decides as it did."""
    path = branch_at(run, 2, rebuild=True, text=text)
    return resume(path, None)


def twins(run: Path, text: Path | None) -> dict[str, Any]:
    """As the processes do that train a study's replicates."""
    if text is not None:
        RunText.of(run).find(text=text)
    crew = Replicates(run / "studies" / "study-001", threads=1)
    return crew.answer(7, lambda steps: None) | {"seconds": 0}


def replay(run: Path, text: Path | None) -> bytes:
    log = Log.read(run)
    plan = Replay(log, log.config)
    assert plan.text is not None
    with Session(plan.config, run.parent / "again", data=plan.text.find(text=text).data) as session:
        plan.give(session)
    return (run.parent / "again" / "events.jsonl").read_bytes()


def look(run: Path, text: Path | None) -> bytes:
    found = Inspection.of(run, text=text)
    with torch.no_grad():
        return found.model(found.probe_tokens()[:, :-1]).numpy().tobytes()


def explorer(run: Path, text: Path | None) -> bytes:
    """What the explorer does with a run that somebody chooses: a worker of its own, and the probe set of its text."""
    heard: list[Any] = []
    with Worker.resume(run, text=text) as worker:
        worker.subscribe(heard.append)
        worker.run()
    told = [entry.sentence for entry in heard if isinstance(entry, TextNoted)]
    assert told == list(RunText.of(run).find().notes)
    assert RunText.of(run).find().data.splits["validation"].size
    return (run / "events.jsonl").read_bytes()


WAYS: dict[str, Callable[[Path, Path | None], Any]] = {
    "resume": resume,
    "recovery": resume,
    "branch": branch,
    "twins": twins,
    "replay": replay,
    "look": look,
    "explorer": explorer,
}
"""Way into a run -> what does it; given the run and where its text is said to lie now."""


@pytest.fixture(scope="module")
def words(text_file: Path) -> str:
    return text_file.read_text(encoding="utf-8")[:12_000] + "\n\n"


@pytest.fixture(scope="module", params=[KEPT, NOT_KEPT], ids=["kept", "not kept"])
def kept(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(scope="module")
def base(kept: int, words: str, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Runs of a file, named by a relative path."""
    with pytest.MonkeyPatch.context() as patch:
        return begin(tmp_path_factory.mktemp("base"), words, "data/prose.txt", kept, patch)


@pytest.fixture(scope="module")
def builtin(kept: int, words: str, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Runs of a corpus that comes with Python."""
    home = tmp_path_factory.mktemp("builtin")
    with pytest.MonkeyPatch.context() as patch:
        bring_pydoc(patch, home / "python", words)
        return begin(home, words, "pydoc", kept, patch)


def swapped(words: str) -> str:
    """As long, and of the same characters."""
    return words[6_000:-2] + words[:6_000] + words[-2:]


def replaced(base: Base, patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    base.text.write_text(swapped(base.words), encoding="utf-8")


def grown(base: Base, patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    base.text.write_text(base.words + "e", encoding="utf-8")


def moved(base: Base, patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    base.text.rename(tmp_path / "moved.txt")


def opened_elsewhere(base: Base, patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The run was moved, as it is in every row; but it was begun with a relative path."""
    patch.chdir("/")


def other_python(base: Base, patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bring_pydoc(patch, tmp_path / "python", f"A new topic.\n{swapped(base.words)}")


ROWS = {
    "replaced": (replaced, "refused"),
    "grown": (grown, "refused"),
    "moved": (moved, "refused"),
    "opened elsewhere": (opened_elsewhere, "exact"),
    "other python": (other_python, "refused"),
}
"""What happens to a text -> (how, what then becomes of a run that does not keep its tokens)."""


@pytest.fixture
def row(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Base]]:
    """A row of the table, in force."""
    name = request.param
    found: Base = request.getfixturevalue("builtin" if name == "other python" else "base")
    monkeypatch.chdir(found.home)
    ROWS[name][0](found, monkeypatch, tmp_path)
    yield name, found
    found.restore()


def cell(name: str, way: str) -> Any:
    """A row and a way; where a process is started it is slow, but once."""
    slow = way == "explorer" and name != "replaced"
    return pytest.param(name, way, marks=[pytest.mark.slow] if slow else [], id=f"{name}-{way}")


@pytest.mark.parametrize(("row", "way"), [cell(name, way) for name in ROWS for way in WAYS], indirect=["row"])
def test_a_run_goes_on_exactly_or_is_refused(row: tuple[str, Base], way: str, kept: int, tmp_path: Path) -> None:
    name, base = row
    run = tmp_path / "handed" / "on"
    shutil.copytree(base.runs / ("killed" if way == "recovery" else "begun"), run)
    assert (run / TOKENS).exists() == bool(kept)
    if kept or ROWS[name][1] == "exact":
        assert WAYS[way](run, None) == base.undisturbed[way]
        return
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.suffix == ".json" or "events" in path.name}
    with pytest.raises(RecordError) as refused:
        WAYS[way](run, None)
    identity = RunText.of(run).identity
    assert identity is not None
    assert identity.origin is not None
    # Both sides, and what to do.
    message, remedy = refused.value.message, refused.value.remedy
    assert identity.origin.text[:12] in message
    assert f"{identity.origin.bytes:,} bytes" in message
    assert (identity.origin.where or "pydoc") in message
    assert "nothing is there" in message if name == "moved" else message.count("digest ") == 2
    assert "--text PATH (text=PATH in Python)" in remedy
    for file, content in before.items():
        assert (run / file).read_bytes() == content
    # Another text is none, and the same one is as good as where it lay.
    other, same = tmp_path / "other.txt", tmp_path / "same.txt"
    other.write_text(swapped(base.words), encoding="utf-8")
    same.write_text(base.words, encoding="utf-8")
    with pytest.raises(RecordError, match=f"{other} holds another one"):
        WAYS[way](run, other)
    assert WAYS[way](run, same) == base.undisturbed[way]


@pytest.mark.parametrize("row", ["replaced", "grown", "other python"], indirect=True)
@pytest.mark.parametrize("kept", [KEPT], ids=["kept"], indirect=True)
def test_that_kept_tokens_are_used_is_said(row: tuple[str, Base], kept: int, tmp_path: Path) -> None:
    name, base = row
    shutil.copytree(base.runs / "begun", tmp_path / "run")
    with Session.resume(tmp_path / "run") as session:
        (note,) = session.text_notes
    what = "pydoc" if name == "other python" else str(base.text)
    assert f"{what} is another text by now" in note
    assert "goes on with the tokens that it keeps" in note
    telemetry = (tmp_path / "run" / "telemetry.jsonl").read_text(encoding="utf-8").splitlines()
    assert [entry["sentence"] for entry in map(json.loads, telemetry) if entry["kind"] == "text"] == [note]
    assert Inspection.of(tmp_path / "run").notes == (note,)


def test_there_is_no_other_door() -> None:
    """Only a new run, the door, and what measures without a run make tokens of a text."""
    package = Path(layertie_lab.__file__).parent
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").endswith("text.dataset")
        and "prepare" in {alias.name for alias in node.names}
    }
    assert found == {"session/components.py", "session/door.py", "bench/runner.py"}


@pytest.fixture
def run(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the run that has begun."""
    monkeypatch.chdir(base.home)
    shutil.copytree(base.runs / "begun", tmp_path / "run")
    yield tmp_path / "run"
    base.restore()


def test_where_a_text_was_found_is_remembered(run: Path, base: Base, kept: int, tmp_path: Path) -> None:
    moved = tmp_path / "moved.txt"
    base.text.rename(moved)
    RunText.of(run).find(text=moved)
    assert Reads.of(run).moved_to == str(moved)
    assert look(run, None) == base.undisturbed["look"]
    # Where it lay is as good, should it come back.
    moved.unlink()
    base.restore()
    assert look(run, None) == base.undisturbed["look"]


def test_data_that_are_handed_in_are_compared(run: Path, base: Base, tmp_path: Path) -> None:
    data = RunText.of(run).find().data
    other = replace(data, digest="", splits=data.splits | {"test": data.splits["test"][::-1]})
    for find in (lambda: Session.resume(run, data=other), lambda: Inspection.of(run, data=other)):
        with pytest.raises(RecordError, match="what was handed in is not it"):
            find()
    same = replace(data, digest="", description="mine", notes=("mine",))
    with Session.resume(run, data=same) as session:
        session.run()
        assert session.data.description == data.description
    assert (run / "events.jsonl").read_bytes() == base.undisturbed["resume"]


def test_data_without_a_text_are_kept_or_handed_in_again(run: Path, base: Base, kept: int, tmp_path: Path) -> None:
    data = replace(RunText.of(run).find().data, origin=None, description="mine")
    config = config_of("data/prose.txt", kept)
    for name, decisions in (("one", 6), ("two", 3)):
        with Session(config, tmp_path / name, data=data) as session:
            session.run(decisions)
    if not kept:
        with pytest.raises(RecordError, match=r"tokens that were handed in.*Session.resume\(directory, data=") as found:
            Session.resume(tmp_path / "two")
        assert "prose" not in str(found.value)
    with Session.resume(tmp_path / "two", data=None if kept else data) as session:
        session.run()
    assert (tmp_path / "two" / "events.jsonl").read_bytes() == (tmp_path / "one" / "events.jsonl").read_bytes()


@pytest.mark.parametrize("kept", [KEPT], ids=["kept"], indirect=True)
def test_damaged_tokens_give_way_to_the_text(run: Path, base: Base, kept: int) -> None:
    (run / TOKENS).write_bytes((run / TOKENS).read_bytes()[:-40])
    with Session.resume(run) as session:
        assert "the file is damaged" in session.text_notes[0]
        session.run()
    assert (run / "events.jsonl").read_bytes() == base.undisturbed["resume"]
    base.text.unlink()
    with pytest.raises(RecordError, match=r"nothing is there.*the file is damaged"):
        Session.resume(run)


def test_a_replay_under_the_same_settings_reads_the_same_text(run: Path, base: Base, tmp_path: Path) -> None:
    log = Log.read(run)
    base.text.write_text(swapped(base.words), encoding="utf-8")
    session = Session(log.config)
    with pytest.raises(RecordError, match=r"Expected the text that the run in .* read"):
        Replay(log, log.config).give(session)
    # Another text by its own name is what a replay is for.
    (tmp_path / "other.txt").write_text(swapped(base.words), encoding="utf-8")
    other = log.config.replace(corpus=str(tmp_path / "other.txt"))
    assert Replay(log, other).text is None
    assert len(Replay(log, other).give(Session(other))) == 3


def test_the_commands_take_a_place(
    run: Path, base: Base, kept: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved.txt"
    base.text.rename(moved)
    commands = {
        "replay": ["replay", str(run), "--directory", str(tmp_path / "again")],
        "branch": ["branch", str(run), "--decision", "2", "--decisions", "1"],
        "show": ["show", str(run), "--memory"],
        "resume": ["resume", str(run)],
    }
    for name, words in commands.items():
        fresh = tmp_path / name
        shutil.copytree(run, fresh)
        words = [str(fresh) if word == str(run) else word for word in words]
        code = main([*words, "--json"])
        told = capsys.readouterr().err
        assert code == (0 if kept else 2), told
        if not kept:
            assert "nothing is there" in told
            assert "--text PATH" in told
            assert not list((fresh / "branches").glob("*"))
        shutil.rmtree(tmp_path / "again", ignore_errors=True)
        assert main([*words, "--text", str(moved), "--json"]) == 0
        captured = capsys.readouterr()
        found = json.loads(captured.out)
        assert name != "show" or f"The run's text was read at {moved}." in captured.err
        assert name != "replay" or found["same_log"]
        assert name != "resume" or (fresh / "events.jsonl").read_bytes() == base.undisturbed["resume"]
    assert main(["show", str(run), "--text", str(moved)]) == 2
    assert "a view such as --similarity beside --text" in capsys.readouterr().err
    assert main(["replay", str(run), "--corpus", str(moved), "--text", str(moved)]) == 2
    assert "Expected --text only where" in capsys.readouterr().err


def test_what_is_recorded_is_shown(run: Path, kept: int, capsys: pytest.CaptureFixture[str]) -> None:
    facts = text_facts(run)
    assert facts is not None
    assert main(["show", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == facts
    assert main(["runs", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["digest"] == facts["digest"]
    assert main(["show", str(run)]) == 0
    shown = capsys.readouterr().out
    digests = f"text's digest {facts['text'][:12]}, tokens' digest {facts['digest'][:12]}"
    assert f"text: {digests}, at {facts['where']}; " in shown
    assert f"text's digest {facts['text'][:12]})" in str(RunText.of(run).identity)  # as a refusal has it
    remember_place(run, "/elsewhere/words.txt")
    assert main(["show", str(run)]) == 0
    moved = capsys.readouterr().out
    assert f"{digests}, found last at /elsewhere/words.txt (first at {facts['where']}); " in moved
    assert ("its tokens are kept" if kept else "its tokens are not kept") in shown


def resume_branch(run: str) -> Session:
    return Session.resume(branch_at(run, rebuild=True))


BEFORE = Path(__file__).parent / "version_before"


def test_a_run_from_before_says_so_and_is_compared_by_what_its_log_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(BEFORE, tmp_path / "before")
    monkeypatch.chdir(tmp_path / "before")
    assert not (BEFORE / "run" / IDENTITY).exists()
    assert main(["show", "run"]) == 0
    assert "no digest of it is recorded" in capsys.readouterr().out
    assert main(["show", "run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] is None
    text = Path("prose.txt").read_text(encoding="utf-8")
    Path("elsewhere.txt").write_text(text, encoding="utf-8")
    Path("prose.txt").write_text(text[500:] + text[:500], encoding="utf-8")
    words = r"Expected the text that the run in .* read.*prose.txt is another one.*--text PATH"
    for find in (Session.resume, Inspection.of, resume_branch):
        with pytest.raises(RecordError, match=words):
            find("run")
    Session.resume("run", text="elsewhere.txt").close()
    # Remembered, though there is no digest.
    assert Reads.of(Path("run")).moved_to == str(tmp_path / "before" / "elsewhere.txt")
    Session.resume("run").close()


def test_what_a_run_depends_on_is_recorded(run: Path, base: Base) -> None:
    reads = Reads.of(run)
    assert reads.versions is not None
    assert reads.versions.keys() == {"python", "torch", "layertie_lab"}
    assert reads.text is not None
    identity = TextIdentity.from_dict(reads.text)
    assert identity.origin is not None
    assert (identity.origin.where, identity.origin.bytes) == (str(base.text), len(base.words.encode()))
    Reads(reads.text, {**reads.versions, "torch": "1.0"}).write(run)
    with Session.resume(run) as session:
        assert "begun with torch 1.0" in session.text_notes[0]
