"""The table of commands: carried out alike in a child process and in a thread, refused in its words, named once."""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import worker_double as double

from layertie_lab.core import commands
from layertie_lab.core.commands import COMMANDS, Command
from layertie_lab.core.decisions import Decision, Outcome, Proposal
from layertie_lab.core.errors import LayertieError, TieError
from layertie_lab.core.events import Opened, Stepped
from layertie_lab.widgets.steer_panel import BUTTONS
from layertie_lab.workers.commands import Commands
from layertie_lab.workers.thread import SessionThread
from layertie_lab.workers.worker import Worker

PACKAGE = Path(__file__).parents[2] / "layertie_lab"
Start = Callable[..., Any]


@pytest.fixture(params=["process", "thread"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Makes a run that takes commands, in a process or in a thread."""
    made: list[Any] = []

    def make(behaviour: str = "") -> Worker | SessionThread:
        config, path = double.config(behaviour), tmp_path / "run"
        if request.param == "process":
            made.append(Worker(config, path, session=double.NAME))
        else:
            made.append(SessionThread(double.Double(config, str(path))))
        return made[-1]

    yield make
    for one in made:
        one.close(timeout=10)


def is_a(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


STORY: list[tuple[Command[Any], Callable[[Any], bool]]] = [
    (commands.Propose(), lambda value: isinstance(value, Proposal) and value.decision == 1),
    (commands.Begin(1, decision=1), lambda value: isinstance(value, Decision) and value.by == "human"),
    *[(commands.Advance(), lambda value, step=step: value == step) for step in (1.0, 2.0, 3.0, 4.0)],
    (commands.Finish(), lambda value: isinstance(value, Outcome) and value.decision.choice == 1),
    (commands.Commit(2, by="replay", decision=2), lambda value: value.decision.by == "replay"),
    (commands.Step(), lambda value: value.decision.by == "agent"),
    (commands.Run(3), lambda value: [o.decision.proposal.decision for o in value] == [4, 5, 6]),
    (commands.AnswerAhead({2: 2}, run=True), lambda value: [o.decision.by for o in value] == ["agent", "human"]),
    (commands.Pause(finish=True), lambda value: value["decision"] == 8 and value["status"] == "ready"),
    (commands.Evaluate("reward", 4), lambda value: value == "reward 4 at 32"),
    (commands.Sample(3), lambda value: value == ("a", "bbb")),
    (commands.Summary(), lambda value: value == {"decision": 8}),
    (commands.Opening(), is_a(Opened)),
    (commands.Call.of(double.position), lambda value: value == (8, 32, "propose")),
    (commands.Save("mine"), is_a(Path)),
    (commands.SetRules("independent=1"), lambda value: value is None),
    (commands.SetThrottle(5.0), lambda value: value is None),
    (commands.Snapshot(), lambda value: (value["throttle"], value["rules"]) == (5.0, "independent=1")),
    (commands.SetKeep(False), lambda value: value is None),
    (commands.Close(save=False), lambda value: value is None),
]
"""Every command, in an order in which each may be given, with what comes back."""


def test_every_command_is_carried_out_in_a_process_and_in_a_thread_alike(start: Start) -> None:
    assert {type(command) for command, _ in STORY} == set(COMMANDS.values())
    run = start()
    for command, expected in STORY:
        if isinstance(command, commands.SetKeep) and isinstance(run, SessionThread):
            continue  # refused below: a thread ends with its process
        assert expected(run.ask(command, timeout=20)), command


def test_the_methods_are_the_commands() -> None:
    methods = {name for name in vars(Commands) if not name.startswith("_")}
    own = {"give", "submit", "ask", "check_may_wait"}
    assert methods - own == set(COMMANDS) - {commands.Close.verb}, "each taker closes in its own way"
    assert "at the next proposal" in str(Commands.commit.__doc__)


def test_what_may_not_be_given_while_decisions_are_trained(start: Start) -> None:
    run = start("slow=0.02")
    trained = threading.Event()
    run.subscribe(lambda entry: trained.set() if isinstance(entry, Stepped) else None)
    running = run.give(commands.Run())
    assert trained.wait(10)
    still = [commands.Begin(0), commands.Advance(), commands.Finish()]
    assert {type(command) for command in still} == {k for k in COMMANDS.values() if k.when is commands.When.STILL}
    for command in still:
        words = rf"Expected a paused run for {command.verb}\(\), but decisions are being trained. Call pause\(\) first."
        with pytest.raises(LayertieError, match=words):
            run.ask(command, timeout=10)
    for decision, words in ((10_000, "not been asked yet"), (0, "answered already")):
        with pytest.raises(TieError, match=words):
            run.ask(commands.Commit(0, decision=decision), timeout=10)
    assert not running.done()


def test_outcomes_that_nobody_wants_are_not_held(start: Start) -> None:
    run = start()
    before = run.snapshot()["decision"]
    assert run.run(3, outcomes=False) == []
    assert run.snapshot()["decision"] == before + 3
    assert run.step().decision.proposal.decision == before + 4


def test_a_run_in_a_thread_cannot_be_kept(tmp_path: Path) -> None:
    thread = SessionThread(double.Double(double.config(), str(tmp_path / "run")))
    words = r"a process of its own for set_keep\(\), but this one trains in a thread .* Train it with a Worker"
    with pytest.raises(LayertieError, match=words):
        thread.set_keep(True)
    thread.close()


@pytest.mark.parametrize(
    ("verb", "arguments", "words"),
    [
        ("fly", {}, "Expected a command, but got 'fly'. Commands: propose, begin"),
        ("run", {"decisions": -1}, "0 or more, but got -1"),
        ("set_throttle", {"throttle": -1}, "a throttle of 0 or more"),
    ],
)
def test_what_is_out_of_range_is_refused_where_it_is_given(verb: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(LayertieError, match=words):
        commands.command(verb, **arguments)


def test_an_error_comes_back_as_its_class_and_the_run_goes_on(start: Start) -> None:
    run = start("diverges=6")
    with pytest.raises(LayertieError, match="Expected a finite loss") as caught:
        run.run()
    assert type(caught.value).__name__ == "DivergedError"
    assert run.snapshot()["status"] == "paused"
    with pytest.raises(TieError):
        run.begin(17, decision=99)


def test_answers_ahead_wait_for_their_layers(start: Start) -> None:
    run = start()
    assert run.answer_ahead({1: 1, 3: 2}) == []
    assert run.snapshot()["ahead"] == {1: 1, 3: 2}
    assert [o.decision.by for o in run.run(3)] == ["human", "agent", "human"]
    with pytest.raises(TieError):
        run.answer_ahead({2: 3})
    with pytest.raises(TieError, match="layer 0 is never asked"):
        run.answer_ahead({0: 0})


ORDINARY = {"propose": "a phase", "run": "a parameter of links", "step": "a column", "snapshot": "a file's kind"}
"""Verbs that are words of other things too, as strings."""


def strings(path: Path) -> list[str]:
    """String constants of a file that stand for themselves, keys left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    keys = {id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
    keys |= {id(node.slice) for node in ast.walk(tree) if isinstance(node, ast.Subscript)}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in keys]
    return [node.value for node in nodes if isinstance(node.value, str)]


def test_a_commands_name_stands_in_one_place() -> None:
    files = [PACKAGE / "core" / "commands.py"]
    for room in ("workers", "explorer", "widgets", "counterfactual", "cli", "bench"):
        files += sorted((PACKAGE / room).rglob("*.py"))
    places = [(word, path.relative_to(PACKAGE)) for path in files for word in strings(path) if word in COMMANDS]
    named = [(word, str(path)) for word, path in places if word not in ORDINARY or path.parts[0] == "core"]
    assert sorted(named) == sorted((verb, "core/commands.py") for verb in COMMANDS)


def test_nobody_in_the_package_gives_a_command_by_a_string() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "submit"
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant)
    ]
    assert not wrong


def test_the_script_of_the_panel_names_no_command() -> None:
    script = (PACKAGE / "widgets" / "static" / "steer_panel.js").read_text(encoding="utf-8")
    sent = re.findall(r"this\.send\(\"(\w+)\"", script)
    assert set(sent) == set(BUTTONS)
    for verb in BUTTONS.values():
        assert f'kind: "{verb}"' not in script
        assert f'send("{verb}"' not in script
