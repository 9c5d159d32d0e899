"""All that reads a run's folder, each as a function of the folder, giving what it shows as plain values."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from layertie_lab import Session
from layertie_lab.cli import main
from layertie_lab.core.errors import LayertieError
from layertie_lab.core.events import Event
from layertie_lab.counterfactual.questions import question
from layertie_lab.counterfactual.study import Study
from layertie_lab.explorer import counterfactual_words, run_list
from layertie_lab.explorer.still_run import state_of
from layertie_lab.explorer.tabs.rules import rules_in_force
from layertie_lab.inspection.moment import Inspection
from layertie_lab.inspection.question import Question
from layertie_lab.inspection.stored import stored_decisions
from layertie_lab.records import findings
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.log.follower import Follower
from layertie_lab.records.log.reader import load_run
from layertie_lab.records.reads import text_facts
from layertie_lab.records.runs import list_runs
from layertie_lab.records.state.checkpoints import list_checkpoints, load_checkpoint
from layertie_lab.records.state.snapshots import load_snapshot, snapshot_decisions
from layertie_lab.records.tree import last_decision, make_branch
from layertie_lab.session.door import RunText
from layertie_lab.session.replay import Log

Reader = Callable[[Path], Any]
LOOK = {"view": "memory", "decision": 3, "options": {}}
"""The question of the kept finding."""
_VOLATILE = ("modified", "when", "time", "path", "text_notes")


class Crashed(Exception):
    """A command ended otherwise than it may."""


def command(*words: str) -> Any:
    """What a command prints, and says on its way.

    Raises:
        LayertieError: It refused; as it said so.
        Crashed: It ended with another exit code than its own.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    if code not in (0, 1, 2, 130) or "Traceback" in err.getvalue():
        raise Crashed(f"{words}: {code} {err.getvalue()}")
    if code:
        raise LayertieError(err.getvalue())
    text = out.getvalue()
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


def _refuse(constant: str) -> Any:
    raise Crashed(f"{constant} in the JSON of a command")


def _digest(tensors: Any) -> str:
    found = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        found.update(name.encode())
        inside = value.items() if isinstance(value, dict) else [("", value)]
        for one, tensor in sorted(inside):
            found.update(one.encode() + tensor.detach().contiguous().numpy().tobytes())
    return found.hexdigest()[:12]


def _each(names: Any, read: Callable[[Any], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        try:
            found[str(name)] = read(name)
        except LayertieError as error:
            found[str(name)] = f"refused: {error}"
    return found


def frames(run: Path) -> Any:
    loaded = load_run(run, damaged="keep")
    tables = {name: loaded.table(name).write_json() for name in loaded.tables}
    return {"tables": tables, "notes": loaded.notes, "status": loaded.status}


def checkpoints(run: Path) -> Any:
    directory = RunDirectory.open(run)
    listed = {
        info.name: (info.sequence, info.meta.get("decision"), info.damage) for info in list_checkpoints(directory)
    }
    loaded = _each(listed, lambda name: _digest(load_checkpoint(directory, name).tensors))
    return {"listed": listed, "loaded": loaded}


def moments(run: Path) -> Any:
    return _each([2, 3, 5, 7], lambda decision: question(run, decision).proposed)


def latest(run: Path) -> Any:
    found = load_checkpoint(RunDirectory.open(run))
    return found.name, _digest(found.tensors), found.skipped


def snapshots(run: Path) -> Any:
    directory = RunDirectory.open(run)
    return _each(snapshot_decisions(directory), lambda number: _digest(load_snapshot(directory, number).tensors))


def look(run: Path) -> Any:
    # A finding that is not as it was written is found again: none is shown.
    return findings.find(run, LOOK) or "found again"


def inside(run: Path) -> Any:
    decisions = stored_decisions(run)
    found = Inspection.of(run, decisions[len(decisions) // 2])
    return decisions, list(found.ties), _digest(dict(found.model.named_parameters())), found.notes


def studies(run: Path) -> Any:
    found, damaged = Study.all_of(run)
    replicates = {study.name: study.replicates() for study in found}
    return {"replicates": replicates, "damaged": damaged, "moments": _each(found, lambda s: _digest(s.moment()[0]))}


def resumed(run: Path) -> Any:
    # In a copy of the same name, in which nothing else is done.
    copy = run.with_name("copy-to-resume") / run.name
    shutil.rmtree(copy.parent, ignore_errors=True)
    ignored = shutil.ignore_patterns("branches", "studies", "looks")
    shutil.copytree(run, copy, symlinks=True, copy_function=_copied, ignore=ignored)
    try:
        with Session.resume(copy) as session:
            session.run(1)
            return {"decision": session.decision, "ties": list(session.ties), "notes": session.text_notes}
    finally:
        shutil.rmtree(copy.parent)


def _copied(source: str, target: str) -> None:
    if stat.S_ISFIFO(os.lstat(source).st_mode):
        os.mkfifo(target)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def branched(run: Path) -> Any:
    made = make_branch(run, 3, name="fresh")
    try:
        # Damaged checkpoints are not given on, which is no other result: they are trained again up to there.
        return (made / "events.jsonl").read_text(encoding="utf-8")
    finally:
        shutil.rmtree(made)


def log(run: Path) -> Any:
    read = Log.read(run)
    return {number: (action.layer, action.choice) for number, action in read.actions.items()}


def followed(run: Path) -> Any:
    found: list[Any] = []
    ended = threading.Event()

    def hear(entry: Any) -> None:
        found.append(entry.to_json() if isinstance(entry, Event) else (entry.status, entry.sentence))
        if not isinstance(entry, Event):
            ended.set()

    follower = Follower(run)
    follower.subscribe(hear)
    assert ended.wait(30)
    return found


def exported(run: Path) -> Any:
    target = run.with_name("export")
    try:
        said = command("export", str(run), "--directory", str(target), "--format", "csv", "--json")
        return {path.name: path.read_text(encoding="utf-8") for path in target.iterdir()}, said
    finally:
        shutil.rmtree(target, ignore_errors=True)


def page(run: Path) -> Any:
    return counterfactual_words.read(run)._asdict(), counterfactual_words.read(
        run / "branches" / "branch-001"
    )._asdict()


def text(run: Path) -> Any:
    found = RunText.of(run).find()
    return found.data.digest, found.notes, text_facts(run)


READERS: dict[str, Reader] = {
    "runs": lambda run: command("runs", str(run.parent), "--json"),
    "runs in words": lambda run: command("runs", str(run.parent)),
    "show": lambda run: command("show", str(run), "--json"),
    "show in words": lambda run: command("show", str(run)),
    "show the branch": lambda run: command("show", str(run / "branches" / "branch-001"), "--json"),
    "tree": lambda run: command("branch", str(run), "--tree", "--json"),
    "tree of the branch": lambda run: command("branch", str(run / "branches" / "branch-001"), "--tree"),
    "twins": lambda run: command("twins", str(run), "--list", "--json"),
    "compare": lambda run: command("compare", str(run), str(run / "branches" / "branch-001"), "--json"),
    "compare all": lambda run: command("compare", str(run), str(run / "branches"), "--json"),
    "audit": lambda run: command("audit", str(run), "--json"),
    "export": exported,
    "frames": frames,
    "followed": followed,
    "moments": moments,
    "log": log,
    "last decision": last_decision,
    "checkpoints": checkpoints,
    "latest": latest,
    "snapshots": snapshots,
    "look": look,
    "inside": inside,
    "studies": studies,
    "page": page,
    "still": lambda run: state_of(load_run(run, damaged="keep"), example=False),
    # When a file changed is so, and says nothing of what it holds.
    "menu": lambda run: [row | {"changed": ""} for row in run_list.rows(run.parent)],
    "list": lambda run: [(each.name, each.status, each.validation_loss, each.note) for each in list_runs(run.parent)],
    "rules": rules_in_force,
    "text": text,
    "branched": branched,
    "resumed": resumed,
}
SLOW = ("inside", "resumed")
"""Readers that make a model."""


def shown(reader: Reader, run: Path) -> tuple[str, bool]:
    """What a reader shows, as words, and whether it refused."""
    try:
        found = reader(run)
    except LayertieError as error:
        return str(error), True
    return json.dumps(_steady(found), default=str, sort_keys=True, indent=0), False


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _steady(inside) for name, inside in value.items() if name not in _VOLATILE}
    if isinstance(value, (list, tuple)):
        return [_steady(inside) for inside in value]
    return value


def a_question() -> Question:
    """Of a kind that a finding answers."""
    return Question("", "memory", 3)
