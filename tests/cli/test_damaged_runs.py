"""Whatever becomes of a run's files: no traceback, no waiting, no change without a word, no entry that vanishes."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from branching import other_answer, small
from damaging import DAMAGES, Damage
from run_readers import LOOK, READERS, SLOW, shown

from layertie_lab import Session
from layertie_lab.counterfactual.interim import GroupSequential
from layertie_lab.counterfactual.replicates import Replicates
from layertie_lab.counterfactual.spec import StudySpec
from layertie_lab.counterfactual.study import Study
from layertie_lab.records import findings
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.state.checkpoints import list_checkpoints
from layertie_lab.records.tree import branches_of, make_branch

DECISIONS = 6
ENTRIES = {
    "runs": ("trunk", "branch-001"),
    "runs in words": ("trunk", "branch-001"),
    "tree": ("trunk", "branch-001"),
    "tree of the branch": ("trunk", "branch-001"),
    "page": ("trunk", "branch-001", "study-001"),
    "twins": ("study-001",),
    "studies": ("study-001",),
    "menu": ("trunk",),
    "list": ("trunk",),
}
"""Reader -> what it lists, whatever is damaged."""
LONGEST = 30
"""Seconds that a reader may take."""


def made(path: Path, text: Path, *, otherwise: bool = False, **changes: Any) -> Path:
    """A run with a branch, a study with two replicates, snapshots, stored moments and a look.

    Args:
        path: Its folder.
        text: What it reads.
        otherwise: Whether a person answers its first decision.
        **changes: Of its settings.
    """
    often = {"evaluate_every": 2, "sample_every": 3, "moment_every": 2, "evaluation_windows": 2}
    with Session(small(text, decisions=DECISIONS, **often, **changes), path) as session:
        if otherwise:
            session.commit(other_answer(session), by="human")
        session.run(4 - session.decision)
        session.save("decision-00005")
        session.set_rules("most-owners=3")
        proposal = session.propose()
        spec = StudySpec(
            statement="It matters.",
            decision=proposal.decision,
            layer=proposal.layer,
            step=session.step,
            proposed=proposal.choice,
            answered=other_answer(session),
            config_hash=session.config.hash,
            horizon=4,
            marks=(2,),
            plan=GroupSequential((2, 3, 4), (0.01, 0.015, 0.03)),
        )
        session.run(DECISIONS - 4)
    checkpoint = next(c for c in list_checkpoints(RunDirectory.open(path)) if c.name == "decision-00005")
    study = Study.write(path, replace(spec), checkpoint)
    pairs = Replicates(study.path, threads=1)
    for number in study.numbers[:2]:
        study.append(pairs.answer(number, lambda share: None))
    with Session.resume(make_branch(path, 4, why="to see")) as session:
        session.run(DECISIONS - session.decision)
    assert findings.keep(path, LOOK, {"bytes": [1.5, 2.5, 3.5 + session.config.seed]})
    return path


@pytest.fixture(scope="module")
def master(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("runs") / "trunk", text_file)


def files_of(run: Path) -> list[Path]:
    return sorted(path.relative_to(run) for path in run.rglob("*") if path.is_file())


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TimeoutError where the block takes longer, also where it waits for a pipe."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def is_said(found: str, whole: str, file: Path) -> bool:
    """Whether what a reader shows names what is damaged: the file, or the study, branch or run that it is of."""
    new = "\n".join(set(found.split("\n")) - set(whole.split("\n")))
    names = {file.name, file.stem, *file.parent.parts, "trunk"}
    words = r"damaged|missing|cannot be read|is a |are there|changed|lacks|newer|Expected|no file|link"
    return any(name in new for name in names) and re.search(words, new) is not None


class Bench:
    """A copy of a run that is damaged, read and mended, again and again."""

    def __init__(self, master: Path, folder: Path) -> None:
        self.run = folder / "trunk"
        shutil.copytree(master, self.run)
        self.files = files_of(self.run)
        self.whole = {name: shown(reader, self.run)[0] for name, reader in READERS.items()}
        self._kept = folder / "apart" / "kept"  # a folder of runs shows all that are inside
        shutil.copytree(self.run, self._kept)

    def problems(self, file: Path, damage: Damage, seed: int, readers: list[str]) -> list[str]:
        """What goes wrong with one damage, a line each."""
        path = self.run / file
        damage(path, random.Random(seed))
        found = []
        try:
            for name in readers:
                problem = self._problem(file, name)
                found += [f"{damage.__name__}({file}, {seed}) read by {name}: {problem}"] if problem else []
        finally:
            self._mend(file)
        return found

    def _problem(self, file: Path, name: str) -> str:
        try:
            with at_most(LONGEST):
                text, refused = shown(READERS[name], self.run)
        except TimeoutError:
            return f"it hangs ({LONGEST} s)"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        if text == self.whole[name]:
            return ""
        if name == "look":
            return "" if text == '"found again"' else f"another result: {text}"
        if not refused:
            lost = [entry for entry in ENTRIES.get(name, ()) if entry not in text]
            if lost:
                return f"{', '.join(lost)} vanished"
        if is_said(text, self.whole[name], file):
            return ""
        new = sorted(set(text.split("\n")) - set(self.whole[name].split("\n")))
        return f"another result without a word: {new or 'less'}"[:600]

    def _mend(self, file: Path) -> None:
        path = self.run / file
        for left in (path.with_name("elsewhere.tmp"), path.with_name("nowhere")):
            left.unlink(missing_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif os.path.lexists(path):
            path.unlink()
        # What readers may write (a lock, a line that a run was closed) is put back too.
        for each in self.files:
            kept, here = self._kept / each, self.run / each
            if not os.path.lexists(here) or here.stat().st_mtime_ns != kept.stat().st_mtime_ns:
                here.parent.mkdir(parents=True, exist_ok=True)
                if os.path.lexists(here):
                    here.chmod(stat.S_IRUSR | stat.S_IWUSR)
                shutil.copy2(kept, here)


@pytest.fixture(scope="module")
def bench(master: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(master, tmp_path_factory.mktemp("bench"))


def test_the_readers_read_a_whole_run(bench: Bench) -> None:
    assert len(bench.files) > 25
    assert {"branch.json", "config.json", "replicates.jsonl", "came.json", "register.jsonl", "telemetry.jsonl"} <= {
        file.name for file in bench.files
    }
    for name in READERS:
        text, refused = shown(READERS[name], bench.run)
        assert (text, refused) == (bench.whole[name], False), name
        assert "damaged" not in text or name in ("twins", "studies", "checkpoints"), name


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_named_and_nothing_else_changes(bench: Bench, damage: Damage) -> None:
    """A slice: each kind of damage to a file drawn by a fixed seed, through the readers that make no model."""
    draw = random.Random(f"slice {damage.__name__}")
    readers = [name for name in READERS if name not in SLOW]
    problems = bench.problems(draw.choice(bench.files), damage, draw.randrange(1 << 30), readers)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("target", ["events.jsonl", "nowhere"], ids=["itself", "nothing"])
def test_the_log_of_a_branch_is_a_link_to(target: str, bench: Bench) -> None:
    """A branch whose other files are whole has moments, which rest on its log."""

    def linked(path: Path, draw: random.Random) -> None:
        path.unlink()
        path.symlink_to(target)

    file = Path("branches/branch-001/events.jsonl")
    assert not bench.problems(file, linked, 0, ["page", "moments", "tree", "menu"])


# A stored state and a branch's leaving rest on a log, and so on the answers too; a finding is held against settings.
RESTING = ("branch.json", "moment.safetensors", "best.safetensors", "spaced-00005.safetensors", "00003.safetensors")


def of_another(bench: Bench, stranger: Path, file: Path) -> list[str]:
    """What goes wrong with a file that is whole, and another run's."""

    def of_another_run(path: Path, draw: random.Random) -> None:
        path.unlink()
        shutil.copyfile(stranger / file, path)

    return bench.problems(file, of_another_run, 0, [name for name in READERS if name not in SLOW])


def test_a_state_or_a_branch_of_another_run_is_named(bench: Bench, text_file: Path, tmp_path: Path) -> None:
    """Also of one of the same settings, whose person answered otherwise."""
    stranger, problems = made(tmp_path / "trunk", text_file, otherwise=True), []
    for file in (file for file in bench.files if file.name in RESTING):
        assert (stranger / file).read_bytes() != (bench.run / file).read_bytes(), file
        problems += of_another(bench, stranger, file)
    assert not problems, "\n".join(problems)
    copy = shutil.copytree(bench.run, tmp_path / "copy")
    left = Path("branches") / "branch-001" / "branch.json"
    shutil.copyfile(stranger / left, copy / left)
    assert "it is another run's" in branches_of(copy)[0].run.note


@pytest.mark.slow
def test_no_file_of_another_run_passes_for_one_of_this(bench: Bench, text_file: Path, tmp_path: Path) -> None:
    stranger = made(tmp_path / "trunk", text_file, seed=7)
    files = [file for file in bench.files if (stranger / file).is_file()]
    assert len(files) > 20
    problems = [problem for file in files for problem in of_another(bench, stranger, file)]
    assert not problems, "\n".join(problems)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["config.json", "events.jsonl", "branch.json", "replicates.jsonl", "telemetry.jsonl"])
def test_the_files_that_matter_most_under_all_damage(bench: Bench, name: str) -> None:
    draw = random.Random(f"thicker slice {name}")
    readers = [name for name in READERS if name not in SLOW]
    file = next(file for file in bench.files if file.name == name)
    problems = []
    for damage in DAMAGES:
        problems += bench.problems(file, damage, draw.randrange(1 << 30), readers)
    assert not problems, "\n".join(problems)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_two_thousand_mutations(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file, every kind of damage, through every reader; LAYERTIE_FUZZ names a seed to do again."""
    seed = int(os.environ.get("LAYERTIE_FUZZ") or random.SystemRandom().randrange(1 << 30))
    count = int(os.environ.get("LAYERTIE_FUZZ_COUNT") or 2_000)
    with capsys.disabled():
        print(f"\nLAYERTIE_FUZZ={seed}: {count} mutations of {len(bench.files)} files through {len(READERS)} readers")
    draw = random.Random(seed)
    problems: list[str] = []
    for number in range(count):
        file = bench.files[number % len(bench.files)]
        damage = DAMAGES[(number // len(bench.files)) % len(DAMAGES)]
        problems += bench.problems(file, damage, draw.randrange(1 << 30), list(READERS))
    assert not problems, json.dumps({"seed": seed, "problems": problems}, indent=1)
