"""`layertie branch`: a branch from before a decision, the undoing of the last one, and the tree."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from ..core.errors import CancelledError, ConfigError, RecordError, TieError
from ..records.tree import Node, as_row, last_decision, make_branch, remove_branch, tree_of
from . import arguments
from .display import Display, summary_lines
from .long_run import failures_recorded, interruptible

# The session (torch) is imported where a branch is opened: showing a tree needs none.

if TYPE_CHECKING:
    from ..session.session import Session


def branch(command: arguments.Branch, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Make a branch and go on with it as far as asked, or show the tree.

    Raises:
        ConfigError: Flags that exclude each other.
        RecordError: Not a run, or no such decision.
        TieError: An action that is not legal.
    """
    if command.tree:
        nodes = tree_of(command.run)
        if not command.json:
            output.print(_picture(nodes))
            for node in nodes:
                if node.run.note:
                    output.print(f"{node.path}: {node.run.note}", soft_wrap=True, markup=False)
        return {"tree": [as_row(node) | {"directory": str(node.path)} for node in nodes]}, 0
    if command.undo and command.decision is not None:
        raise ConfigError("Expected --undo or --decision, but got both.", "--undo branches before the last decision.")
    decision, why = command.decision, command.why
    if command.undo:
        decision = last_decision(command.run)
        why = why or f"undo of decision {decision}"
    path = make_branch(command.run, decision, name=command.name, why=why)
    try:
        return _go(path, command, progress)
    except TieError:
        remove_branch(path)  # it was made for an action that cannot be taken
        raise


def _go(path: Path, command: arguments.Branch, progress: Console) -> tuple[dict[str, Any], int]:
    with interruptible() as stop, _come_to(path, command, stop, progress) as session:
        target = session.decision + (command.answer is not None) + command.decisions
        with Display(session, progress, target, quiet=command.quiet), failures_recorded(session):
            if command.answer is not None and not stop.is_set():
                session.begin(command.answer, by="human")
                session.complete()
            session.run(command.decisions, should_stop=stop.is_set, outcomes=False)
        summary = session.summary()
    if not command.json:
        for line in summary_lines(summary):
            progress.print(line, soft_wrap=True)
    stopped = stop.is_set() and summary["decisions"] < target
    return summary | {"directory": str(path)}, 130 if stopped else 0


def _come_to(path: Path, command: arguments.Branch, stop: Event, progress: Console) -> Session:
    """The branch at its decision: what no stored moment has is trained again first, and stored."""
    from ..session.session import Session

    with progress.status("coming to the decision ...") as status:
        if command.quiet:
            status.stop()

        def watch(done: int, wanted: int) -> bool:
            status.update(f"coming to the decision: {done} of {wanted} decisions trained again ...")
            return not stop.is_set()

        try:
            return Session.resume(path, text=command.text, watch=watch)
        except CancelledError as error:
            raise CancelledError(error.message, f"Go on with: layertie resume {path}") from None
        except RecordError:
            remove_branch(path)  # nothing has been trained in it, and it would be in the way of another try
            raise


def _picture(nodes: list[Node]) -> Tree:
    trees: dict[str, Tree] = {}
    root = Tree(_line(nodes[0]))
    for node in nodes:
        if not node.is_branch:
            trees[""] = root
        else:
            parent = "" if node.left is None else node.left.parent
            trees[node.name] = trees.get(parent, root).add(_line(node))
    return root


def _line(node: Node) -> Text:
    text = Text(node.name, style="bold")
    loss = node.run.validation_loss
    facts = f"  {node.run.decisions} decisions, {node.run.status}"
    facts += "" if loss is None else f", validation loss {loss:.4f} at decision {node.run.evaluated}"
    if node.left is not None:
        facts += f"; left before decision {node.left.decision}" + (f": {node.left.why}" if node.left.why else "")
    return text.append(facts, style="not bold")
