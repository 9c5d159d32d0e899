"""Questions answered by another process: progress, cancelling, what was found before, errors, its end."""

from __future__ import annotations

import gc
import os
import signal
import time
from pathlib import Path

import pytest

from layertie_lab.core.errors import CancelledError, LayertieError, WorkerError
from layertie_lab.inspection.question import Question
from layertie_lab.inspection.views.registry import VIEWS
from layertie_lab.workers.inspector import Inspector


def ends(pid: int, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_every_view_answers_and_an_answer_is_found_again(recorded: Path, inspector: Inspector) -> None:
    shares: list[float] = []
    for view in VIEWS.names:
        options = {"sequence": 1, "position": 5} if view == "token" else None
        question = Question(str(recorded), view, decision=7, options=options)
        found = inspector.ask(question, shares.append).result(timeout=120)
        assert found["facts"]["decision"] == 7
        assert found["frames"] or found["facts"]["text"]
        asked_again = inspector.ask(question)
        assert asked_again.done()
        assert asked_again.result() == found
    assert shares
    assert all(0 <= share <= 1 for share in shares)
    latest = inspector.ask(Question(str(recorded), "costs")).result(timeout=60)
    assert latest["facts"]["decision"] == 12


def test_errors_are_sentences_and_the_process_goes_on(recorded: Path, inspector: Inspector) -> None:
    for question, said in (
        (Question(str(recorded), "nothing"), "Expected a view out of"),
        (Question(str(recorded), "costs", decision=77), "the nearest is 12"),
        (Question(str(recorded), "similarity", text=""), "it is empty"),
        (Question(str(recorded), "similarity", text="too little text"), "Use at least|sequences"),
    ):
        with pytest.raises(LayertieError, match=said):
            inspector.ask(question).result(timeout=60)
    assert inspector.ask(Question(str(recorded), "memory")).result(timeout=60)["frames"]


def test_a_question_can_be_cancelled_and_the_next_is_answered(recorded: Path, inspector: Inspector) -> None:
    inspector.ask(Question(str(recorded), "memory", decision=2)).result(timeout=60)
    futures = [inspector.ask(Question(str(recorded), "costs", decision=d, sequences=64)) for d in (3, 4, 5)]
    for future in futures[:2]:
        inspector.cancel(future)
    with pytest.raises(CancelledError):
        futures[1].result(timeout=60)
    assert futures[2].result(timeout=60)["facts"]["decision"] == 5
    inspector.cancel(futures[2])  # answered: harmless


@pytest.mark.slow
def test_a_process_that_is_killed_is_said_and_replaced(recorded: Path, inspector: Inspector) -> None:
    inspector.ask(Question(str(recorded), "memory", decision=8)).result(timeout=60)
    pid = inspector.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    future = inspector.ask(Question(str(recorded), "memory", decision=9))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match=r"looks inside ended unexpectedly \(SIGKILL"):
        future.result(timeout=60)
    assert inspector.ask(Question(str(recorded), "memory", decision=9)).result(timeout=60)["frames"]


@pytest.mark.slow
def test_it_ends_when_nobody_holds_it(recorded: Path) -> None:
    inspector = Inspector()
    inspector.ask(Question(str(recorded), "memory", decision=1)).result(timeout=60)
    pid = inspector.pid
    assert pid is not None
    del inspector
    gc.collect()
    assert ends(pid)


def test_closing_cancels_what_is_asked(recorded: Path) -> None:
    inspector = Inspector()
    future = inspector.ask(Question(str(recorded), "costs", decision=6, sequences=64))
    inspector.close()
    with pytest.raises(CancelledError):
        future.result(timeout=60)
