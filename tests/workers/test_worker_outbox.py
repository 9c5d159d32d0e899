"""The child's outbox against a pipe that nobody reads: bounded, never late, answers never lost."""

from __future__ import annotations

import io
import threading
import time
from typing import Any, cast

from layertie_lab.core.errors import TieError
from layertie_lab.core.events import DecisionFinished, Stepped
from layertie_lab.core.notices import Dropped, StatusChanged
from layertie_lab.workers.process.channel import Answer, Batch, Heartbeat, loads, pack_error, read_frame, unpack_error
from layertie_lab.workers.process.outbox import Outbox

STEP = Stepped(1, 1, 1.0, 1.0, 1.0)
CAME = DecisionFinished(1, 1, [0], [0], 1, 0.0, 0.0, 0.0, 1, 1)


class Pipe(io.BytesIO):
    """Takes nothing until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()

    def write(self, data: Any) -> int:
        self.open.wait(10)
        return super().write(data)

    def batches(self) -> list[Batch]:
        reader = cast(io.RawIOBase, io.BytesIO(self.getvalue()))
        return list(iter(lambda: read_frame(reader), None))


def make(**limits: int) -> tuple[Outbox, Pipe]:
    pipe = Pipe()
    return Outbox(cast(io.RawIOBase, pipe), **limits), pipe


def test_a_stuck_pipe_costs_steps_then_the_oldest_entries_and_never_answers() -> None:
    outbox, pipe = make(most_steps=50, most_entries=200)
    outbox.tell(StatusChanged("first"))
    time.sleep(0.1)
    slowest = 0.0
    for number in range(1, 2_001):
        start = time.perf_counter()
        outbox.tell(STEP)
        outbox.tell(CAME)
        if number % 100 == 0:
            outbox.reply(number, number)
        slowest = max(slowest, time.perf_counter() - start)
    assert len(outbox._entries) < 50 + 200 + 20
    assert outbox.dropped > 3_000
    assert slowest < 0.1
    pipe.open.set()
    outbox.close()
    entries = [entry for batch in pipe.batches() for entry in batch.entries]
    answers = [entry for entry in entries if isinstance(entry, Answer)]
    assert (
        [answer.number for answer in answers]
        == [loads(answer.value) for answer in answers]
        == list(range(100, 2_001, 100))
    )
    counts = [entry.count for entry in entries if isinstance(entry, Dropped)]
    assert counts == [outbox.dropped]
    kept = sum(isinstance(entry, (Stepped, DecisionFinished)) for entry in entries)
    assert kept + outbox.dropped == 4_000


def test_batches_by_time_and_answers_at_once() -> None:
    outbox, pipe = make()
    pipe.open.set()
    for _ in range(10):
        outbox.tell(STEP)
    assert not pipe.getvalue(), "steps wait for company"
    start = time.perf_counter()
    outbox.reply(1, None)
    while not pipe.getvalue():
        time.sleep(0.0005)
    assert time.perf_counter() - start < 0.04
    assert len(pipe.batches()[0].entries) == 11
    outbox.close()


def test_only_the_latest_heartbeat_is_kept() -> None:
    outbox, pipe = make()
    outbox.tell(CAME)
    time.sleep(0.1)
    for step in range(100):
        outbox.beat(Heartbeat("running", 1, 0, 0.0, step=step))
    pipe.open.set()
    outbox.close()
    beats = [batch.heartbeat for batch in pipe.batches() if batch.heartbeat is not None]
    assert [beat.step for beat in beats] == [99]


def test_a_broken_pipe_is_the_end_of_it() -> None:
    outbox, pipe = make()
    pipe.open.set()
    pipe.write = lambda data: (_ for _ in ()).throw(BrokenPipeError())
    outbox.tell(CAME)
    time.sleep(0.1)
    outbox.tell(CAME)
    outbox.reply(1, None)
    assert not outbox._entries
    outbox.close()


def test_errors_travel_with_their_remedy() -> None:
    error = unpack_error(pack_error(TieError("Expected this.", "Do that.")))
    assert type(error) is TieError
    assert (error.message, error.remedy) == ("Expected this.", "Do that.")

    class Local(TieError):
        pass

    error = unpack_error(pack_error(Local("Expected this.", "Do that.")))
    assert str(error) == "Expected this. Do that."
