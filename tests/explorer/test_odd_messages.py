"""Whatever a page sends, nothing is raised, nothing is logged as a fault, and nothing is written where nobody asked."""

from __future__ import annotations

import logging
import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from odd_messages import ODD, odd_messages, odd_states

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import WorkerError
from layertie_lab.explorer import Explorer, run_on_page
from layertie_lab.widgets.forms.settings_form import SettingsForm
from layertie_lab.widgets.panel import Panel
from layertie_lab.workers.worker import Worker

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"


class Faults(logging.Handler):
    """What is raised in threads, or logged as an error, while it watches."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        monkeypatch.setattr(threading, "excepthook", lambda args: self.found.append(repr(args.exc_value)))
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage() + repr(record.exc_info))


def wrapped(to: Any, message: Any) -> dict[str, Any]:
    """A message as a page passes it on to a panel."""
    return {"kind": "to", "to": to, "content": message}


def send(explorer: Explorer, count: int, draw: random.Random) -> list[str]:
    """Send so many messages, each to some widget, and as many states; what was raised, with what raised it."""
    raised = []
    frame, names = explorer.frame, {widget: name for name, widget in explorer.frame.members.items()}
    widgets = [widget for widget in explorer.panels if isinstance(widget, Panel)]
    messages = {widget: odd_messages(widget, draw) for widget in widgets}
    states = {widget: odd_states(widget, draw) for widget in widgets}
    for _ in range(count):
        widget = draw.choice(widgets)
        message, state = next(messages[widget]), next(states[widget])
        before = {name: getattr(widget, name) for name in state if widget.has_trait(name)}
        try:
            frame.set_state({names[widget]: state, "plan": state, **state})
            assert before == {name: getattr(widget, name) for name in before}
            to = names[widget] if draw.random() < 0.95 else draw.choice(ODD)
            frame._receive(frame, draw.choice(ODD) if draw.random() < 0.03 else wrapped(to, message), None)
        except Exception as error:
            raised.append(f"{type(widget).__name__} {ascii(message)[:200]}: {error!r}"[:400])
    return raised


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults(monkeypatch)


def test_odd_messages_to_a_page_with_a_run_that_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: Faults
) -> None:
    seed = 14
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    monkeypatch.setattr(Worker, "prepare", lambda: None)
    monkeypatch.setattr(run_on_page, "attach", no_worker)
    explorer = Explorer(tmp_path / "runs", examples=tmp_path / "examples")
    files = everything_in(tmp_path)
    assert send(explorer, 600, random.Random(seed)) == []
    assert faults.found == []
    assert everything_in(tmp_path) == files


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_3000_odd_messages_to_a_page_that_trains(
    tmp_path: Path, text_file: Path, monkeypatch: pytest.MonkeyPatch, faults: Faults
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    explorer = Explorer(tmp_path / "runs")
    explorer.start(RunConfig.preset("tiny", corpus=str(text_file), decisions=10**6, policy="human"))
    until(lambda: explorer.steer.can_act, "the first proposal")
    # What a page may ask for is done; runs beside this one would only take time.
    monkeypatch.setattr(run_on_page, "attach", no_worker)
    monkeypatch.setattr(SettingsForm, "HEARS", {k: v for k, v in SettingsForm.HEARS.items() if k != "start"})
    for _ in range(30):
        assert send(explorer, 100, draw) == []
        time.sleep(0.2)
    assert faults.found == []
    handle = explorer._run.source
    assert handle is None or handle.status not in ("failed", "lost")
    explorer.steer.hear({"kind": "farewell"})


def no_worker(*arguments: Any) -> None:
    raise WorkerError("Expected no more runs in this test.", "")


def everything_in(folder: Path) -> dict[str, int]:
    return {
        os.path.join(root, name): os.path.getsize(os.path.join(root, name))
        for root, _, names in os.walk(folder)
        for name in names
        if not name.endswith(".lock")
    }


def until(condition: Callable[[], Any], words: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:g} s for {words}"
        time.sleep(0.02)
