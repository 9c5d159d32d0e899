"""What a Worker and its child process say to each other: frames over two pipes.

The parent writes one `Hello`, then `Request`s, to the child's standard input; the child writes `Batch`es to what was
its standard output. A frame is its length (8 bytes, little-endian) and a pickled value. Both ends are this package,
started by each other, so that nothing foreign is ever unpickled.
"""

from __future__ import annotations

import copyreg
import io
import struct
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from typing import Any

from ..core.config import RunConfig
from ..core.errors import LayertieError, WorkerError

_LENGTH = struct.Struct("<Q")


class _Plain(ForkingPickler):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # torch registers reducers with multiprocessing that hand a tensor over as shared memory, by way of a server
        # that only multiprocessing's own children can reach. Here a value travels as itself.
        self.dispatch_table = copyreg.dispatch_table.copy()


def dumps(value: Any) -> bytes:
    """The value as bytes."""
    return bytes(_Plain.dumps(value))


def loads(packed: bytes | bytearray) -> Any:
    """Back from `dumps`."""
    # pickle.loads; the type hints take it for a method.
    return ForkingPickler.loads(packed)  # pyright: ignore[reportAttributeAccessIssue]


@dataclass(frozen=True)
class Hello:
    """The first frame to a child: what to run.

    Args:
        session: The class to build, as "module:name".
        config: The run's settings; None on resuming, where the directory holds them.
        directory: The run directory.
        resume: Whether to go on with the run in the directory.
        keep: Whether to go on when the parent is gone.
        throttle: Most decisions per second of a run; 0 = no limit.
        path: The parent's `sys.path`.
    """

    session: str
    config: RunConfig | None
    directory: str
    resume: bool
    keep: bool
    throttle: float
    path: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """A command. The arguments stay packed until it is their turn, so that a bad one fails alone.

    Args:
        number: Counted by the parent; the answer carries it.
        command: A method of `Surface`.
        arguments: Packed dict of its arguments.
    """

    number: int
    command: str
    arguments: bytes


@dataclass(frozen=True)
class Answer:
    """What came of a request.

    Args:
        number: The request's; 0 for an error that ended the child before it could take any.
        value: Packed result, or packed LayertieError.
        good: Whether it is a result.
    """

    number: int
    value: bytes
    good: bool = True


@dataclass(frozen=True)
class Heartbeat:
    """A sign of life, every half second.

    Args:
        status: What the child is doing, as in the `status` telemetry.
        decision: Decisions begun.
        step: Optimizer steps done.
        step_seconds: Duration of the last optimizer step, seconds; None before the first.
        resident_bytes: Memory of the child process.
        dropped: Entries left out so far because the parent did not read in time (the run directory has them).
        time: When, seconds since 1970.
    """

    status: str
    decision: int
    step: int
    step_seconds: float | None
    resident_bytes: int
    dropped: int
    time: float


@dataclass(frozen=True)
class Batch:
    """What the child had to say since the last batch, in order.

    Args:
        entries: Events, telemetry dicts and `Answer`s.
        heartbeat: The latest one, if there is a new one.
    """

    entries: tuple[Any, ...]
    heartbeat: Heartbeat | None = None


def write_frame(stream: io.RawIOBase, value: Any) -> None:
    """Write one frame, blocking until the pipe has taken it.

    Raises:
        OSError: The other end is gone.
    """
    payload = dumps(value)
    left = memoryview(_LENGTH.pack(len(payload)) + payload)
    while left:
        left = left[stream.write(left) or 0 :]


def read_frame(stream: io.RawIOBase) -> Any | None:
    """The next frame, blocking; None at the end of the pipe (a torn last frame included)."""
    head = _read(stream, _LENGTH.size)
    payload = None if head is None else _read(stream, _LENGTH.unpack(head)[0])
    return None if payload is None else loads(payload)


def _read(stream: io.RawIOBase, size: int) -> bytearray | None:
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size:
        count = stream.readinto(view[filled:])
        if not count:
            return None
        filled += count
    return data


def pack_error(error: LayertieError) -> bytes:
    """An error as bytes; one that cannot travel becomes a WorkerError with the same sentences."""
    try:
        packed = dumps(error)
        loads(packed)
    except Exception:
        return dumps(WorkerError(error.message, error.remedy))
    return packed


def unpack_error(packed: bytes) -> LayertieError:
    """Back from `pack_error`; the same class wherever it can be imported here."""
    try:
        return loads(packed)
    except Exception as error:
        return WorkerError(f"The training process reported an error that cannot be read here ({error!r}).")
